"""authservice - the authentication service of a machine: what Dovecot would answer.

SUMMARY      AuthService(about).listen(socket); listening(): its socket, in the queue directory
RULES        `about` is "sasl" of scenario.json: users with their passwords, mechanisms; user names
             are folded to lower case; PLAIN, LOGIN and CRAM-MD5
SOURCE       FORMAT.md, scenario.json; Dovecot, Authentication Protocol 1.1; RFC 4616, RFC 2195
"""

from __future__ import annotations

import base64
import hmac
import socket
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

QUEUE = Path("/var/spool/postfix")
_MECHANISMS = "plain login"
_PROPERTIES = {
    "PLAIN": "plaintext",
    "LOGIN": "plaintext",
    "CRAM-MD5": "dictionary\tactive",
}
_CHALLENGE = "<1234567890123456.1700000000@mx.your.domain>"


def listening() -> socket.socket:
    """The socket private/auth, in an empty queue directory of this mount namespace."""
    words = ["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(QUEUE.parent)]
    subprocess.run(words, check=True)
    place = QUEUE / "private" / "auth"
    place.parent.mkdir(parents=True)
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(place))
    place.chmod(0o666)
    made.listen(64)
    return made


class AuthService:
    """One service."""

    def __init__(self, about: Mapping[str, Any]) -> None:
        self._users: dict[str, str] = about["users"]
        self._mechanisms = about.get("mechanisms", _MECHANISMS).upper().split()

    def listen(self, place: socket.socket) -> None:
        """Serve a listening socket for ever."""
        threading.Thread(target=self._accept, args=(place,), daemon=True).start()

    def _accept(self, place: socket.socket) -> None:
        while True:
            connection, _ = place.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        offers = [f"MECH\t{name}\t{_PROPERTIES[name]}" for name in self._mechanisms]
        with connection, connection.makefile("rwb") as stream:
            _say(stream, "VERSION\t1\t2", *offers, "SPID\t1", "CUID\t1", "COOKIE\t0", "DONE")
            logins: dict[str, _Login] = {}
            try:
                while line := stream.readline():
                    name, number, *fields = line.decode().rstrip("\n").split("\t")
                    if name == "AUTH":
                        logins[number] = _Login(fields[0], self._users)
                        first = fields[-1].removeprefix("resp=")
                        given = first if fields[-1].startswith("resp=") else None
                        _say(stream, logins[number].begin(given).format(number))
                    elif name == "CONT":
                        _say(stream, logins[number].take(fields[0]).format(number))
            except (OSError, ValueError):
                return  # the other side left


class _Login:
    """One client; answers have {} where its number belongs."""

    def __init__(self, mechanism: str, users: Mapping[str, str]) -> None:
        self._mechanism = mechanism
        self._users = users
        self._name: str | None = None

    def begin(self, initial: str | None) -> str:
        if initial is not None:
            return self.take(initial)
        prompt = {"PLAIN": "", "LOGIN": "Username:", "CRAM-MD5": _CHALLENGE}[self._mechanism]
        return f"CONT\t{{}}\t{_encoded(prompt)}"

    def take(self, response: str) -> str:
        said = base64.b64decode(response).decode("utf-8", "replace")
        match self._mechanism:
            case "PLAIN":
                parts = said.split("\0")
                if len(parts) != 3 or not parts[1]:
                    return "FAIL\t{}"
                is_itself = parts[0] in ("", parts[1])
                return self._judged(parts[1], parts[2], good=is_itself)
            case "LOGIN" if self._name is None:
                self._name = said
                return f"CONT\t{{}}\t{_encoded('Password:')}" if said else "FAIL\t{}\tuser="
            case "LOGIN":
                return self._judged(self._name or "", said)
            case _:
                user, _, digest = said.rpartition(" ")
                password = self._users.get(user.lower(), "")
                wanted = hmac.new(password.encode(), _CHALLENGE.encode(), "md5").hexdigest()
                return self._judged(user, password, good=digest == wanted)

    def _judged(self, user: str, password: str, *, good: bool = True) -> str:
        name = user.lower()
        if good and name in self._users and self._users[name] == password:
            return f"OK\t{{}}\tuser={name}"
        return f"FAIL\t{{}}\tuser={name}"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _say(stream: BinaryIO, *lines: str) -> None:
    stream.write("".join(f"{line}\n" for line in lines).encode())
    stream.flush()
