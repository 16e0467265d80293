"""sink - the other mail servers of the world: accept mail as told, and remember it.

SUMMARY      Sinks(behaviour, certificates).listen(socket) for each port; .transactions, .sessions
RULES        a reply is a text (lines parted by a line feed), "!text" that closes after it,
             "!close", "!hang", or a list used one after the other, counted for each case. Rules are
             regular expressions against the command line, for `data` against the message.
SOURCE       FORMAT.md, sinks.json; RFC 5321, RFC 2033 (LMTP), RFC 3207, RFC 4954
"""

from __future__ import annotations

import base64
import hmac
import re
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from conformance_machine.places import readable

Rules = list[tuple[str, Any]]
_KEYWORDS = ["PIPELINING", "SIZE 50000000", "ENHANCEDSTATUSCODES", "8BITMIME"]
_HANG_S = 30.0


class Closed(Exception):
    """The server ends the connection."""


class Sinks:
    """All of them, and what they saw since the last forget()."""

    def __init__(self, behaviour: Mapping[str, Any], certificates: Path) -> None:
        self.behaviour = behaviour
        self.certificates = certificates
        self.transactions: list[dict[str, Any]] = []
        self.sessions: list[dict[str, Any]] = []
        self.counts: Counter[tuple[str, str, str]] = Counter()

    def forget(self) -> None:
        """Begin another case."""
        self.transactions.clear()
        self.sessions.clear()
        self.counts.clear()

    def listen(self, listening: socket.socket) -> None:
        """Serve a listening socket for ever."""
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        address, port = connection.getsockname()[:2]
        seen: dict[str, Any] = {
            "address": address, "port": port, "lines": [], "tls": None, "open": True,
        }  # fmt: skip
        self.sessions.append(seen)
        session = Session(self, connection, seen)
        try:
            session.run()
        except (OSError, ValueError, Closed):
            pass  # the other side left, or this server was told to
        finally:
            seen["open"] = False
            session.connection.close()


