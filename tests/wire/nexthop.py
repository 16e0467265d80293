"""nexthop - another mail server on loopback: takes what it is sent, or refuses as told.

A rule is (beginning of a command line, reply); the first that matches gives the reply, and "." is
the end of the data. "!close" closes without a reply. Rules may be changed while it runs.
"""

from __future__ import annotations

import socketserver
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass
class Taken:
    """One message that it took responsibility for."""

    sender: str = ""
    recipients: list[str] = field(default_factory=list)
    data: bytes = b""
    at: float = 0.0  # when


class NextHop:
    """Use as a context manager; `port` is where it listens."""

    def __init__(self, *rules: tuple[str, str]) -> None:
        self.rules = list(rules)
        self.keywords = ["PIPELINING", "SIZE 50000000", "8BITMIME", "ENHANCEDSTATUSCODES"]
        self.lines: list[str] = []
        self.taken: list[Taken] = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                try:
                    outer.serve(self)
                except ConnectionError:
                    return  # the client left: that is its right

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def recipients(self) -> list[str]:
        """All recipients taken, in order."""
        return [recipient for taken in list(self.taken) for recipient in taken.recipients]

    def serve(self, handler: socketserver.StreamRequestHandler) -> None:
        """One client."""
        current = Taken()
        if not self._say(handler, self._reply("connect", "220 next.example ESMTP")):
            return
        while line := handler.rfile.readline().decode().rstrip("\r\n"):
            self.lines.append(line)
            verb = line.split(" ")[0].split(":")[0].upper()
            default = {"DATA": "354 go on", "QUIT": "221 bye"}.get(verb, "250 2.0.0 Ok")
            if verb == "EHLO":
                names = ["next.example", *self.keywords]
                default = "\r\n".join(f"250-{name}" for name in names) + "\r\n250 HELP"
            reply = self._reply(line, default)
            if verb == "MAIL":
                current = Taken(sender=line)
            elif verb == "RCPT" and reply[0] == "2":
                current.recipients.append(line.partition("<")[2].partition(">")[0])
            elif verb == "DATA" and not current.recipients:
                reply = "554 5.5.1 no valid recipients"
            if not self._say(handler, reply) or verb == "QUIT":
                return
            if verb == "DATA" and reply[0] == "3":
                while (text := handler.rfile.readline()) != b".\r\n":
                    if not text:
                        return
                    current.data += text
                final = self._reply(".", "250 2.0.0 Ok: queued as NEXT")
                if final[0] == "2":
                    current.at = time.time()
                    self.taken.append(current)
                if not self._say(handler, final):
                    return

    def _reply(self, line: str, default: str) -> str:
        for beginning, reply in self.rules:
            if line.upper().startswith(beginning.upper()):
                return reply
        return default

    def _say(self, handler: socketserver.StreamRequestHandler, reply: str) -> bool:
        if reply == "!close":
            return False
        handler.wfile.write(reply.encode() + b"\r\n")
        return True
