"""dnsserver - a real DNS server on loopback, answering from a dict; it can misbehave by name.

records: (name, type) -> texts as in a zone file. A name with any record, or with names below it,
exists; others are NXDOMAIN. behaviour: name -> "servfail", "refused", "hang", "garbage",
"other-question", "other-id", "truncated" (over UDP; TCP has the whole answer), "wait" (until
`gate` is set).
"""

from __future__ import annotations

import socketserver
import struct
import threading
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.ports import free_port

TTL = 300
WAIT_S = 60.0


class DnsServer:
    """Use as a context manager; `endpoint` is what WAYPOST_RESOLVER wants."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.behaviour: dict[str, str] = {}
        self.gate = threading.Event()
        self.asked: list[tuple[str, str]] = []
        self.ttl = TTL
        outer = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data, connection = self.request
                if (answer := outer.answer(data, over_udp=True)) is not None:
                    connection.sendto(answer, self.client_address)

        class Tcp(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                head = self.rfile.read(2)
                data = self.rfile.read(struct.unpack("!H", head)[0]) if len(head) == 2 else b""
                if data and (answer := outer.answer(data, over_udp=False)) is not None:
                    self.wfile.write(struct.pack("!H", len(answer)) + answer)

        self.port = free_port()
        self._udp = socketserver.ThreadingUDPServer(("127.0.0.1", self.port), Udp)
        self._udp.daemon_threads = True
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._tcp = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Tcp)
        self._tcp.daemon_threads = True

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def add(self, name: str, kind: str, *texts: str) -> None:
        """Records of one name and type."""
        self.records.setdefault((name.lower(), kind), []).extend(texts)

    def __enter__(self) -> Self:
        for server in (self._udp, self._tcp):
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()

    def answer(self, data: bytes, *, over_udp: bool) -> bytes | None:
        """The bytes to send back; None to say nothing."""
        query = dns.message.from_wire(data)
        [question] = query.question
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        response = dns.message.make_response(query, recursion_available=True)
        match self.behaviour.get(name, ""):
            case "hang":
                return None
            case "garbage":
                return data[:2] + b"\xff" * 30
            case "servfail":
                response.set_rcode(dns.rcode.SERVFAIL)
            case "refused":
                response.set_rcode(dns.rcode.REFUSED)
            case "other-id":
                response.id ^= 1
                self._fill(response, name, kind)
            case "other-question":
                response.question[0] = dns.rrset.RRset(
                    dns.name.from_text("other.example"), question.rdclass, question.rdtype
                )
                self._fill(response, "other.example", kind)
            case "truncated" if over_udp:
                response.flags |= dns.flags.TC
            case behaviour:
                if behaviour == "wait":
                    self.gate.wait(WAIT_S)
                self._fill(response, name, kind)
        return response.to_wire()

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        for _ in range(20):
            target = self.records.get((name, "CNAME"))
            if target is None or kind == "CNAME":
                break
            self._append(response, name, "CNAME", target)
            name = target[0].rstrip(".").lower()
        texts = self.records.get((name, kind))
        if texts:
            self._append(response, name, kind, texts)
        elif not any(known == name or known.endswith("." + name) for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)

    def _append(
        self, response: dns.message.Message, name: str, kind: str, texts: list[str]
    ) -> None:
        owner = dns.name.from_text(name)
        response.answer.append(dns.rrset.from_text(owner, self.ttl, "IN", kind, *texts))
