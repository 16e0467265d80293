"""dnsserver - what the DNS answers on a machine.

RULES        records as in dns.json; a name exists when it or a name below it has a record; names in
             `servfail` and below answer SERVFAIL; CNAMEs are followed
SOURCE       FORMAT.md, dns.json; RFC 1035 4.1, RFC 2308
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

PORT = 53
_TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
_NAMES = {number: name for name, number in _TYPES.items()}
_TTL = 60
_CHAIN = 8
_NXDOMAIN, _SERVFAIL = 3, 2


class Zone:
    """All records."""

    def __init__(self, about: Mapping[str, Any]) -> None:
        """`about` is dns.json."""
        self._records: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._names: set[str] = set()
        self._broken = tuple(_folded(name) for name in about.get("servfail", []))
        for name, kind, data in about.get("records", []):
            name = _folded(name)
            self._records[name, kind].append(data)
            while name:
                self._names.add(name)
                name = name.partition(".")[2]

    def answer(self, question: bytes) -> bytes:
        """The reply to a message with one question."""
        name, place = _read_name(question, 12)
        (kind,) = struct.unpack_from(">H", question, place)
        asked = question[12 : place + 4]
        if any(name == each or name.endswith(f".{each}") for each in self._broken):
            return question[:2] + struct.pack(">HHHHH", 0x8180 | _SERVFAIL, 1, 0, 0, 0) + asked
        found, last = self._look_up(name, _NAMES.get(kind, ""))
        code = 0 if found or last in self._names else _NXDOMAIN
        head = struct.pack(">HHHHH", 0x8580 | code, 1, len(found), 0, 0)
        return question[:2] + head + asked + b"".join(found)

    def _look_up(self, name: str, kind: str) -> tuple[list[bytes], str]:
        found: list[bytes] = []
        for _ in range(_CHAIN):
            alias = self._records.get((name, "CNAME"))
            if not alias or kind == "CNAME":
                break
            found.append(_record(name, "CNAME", alias[0].lower()))
            name = _folded(alias[0])
        found += [_record(name, kind, data) for data in self._records.get((name, kind), [])]
        return found, name


class DnsServer:
    """Answers on a socket, in a thread of its own."""

    def __init__(self, zone: Zone, listening: socket.socket) -> None:
        self._zone = zone
        self._socket = listening
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            question, client = self._socket.recvfrom(4096)
            try:
                answer = self._zone.answer(question)
            except (IndexError, struct.error, UnicodeError) as error:
                print(f"dns: {error}", flush=True)
                continue
            self._socket.sendto(answer, client)


def dns_socket() -> socket.socket:
    """The socket of a machine's only name server."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", PORT))
    return made


def _folded(name: str) -> str:
    return name.lower().rstrip(".")


def _read_name(message: bytes, place: int) -> tuple[str, int]:
    labels = []
    while message[place]:
        end = place + 1 + message[place]
        labels.append(message[place + 1 : end].decode("latin-1"))
        place = end
    return ".".join(labels).lower(), place + 1


def _record(name: str, kind: str, data: str) -> bytes:
    content = _data(kind, data)
    return _wire(name) + struct.pack(">HHIH", _TYPES[kind], 1, _TTL, len(content)) + content


def _data(kind: str, data: str) -> bytes:
    match kind:
        case "A":
            return socket.inet_pton(socket.AF_INET, data)
        case "AAAA":
            return socket.inet_pton(socket.AF_INET6, data)
        case "MX":
            preference, host = data.split()
            return struct.pack(">H", int(preference)) + _wire(host)
        case "TXT":
            text = data.encode()
            return bytes([len(text)]) + text
        case _:
            return _wire(data)


def _wire(name: str) -> bytes:
    labels = [label.encode("latin-1") for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
