"""dialogue - the steps of one case, said to the server.

SUMMARY      Dialogue(input, surroundings).run() -> replies; .greetings
RULES        a step that ends the connections (submit, control, tool) begins a new stage: what was
             delivered until then belongs to the stage before
SOURCE       FORMAT.md, cases.json: input
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from conformance_machine.accounts import Account
from conformance_machine.engine import Engine
from conformance_machine.network import REPLY_S, Network
from conformance_machine.places import Normal, fill, readable

Reply = dict[str, Any]
SLOW_S = 0.8
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?: |$)")
_CLOSED = "(connection closed)"
_NO_REPLY = "(no reply)"
_FLUSHING = ("flush", "sendmail-q")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the steps of a case act upon."""

    about: Mapping[str, Any]  # scenario.json
    network: Network
    engine: Engine
    accounts: Mapping[str, Account]
    certificates: Path
    normal: Normal
    end_stage: Callable[[int], None]  # collects what was delivered in a stage
    queue_ids: Callable[[], list[str]]  # of the case's messages, oldest first


@dataclass(slots=True)
class Connection:
    """One open connection."""

    socket: socket.socket
    lines: BinaryIO


class Dialogue:
    """One case."""

    def __init__(self, given: Mapping[str, Any], around: Surroundings) -> None:
        self._given = given
        self._around = around
        self._open: dict[str, Connection] = {}
        self._name = ""
        self._stage = 0
        self._replies: list[Any] = []
        self.greetings: list[Reply] = []

    def run(self) -> list[Any]:
        """Say all steps; the replies, one for each step."""
        for step in self._given.get("steps", []):
            if not self._take(step):
                break
        for name in list(self._open):
            self._drop(name)
        self._around.end_stage(self._stage)
        return self._replies

    # steps

    def _take(self, step: Any) -> bool:
        """Carry out one step; False when nothing more can be said."""
        if isinstance(step, dict):
            if "control" in step or "submit" in step or "tool" in step:
                self._act(step)
                return True
            if "use" in step:
                self._name = step["use"]
                self._replies.append(_reply())
                return True
            if "open" in step or "close" in step:
                self._open_or_close(step)
                return True
        if step == "CONNECT" or self._name not in self._open:
            if step != "CONNECT" and self._name:
                self._replies.append(_reply("(not connected)"))
                return True
            self._drop(self._name)
            first = self._connect({})
            self.greetings.append(first)
            if step == "CONNECT":
                self._replies.append(first)
                return self._name in self._open
            if self._name not in self._open or first["code"] != 220:
                self._drop(self._name)
                return False
        return self._say(step)

    def _say(self, step: Any) -> bool:
        connection = self._open[self._name]
        if isinstance(step, dict) and "tls" in step:
            return self._start_tls(connection, step["tls"])
        if isinstance(step, dict) and "message" in step and not self._may_send_message():
            self._replies.append(_reply("(not sent)"))
            return True
        data, count = _bytes_of(step)
        timeout = step.get("timeout") if isinstance(step, dict) else None
        got = self._exchange(connection, data, count, timeout)
        self._replies.append(got[0] if count == 1 else got)
        last = got[-1] if got else None
        if last is not None and last["code"] is None and last["text"] != [_NO_REPLY]:
            if not self._name:
                return False
            self._drop(self._name)
        return True

    def _may_send_message(self) -> bool:
        if not self._replies:
            return True
        last = self._replies[-1]
        reply = last[-1] if isinstance(last, list) else last
        return bool(reply.get("code") == 354)

    def _exchange(
        self, connection: Connection, data: bytes, count: int, timeout: float | None
    ) -> list[Reply]:
        started = time.monotonic()
        if timeout is not None:
            connection.socket.settimeout(timeout)
        with contextlib.suppress(OSError):  # the replies tell
            connection.socket.sendall(data)
        got: list[Reply] = []
        while len(got) < count and (not got or got[-1]["code"] is not None):
            got.append(self._read(connection))
        if timeout is not None:
            connection.socket.settimeout(REPLY_S)
            if got and got[-1]["text"] == [_NO_REPLY]:  # a file that timed out cannot be read again
                connection.lines = connection.socket.makefile("rb")
        if got and self._around.about.get("timing") and time.monotonic() - started > SLOW_S:
            got[-1]["slow"] = True
        is_ehlo = data[:4].upper() in (b"EHLO", b"LHLO")
        if got and self._around.about.get("ehlo") and got[0]["code"] == 250 and is_ehlo:
            got[0]["ehlo"] = sorted(got[0]["text"][1:])
        return got

    def _read(self, connection: Connection) -> Reply:
        try:
            return self._parsed(_reply_lines(connection.lines))
        except TimeoutError:
            return _reply(_NO_REPLY)
        except OSError:
            return _reply(_CLOSED)

    def _parsed(self, lines: list[str]) -> Reply:
        if not lines:
            return _reply(_CLOSED)
        for line in lines:
            self._around.normal.learn(line)
        code = int(lines[0][:3]) if lines[0][:3].isdigit() else None
        texts = [line[4:] for line in lines]
        enhanced = None
        if (match := _ENHANCED.match(texts[-1])) is not None:
            enhanced = match[1]
            texts = [t[len(enhanced) + 1 :] if t.startswith(enhanced) else t for t in texts]
        return {"code": code, "enhanced": enhanced, "text": texts}

    # connections

    def _connect(self, step: Mapping[str, Any]) -> Reply:
        how = {**self._given, **step}
        self._open.pop(self._name, None)
        try:
            made = self._around.network.connect(how["client"], how.get("port", 25))
            if how.get("preamble"):
                made.sendall(how["preamble"].encode())
            if how.get("preamble_base64"):
                made.sendall(base64.b64decode(how["preamble_base64"]))
            if how.get("tls") is not None:
                secured, reply = self._secured(made, how["tls"])
                if secured is None:
                    return reply
                made = secured
            connection = Connection(made, made.makefile("rb"))
            self._open[self._name] = connection
            return self._parsed(_reply_lines(connection.lines))
        except OSError as error:
            self._open.pop(self._name, None)
            return _reply(f"({type(error).__name__})")

    def _open_or_close(self, step: Mapping[str, Any]) -> None:
        self._name = step["open"] if "open" in step else step["close"]
        self._drop(self._name)
        if "open" in step:
            self._replies.append(self._connect(step))
            return
        time.sleep(0.2)  # the server notices
        self._replies.append(_reply())

    def _drop(self, name: str) -> None:
        connection = self._open.pop(name, None)
        if connection is not None:
            connection.lines.close()
            connection.socket.close()

    def _start_tls(self, connection: Connection, how: Mapping[str, Any]) -> bool:
        secured, reply = self._secured(connection.socket, how)
        self._replies.append(reply)
        if secured is None:
            self._drop(self._name)
            return False
        self._open[self._name] = Connection(secured, secured.makefile("rb"))
        return True

    def _secured(
        self, plain: socket.socket, how: Mapping[str, Any]
    ) -> tuple[ssl.SSLSocket | None, Reply]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the format: test clients verify nothing
        context.set_ciphers(how.get("ciphers", "DEFAULT:@SECLEVEL=0"))
        context.minimum_version = ssl.TLSVersion[how.get("min", "TLSv1").replace(".", "_")]
        context.maximum_version = ssl.TLSVersion[how.get("max", "TLSv1_3").replace(".", "_")]
        folder = self._around.certificates
        if how.get("cert"):
            name = how["cert"]
            context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        try:
            secured = context.wrap_socket(plain, server_hostname=how.get("sni"))
        except OSError as error:
            return None, {**_reply(f"({getattr(error, 'reason', None)})"), "tls": "failed"}
        shown = secured.getpeercert(True)
        who = "?"
        for path in folder.glob("*.pem"):
            if ssl.PEM_cert_to_DER_cert(path.read_text().strip() + "\n") == shown:
                who = path.stem
        reply = {**_reply(str(secured.version()), f"certificate {who}"), "tls": "established"}
        return secured, reply

    # what happens on the server itself

    def _act(self, step: Mapping[str, Any]) -> None:
        for name in list(self._open):
            self._drop(name)
        self._around.end_stage(self._stage)
        self._stage += 1
        if "tool" in step:
            self._replies.append(self._tool(step))
        elif "submit" in step:
            self._replies.append(self._submit(step["submit"]))
        else:
            self._control(step["control"])
            self._replies.append(_reply())

    def _submit(self, how: Mapping[str, Any]) -> Reply:
        body = "\n".join(how["message"]) + "\n"
        return self._run(["sendmail", *how.get("argv", [])], body.encode(), how.get("user"))

    def _tool(self, step: Mapping[str, Any]) -> Reply:
        known = self._around.queue_ids()

        def queue_id(match: re.Match[str]) -> str:
            number = int(match[1])
            return known[number - 1] if number <= len(known) else match[0]

        words = [fill(re.sub(r"\{Q(\d)\}", queue_id, word)) for word in step["tool"]]
        said = "".join(f"{line}\n" for line in step.get("stdin", []))
        return self._run(words, said.encode(), step.get("user"))

    def _run(self, words: list[str], said: bytes, user: str | None) -> Reply:
        account = self._around.accounts[user] if user else None
        identity = (account.name, account.uid, account.gid) if account else None
        done = self._around.engine.command(words, said=said, user=identity)
        text = readable(done.stdout).strip()
        for found in re.findall(r"(?m)^([0-9A-Za-z]{6,20})[*! ] ", text):
            self._around.normal.queue_ids.add(found)
        reply = {"code": None, "enhanced": None, "exit": done.returncode}
        if words[:2] == ["postqueue", "-j"]:
            return {**reply, "json": self._queue_list(text), "text": []}
        return {**reply, "text": self._around.normal.text(text).splitlines()}

    def _queue_list(self, text: str) -> list[dict[str, Any]]:
        """The lines of postqueue -j, without what no two runs have in common."""
        found = [json.loads(line) for line in text.splitlines()]
        for item in found:
            self._around.normal.queue_ids.add(item["queue_id"])
            item.update(arrival_time="{TIME}", queue_id="{QID}", message_size="{N}")
            for recipient in item["recipients"]:
                recipient.update({k: self._around.normal.text(v) for k, v in recipient.items()})
        names = ("queue_name", "sender", "recipients")
        return sorted(found, key=lambda item: json.dumps([item[name] for name in names]))

    def _control(self, what: str) -> None:
        engine = self._around.engine
        word, _, rest = what.partition(" ")
        if word == "sleep":
            time.sleep(float(rest))
            return
        if word in _FLUSHING:
            engine.ask({"command": "flush"})
        elif word == "flush-site":
            engine.ask({"command": "flush", "site": rest})
        elif word == "release-held":
            engine.command(["postsuper", "-H", "ALL"])
            engine.ask({"command": "flush"})
        elif word == "requeue":
            engine.command(["postsuper", "-r", "ALL"])
        time.sleep(0.1)  # the queue manager begins


def _reply(*texts: str) -> Reply:
    return {"code": None, "enhanced": None, "text": list(texts)}


def _reply_lines(lines: BinaryIO) -> list[str]:
    found: list[str] = []
    while line := lines.readline():
        text = readable(line.rstrip(b"\r\n"))
        found.append(text)
        if text[3:4] != "-":
            break
    return found


def _bytes_of(step: Any) -> tuple[bytes, int]:
    """(what is sent, how many replies are read)."""
    if isinstance(step, str):
        return step.encode() + b"\r\n", 1
    if "message" in step:
        lines = (line.encode() for line in step["message"])
        dotted = (b"." + line if line.startswith(b".") else line for line in lines)
        return b"".join(line + b"\r\n" for line in dotted) + b".\r\n", 1
    data = step["raw"].encode() if "raw" in step else base64.b64decode(step["raw_base64"])
    return data, step.get("replies", 1)
