"""milter - mail filters of a machine: obey rules and the header X-Milter of a message.

SUMMARY      Milter(port, about, seen).listen(socket); described(seen, normal)
RULES        of each event the first rule [event, expression, action ...] that matches its arguments
             gives the actions; at the end of a message the values of its headers X-Milter and
             X-Milter-PORT are actions too. What is negotiated is offered as told by `about`.
SOURCE       FORMAT.md, milters.json; the milter protocol, version 6 (Sendmail libmilter mfdef.h)
"""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from conformance_machine.places import Normal, readable

# commands of the mail server (SMFIC_...)
_EVENTS = {
    "C": "connect", "H": "helo", "M": "mail", "R": "rcpt", "T": "data", "L": "header", "N": "eoh",
    "B": "body", "E": "eom", "A": "abort", "Q": "quit", "K": "quit-nc", "U": "unknown",
}  # fmt: skip
# the bit that says that no answer to the event is expected (SMFIP_NR_...)
_NO_REPLY = {
    "connect": 0x1000, "helo": 0x2000, "mail": 0x4000, "rcpt": 0x8000, "data": 0x10000,
    "unknown": 0x20000, "header": 0x80, "eoh": 0x40000, "body": 0x80000,
}  # fmt: skip
# answers that end an event (SMFIR_...)
_VERDICTS = {
    "accept": "a", "reject": "r", "tempfail": "t", "discard": "d", "continue": "c", "skip": "s",
    "shutdown": "4", "connfail": "f",
}  # fmt: skip
_VERSION, _ALL_ACTIONS = 6, 0x1FF
_SHOWN_BODY = 600


class Gone(Exception):
    """The filter ends the connection."""


class Milter:
    """One filter."""

    def __init__(self, port: int, about: Mapping[str, Any], seen: list[dict[str, Any]]) -> None:
        """`seen` is where connections are remembered, those of all filters."""
        self._port = port
        self._about = about
        self._seen = seen

    def listen(self, listening: socket.socket) -> None:
        """Serve a listening socket for ever."""
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        seen: dict[str, Any] = {
            "port": self._port, "events": [], "open": True, "time": time.time(),
        }  # fmt: skip
        self._seen.append(seen)
        try:
            with connection, connection.makefile("rb") as stream:
                _Conversation(connection, stream, self._port, self._about, seen).run()
        except (OSError, ValueError, Gone):
            pass  # the other side left, or this filter was told to
        finally:
            seen["open"] = False