class Session:
    """One connection."""

    def __init__(self, sinks: Sinks, connection: socket.socket, seen: dict[str, Any]) -> None:
        self.sinks = sinks
        self.connection = connection
        self.seen = seen
        self.key = f"{seen['address']}:{seen['port']}"
        behaviour = sinks.behaviour
        self.how: dict[str, Any] = {
            **behaviour.get("default", {}),
            **behaviour.get(seen["address"], {}),
            **behaviour.get(self.key, {}),
        }
        self.lines: BinaryIO = connection.makefile("rb")
        self.hello: str | None = None
        self.is_lmtp = False
        self.user: str | None = None
        self.sender: str | None = None
        self.recipients: list[str] = []

    def run(self) -> None:
        """The whole dialogue."""
        if self.how.get("implicit_tls"):
            self._start_tls(self.how["implicit_tls"])
        greeting = self._rule("greeting_rules", "", self.how.get("greeting", "220 sink ESMTP"))
        self.say(greeting)
        if not greeting.startswith("2"):
            return
        while line := self.lines.readline():
            text = readable(line.rstrip(b"\r\n"))
            self.seen["lines"].append(text)
            if not self._answer(text):
                return

    def say(self, text: str) -> None:
        """Send one reply."""
        if text == "!hang":
            time.sleep(self.how.get("hang", _HANG_S))
            raise Closed
        if text == "!close":
            raise Closed
        self.connection.sendall(text.lstrip("!").replace("\n", "\r\n").encode() + b"\r\n")
        if text.startswith("!"):
            raise Closed

    def _rule(self, stage: str, text: str, otherwise: str) -> str:
        for pattern, reply in self.how.get(stage, []):
            if not re.search(pattern, text, re.IGNORECASE):
                continue
            if isinstance(reply, list):
                count = self.key, stage, pattern
                reply = reply[min(self.sinks.counts[count], len(reply) - 1)]
                self.sinks.counts[count] += 1
            return str(reply)
        return otherwise

    def _answer(self, text: str) -> bool:
        """Answer one command; False after QUIT."""
        verb = text[:4].upper()
        is_common = verb not in ("EHLO", "LHLO", "STAR", "AUTH")
        if is_common and (reply := self._rule("any", text, "")):
            self.say(reply)
            return True
        match verb:
            case "EHLO" | "LHLO":
                self._say_keywords(verb, text)
            case "HELO":
                reply = self._rule("helo", text, "250 sink")
                if reply.startswith("2"):
                    self.hello = text
                self.say(reply)
            case "STAR" if "starttls" in self.how:
                self._answer_starttls()
            case "AUTH" if self.how.get("auth"):
                self._answer_auth(text)
            case "MAIL":
                self._answer_mail(text)
            case "RCPT":
                self._answer_rcpt(text)
            case "DATA":
                self._answer_data()
            case "RSET":
                self.sender, self.recipients = None, []
                self.say(self._rule("rset", text, "250 2.0.0 Ok"))
            case "QUIT":
                self.say(self._rule("quit", text, "221 2.0.0 Bye"))
                return False
            case _:
                self.say("250 2.0.0 Ok")
        return True

    def _say_keywords(self, verb: str, text: str) -> None:
        reply = self._rule(f"{verb.lower()}_rules", text, "250")
        if reply != "250":
            self.say(reply)
            return
        self.is_lmtp, self.hello = verb == "LHLO", text
        has_tls = self.seen["tls"]
        keywords = list(self.how.get("ehlo", _KEYWORDS))
        if has_tls and "ehlo_tls" in self.how:
            keywords = list(self.how["ehlo_tls"])
        if "starttls" in self.how and not has_tls and self.how.get("offer", True):
            keywords.append("STARTTLS")
        auth = self.how.get("auth")
        if auth and (has_tls or not auth.get("tls_only")):
            keywords.append(f"AUTH {' '.join(auth.get('mechanisms', ['PLAIN', 'LOGIN']))}")
        lines = [self.how.get("name", "sink"), *keywords]
        signs = ["-"] * (len(lines) - 1) + [" "]
        self.say("\n".join(f"250{sign}{line}" for sign, line in zip(signs, lines, strict=True)))

    def _answer_starttls(self) -> None:
        reply = self.how.get("starttls_reply", "220 2.0.0 go ahead")
        self.say(reply)
        if reply.startswith("220"):
            self._start_tls(self.how["starttls"])
            self.hello = self.sender = None
            self.recipients = []
            self.seen["lines"].append("(TLS)")

    def _answer_mail(self, text: str) -> None:
        auth = self.how.get("auth") or {}
        reply = self._rule("mail", text, "250 2.1.0 Ok")
        if self.how.get("require_tls") and not self.seen["tls"]:
            reply = "530 5.7.0 Must issue a STARTTLS command first"
        elif auth.get("require") and not self.user:
            reply = "530 5.7.0 Authentication required"
        if reply.startswith("2"):
            self.sender, self.recipients = text, []
        self.say(reply)

    def _answer_rcpt(self, text: str) -> None:
        if self.sender is None:
            self.say("503 5.5.1 need MAIL command")
            return
        reply = self._rule("rcpt", text, "250 2.1.5 Ok")
        if reply.startswith("2"):
            self.recipients.append(text)
        self.say(reply)

    def _answer_data(self) -> None:
        if not self.recipients:
            self.say(self._rule("data_norcpt", "DATA", "554 5.5.1 no recipients"))
            return
        reply = self._rule("data_command", "DATA", "354 go")
        self.say(reply)
        if not reply.startswith("354"):
            return
        message = self._message()
        count = len(self.recipients)
        if self.is_lmtp and "lmtp_final" in self.how:
            replies = [self._rule("lmtp_final", each, "250 2.0.0 Ok") for each in self.recipients]
        else:
            final = self._rule("data", message.decode("latin-1"), "250 2.0.0 Ok")
            replies = [final] * (count if self.is_lmtp else 1)
        self._keep(message, replies)
        for each in replies:
            self.say(each)
        self.sender, self.recipients = None, []

    def _message(self) -> bytes:
        found: list[bytes] = []
        while line := self.lines.readline():
            if self.how.get("drop_in_data"):
                raise Closed
            if line.rstrip(b"\r\n") == b".":
                return b"".join(found)
            found.append(line.removeprefix(b"."))
        raise Closed

    def _keep(self, message: bytes, replies: list[str]) -> None:
        if not any(reply.lstrip("!").startswith("2") for reply in replies):
            return
        accepted = self.recipients
        if len(replies) > 1:
            pairs = zip(self.recipients, replies, strict=True)
            accepted = [each for each, reply in pairs if reply.startswith("2")]
        item: dict[str, Any] = {
            "address": self.seen["address"],
            "port": self.seen["port"],
            "helo": self.hello,
            "sender": self.sender,
            "recipients": list(accepted),
            "message": message,
        }
        if self.seen["tls"]:
            item["tls"] = dict(self.seen["tls"])
        if self.user:
            item["auth"] = self.user
        self.sinks.transactions.append(item)

    # TLS and AUTH

    def _start_tls(self, how: Any) -> None:
        if isinstance(how, str):
            how = {"cert": how}
        match how.get("handshake"):
            case "garbage":
                self.connection.sendall(b"this is not TLS\r\n" * 4)
                raise Closed
            case "close":
                raise Closed
            case "hang":
                time.sleep(how.get("seconds", _HANG_S))
                raise Closed
        certificates = self.sinks.certificates
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers(how.get("ciphers", "DEFAULT:@SECLEVEL=0"))
        context.minimum_version = ssl.TLSVersion[how.get("min", "TLSv1").replace(".", "_")]
        context.maximum_version = ssl.TLSVersion[how.get("max", "TLSv1_3").replace(".", "_")]
        name = how["cert"]
        context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
        if how.get("ask"):
            is_required = how["ask"] == "require"
            context.verify_mode = ssl.CERT_REQUIRED if is_required else ssl.CERT_OPTIONAL
            context.load_verify_locations(certificates / "ca.pem")
        about: dict[str, Any] = {"sni": None}

        def note_name(_socket: object, asked: str | None, _context: object) -> None:
            about["sni"] = asked

        context.sni_callback = note_name
        secured = context.wrap_socket(self.connection, server_side=True)
        about["protocol"] = secured.version()
        if peer := secured.getpeercert():
            subject: Any = peer["subject"]
            about["client"] = dict(pairs[0] for pairs in subject).get("commonName")
        self.connection, self.lines = secured, secured.makefile("rb")
        self.seen["tls"] = about

    def _answer_auth(self, text: str) -> None:
        how = self.how["auth"]
        words = text.split()
        mechanism = words[1].upper() if len(words) > 1 else ""
        if mechanism not in map(str.upper, how.get("mechanisms", ["PLAIN", "LOGIN"])):
            self.say("504 5.5.4 unknown mechanism")
            return
        user = self._login(mechanism, words[2] if len(words) > 2 else None, how.get("users", {}))
        if user is None:
            self.say(how.get("fail", "535 5.7.8 authentication failed"))
            return
        self.user = user
        self.say(how.get("ok", "235 2.7.0 ok"))

    def _login(self, mechanism: str, first: str | None, users: Mapping[str, str]) -> str | None:
        """The user, when the password was right."""
        if mechanism == "PLAIN":
            parts = _decoded(self._asked("") if first is None else first).split("\0")
            good = len(parts) == 3 and users.get(parts[1]) == parts[2]
            return parts[1] if good else None
        if mechanism == "LOGIN":
            user = _decoded(self._asked("Username:") if first is None else first)
            return user if users.get(user) == _decoded(self._asked("Password:")) else None
        if mechanism == "CRAM-MD5":
            challenge = "<1.2@sink>"
            user, _, digest = _decoded(self._asked(challenge, shown=False)).rpartition(" ")
            expected = hmac.new(users.get(user, "").encode(), challenge.encode(), "md5")
            return user if user in users and expected.hexdigest() == digest else None
        return None

    def _asked(self, challenge: str, *, shown: bool = True) -> str:
        self.say(f"334 {base64.b64encode(challenge.encode()).decode()}")
        line = readable(self.lines.readline().rstrip(b"\r\n"))
        self.seen["lines"].append(line if shown else "(response)")
        return line


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "replace")
    except ValueError:
        return ""
