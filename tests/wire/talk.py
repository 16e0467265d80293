"""talk - an SMTP client that says exactly what a test says: send("NOOP"), expect("250 *")."""

from __future__ import annotations

import fnmatch
import socket
from types import TracebackType
from typing import Self


class Talk:
    """One connection. Use as a context manager."""

    def __init__(self, port: int, *, source: str = "127.0.0.1", timeout_s: float = 20.0) -> None:
        self.socket = socket.create_connection(
            ("127.0.0.1", port), timeout=timeout_s, source_address=(source, 0)
        )
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self.socket.close()

    def send(self, *lines: str) -> None:
        """Lines, each with CRLF, in one packet."""
        self.raw("".join(f"{line}\r\n" for line in lines).encode())

    def raw(self, data: bytes) -> None:
        """Exactly these bytes."""
        self.socket.sendall(data)

    def reply(self) -> str:
        """The next reply, lines joined by newlines; '' when the server hung up."""
        lines = []
        while line := self._file.readline().decode():
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                break
        return "\n".join(lines)

    def expect(self, pattern: str) -> str:
        """The next reply, which must match (shell patterns, over all its lines)."""
        reply = self.reply()
        assert fnmatch.fnmatchcase(reply, pattern), f"expected {pattern!r}, got {reply!r}"
        return reply

    def say(self, line: str, pattern: str) -> str:
        """Send one line and expect its reply."""
        self.send(line)
        return self.expect(pattern)

    def expect_end(self) -> None:
        """The server hangs up, and says nothing more."""
        assert self.reply() == ""

    def greet(self) -> Self:
        """Greeting and EHLO."""
        self.expect("220 *")
        self.say("EHLO client.example", "250*CHUNKING")
        return self

    def begin(self, sender: str, *recipients: str) -> Self:
        """MAIL and RCPT, all taken."""
        self.say(f"MAIL FROM:<{sender}>", "250 *")
        for recipient in recipients:
            self.say(f"RCPT TO:<{recipient}>", "250 *")
        return self

    def message(self, *lines: str) -> str:
        """DATA, these lines and the dot; the queue id."""
        self.say("DATA", "354 *")
        self.send(*lines, ".")
        return self.expect("250 2.0.0 Ok: queued as *").rpartition(" ")[2]


def mail(port: int, sender: str, *recipients: str, lines: tuple[str, ...] = ()) -> str:
    """Send one message in a connection of its own; its queue id."""
    with Talk(port) as talk:
        talk.greet().begin(sender, *recipients)
        return talk.message(*(lines or ("Subject: test", "", "Hello.")))
