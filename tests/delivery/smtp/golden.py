"""golden - runs a script of client lines and writes down what was said, as the .ref files hold it.

FORMAT       # comment           kept
             == title            a new connection, its settings back to the defaults
             > name = value      a setting of this connection (postconf(5)), before its first line
             ! text              these bytes, written as in a Python string, without a line end
             anything else       sent with CRLF
             in the .ref file: C what was sent, S what was answered, M a message that was accepted
USE          python -m tests.delivery.smtp.golden tests/golden/smtp-order.in
             shows the transcript; compare it with the .ref file, which is a promise, no by-product
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

from delivery.smtp.settings import ServerSettings
from tests.delivery.smtp.sessions import Session

FOLDER = Path(__file__).parents[2] / "golden"


def run(script: str) -> str:
    """The transcript of a script."""
    return "".join(f"{line}\n" for line in _transcript(script.splitlines()))


def _transcript(lines: list[str]) -> Iterator[str]:
    values: dict[str, object] = {}
    session: Session | None = None
    for line in lines:
        if not line or line.startswith("#"):
            yield line
        elif line.startswith("=="):
            values, session = {}, None
            yield line
        elif line.startswith(">"):
            name, _, value = line[1:].partition("=")
            values[name.strip()] = _value(name.strip(), value.strip())
            yield line
        else:
            session = session or Session(dataclasses.replace(ServerSettings(), **values))
            yield from _exchange(session, line)


def _exchange(session: Session, line: str) -> Iterator[str]:
    if line.startswith("!"):
        data = line[1:].strip().encode().decode("unicode_escape").encode("latin-1")
        yield f"C! {line[1:].strip()}"
    else:
        data = line.encode() + b"\r\n"
        yield f"C {line if len(line) < 100 else f'{line[:60]}... ({len(line)} characters)'}"
    if session.protocol.closed:
        yield "S (closed)"
        return
    before = len(session.messages)
    for answer in session.talk(data).decode("ascii").splitlines():
        yield f"S {answer}"
    for message in session.messages[before:]:
        yield f"M from <{message.sender}> to {', '.join(message.recipients)}"
        yield from (f"M {part!r}" for part in message.content.splitlines(keepends=True))
    if session.protocol.closed:
        yield "S (closed)"


def _value(name: str, text: str) -> object:
    """As postconf(5) writes it, into the type of the field."""
    default = getattr(ServerSettings(), name)
    if isinstance(default, bool):
        return text == "yes"
    if isinstance(default, int):
        return int(text)
    return tuple(text.replace(",", " ").split()) if isinstance(default, tuple) else text


if __name__ == "__main__":
    sys.stdout.write(run(Path(sys.argv[1]).read_text(encoding="utf-8")))