class _Conversation:
    """One connection."""

    def __init__(
        self,
        connection: socket.socket,
        stream: BinaryIO,
        port: int,
        about: Mapping[str, Any],
        seen: dict[str, Any],
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._port = port
        self._about = about
        self._seen = seen
        self._macros: dict[str, dict[str, str]] = {}
        self._todo: list[str] = []  # of the message
        self._flags = 0

    def run(self) -> None:
        while True:
            head = self._stream.read(4)
            if len(head) < 4:
                return
            packet = self._stream.read(struct.unpack(">I", head)[0])
            command, data = chr(packet[0]), packet[1:]
            if command == "O":
                self._negotiate(data)
            elif command == "D":
                parts = [readable(part) for part in data[1:].split(b"\0")]
                names = dict(zip(parts[0::2], parts[1::2], strict=False))
                self._macros[chr(data[0])] = names
            elif not self._event(command, data):
                return

    def _negotiate(self, data: bytes) -> None:
        if self._about.get("negotiate") == "close":
            raise Gone
        version, actions, protocol = struct.unpack(">III", data[:12])
        self._seen["offer"] = {"version": version, "actions": actions, "protocol": protocol}
        self._flags = self._about.get("protocol", 0) & protocol
        asked = b"".join(
            struct.pack(">I", int(stage)) + names.encode() + b"\0"
            for stage, names in self._about.get("macros", {}).items()
        )
        answer = struct.pack(
            ">III",
            min(version, self._about.get("version", _VERSION)),
            self._about.get("actions", _ALL_ACTIONS) & actions,
            self._flags,
        )
        self._send("O", answer + asked)

    def _event(self, command: str, data: bytes) -> bool:
        """Take one event; False after the last."""
        event = _EVENTS.get(command, command)
        arguments = _arguments(command, data)
        item: dict[str, Any] = {"event": event, "args": arguments}
        if macros := self._macros.pop(command, None):
            item["macros"] = macros
        self._seen["events"].append(item)
        if command in "QK":
            return command == "K"
        if command in "AM":
            self._todo = []
        if command == "A":
            return True
        text = (": " if command == "L" else " ").join(arguments)
        is_ours = command == "L" and arguments[0].lower() in (
            "x-milter", f"x-milter-{self._port}",
        )  # fmt: skip
        if is_ours:
            self._todo.append(arguments[1].strip())
        actions = self._actions(event, text)
        if command == "E":
            actions += self._todo
        if not self._flags & _NO_REPLY.get(event, 0):
            self._act(actions)
        return True

    def _actions(self, event: str, text: str) -> list[str]:
        for wanted, pattern, *actions in self._about.get("rules", []):
            if wanted == event and re.search(pattern, text, re.IGNORECASE | re.DOTALL):
                return list(actions)
        return []

    def _act(self, actions: Sequence[str]) -> None:
        for action in actions:
            word, _, rest = action.partition(" ")
            if word in _VERDICTS:
                self._send(_VERDICTS[word])
                return
            if word == "reply":
                self._send("y", _texts(rest.replace("\\n", "\r\n")))
                return
            if word == "close":
                raise Gone
            if word == "hang":
                time.sleep(float(rest or 30))
            else:
                self._change(word, rest)
        self._send("c")

    def _change(self, word: str, rest: str) -> None:
        """One modification of the message (SMFIR_ADDHEADER ...)."""
        first, _, second = rest.partition(" ")
        match word:
            case "garbage":
                self._send("?", b"what")
            case "progress":
                self._send("p")
            case "addheader":
                value = second.replace("\\n", "\n").replace("\\t", "\t")
                self._send("h", _texts(first.rstrip(":"), value))
            case "insheader" | "chgheader":
                name, _, value = second.partition(" ")
                data = struct.pack(">I", int(first)) + _texts(name.rstrip(":"), value)
                self._send("i" if word == "insheader" else "m", data)
            case "addrcpt":
                self._send("+", _texts(rest))
            case "addrcpt_par":
                self._send("2", _texts(first, second))
            case "delrcpt":
                self._send("-", _texts(rest))
            case "chgfrom":
                self._send("e", _texts(first, second) if second else _texts(first))
            case "replbody":
                end = b"" if rest.endswith("\\") else b"\r\n"
                self._send("b", rest.replace("\\n", "\r\n").encode() + end)
            case "quarantine":
                self._send("q", _texts(rest))
            case _:
                raise ValueError(f"no action {word!r}")

    def _send(self, command: str, data: bytes = b"") -> None:
        self._connection.sendall(struct.pack(">I", 1 + len(data)) + command.encode() + data)


def _texts(*texts: str) -> bytes:
    return b"".join(text.encode() + b"\0" for text in texts)


def _arguments(command: str, data: bytes) -> list[str]:
    if command == "C":
        host, _, rest = data.partition(b"\0")
        if not rest:
            return [readable(host)]
        return [readable(host), chr(rest[0]), readable(rest[3:]).rstrip("\0")]  # family, port
    if command == "B":
        return [readable(data) if len(data) <= _SHOWN_BODY else f"({len(data)} bytes)"]
    found = [readable(part) for part in data.split(b"\0")]
    if found and not found[-1]:
        found.pop()
    return found


def described(seen: list[dict[str, Any]], normal: Normal, *, offers: bool) -> list[dict[str, Any]]:
    """The connections without what is another at each run."""
    found = []
    for each in sorted(seen, key=lambda connection: connection["time"]):
        item: dict[str, Any] = {
            "port": each["port"],
            "events": [_described_event(event, normal) for event in each["events"]],
        }
        if offers:
            item["offer"] = each.get("offer")
        found.append(item)
    return found


def _described_event(event: Mapping[str, Any], normal: Normal) -> dict[str, Any]:
    arguments = [normal.text(text) for text in event["args"]]
    if event["event"] == "header" and arguments[0].lower() == "received":
        arguments = ["Received", "..."]
    found = {**event, "args": arguments}
    if "macros" in event:
        found["macros"] = {
            name: "{N}" if _is_port(name, value) else normal.text(value)
            for name, value in sorted(event["macros"].items())
        }
    return found


def _is_port(name: str, value: str) -> bool:
    return name.strip("{}") == "client_port" and value.isdigit() and value != "0"
