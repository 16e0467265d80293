"""postcat - show a message of the queue. postcat(1)

SUMMARY      postcat(words) -> exit status; operands are queue ids
             -e envelope   -h header   -b body; without any of them everything
             -q is implied: there are no queue files to name. -c, -d, -o, -v do nothing
             lines "*** ... ***" stand around the parts when the envelope is one of them
RULES        read from the disk, whether an engine runs or not: for who may read the spool
EXIT STATUS  0; 1 for whatever cannot be done
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from delivery.agents.base import pieces
from delivery.config import Config, ConfigError, read_config
from delivery.spool import queueid, reading
from delivery.spool.content import ContentFiles
from delivery.spool.intake import CONTENT_DIRECTORY
from delivery.spool.records import Lease, QueueState
from delivery.spool.rowform import RowError
from delivery.tools import arguments, queue
from delivery.tools.arguments import Fatal
from delivery.values import Content

USAGE = (
    "usage: postcat [-b (body text)] [-c config_dir] [-d (decimal record type)]"
    " [-e (envelope records)] [-h (header text)] [-q (access queue)] [-v] [file(s)...]"
)
RECIPIENTS = 1_000_000
_NOTIFY_FLAGS = {"NEVER": 1, "SUCCESS": 2, "FAILURE": 4, "DELAY": 8}
_RET_FLAGS = {"FULL": 1, "HDRS": 2}


def postcat(words: Sequence[str]) -> int:
    """The exit status of one command line."""
    return arguments.run("postcat", 1, lambda: _postcat(words))


def _postcat(words: Sequence[str]) -> None:
    options, operands = arguments.read(words, "bc:dehoqv", USAGE)
    parts = {letter for letter, _ in options if letter in "beh"}
    if not operands:
        raise Fatal(USAGE)
    try:
        config = read_config()
        for operand in operands:
            _show(config, operand, parts or {"b", "e", "h"})
    except BrokenPipeError:
        raise
    except (ConfigError, OSError, sqlite3.Error, RowError) as error:
        raise Fatal(str(error)) from error


def _show(config: Config, queue_id: str, parts: set[str]) -> None:
    if not queue.is_id(queue_id):
        raise Fatal(f"bad mail queue ID: {queue_id}")
    if not os.access(config.spool, os.R_OK | os.X_OK) and config.home.exists():
        raise Fatal(f"open queue file {queue_id}: Permission denied")
    if queue.is_known_form(queue_id) and config.spool.exists():
        number = queueid.to_number(queue_id)
        for directory, connection in queue.open_spools(config):
            row = connection.execute("SELECT state FROM message WHERE id = ?", (number,)).fetchone()
            if row is not None:
                lease = reading.read_lease(connection, number, RECIPIENTS)
                content = _content(directory, connection, number)
                _print(lease, content, QueueState(row[0]).name.lower(), parts)
                return
    raise Fatal(f"open queue file {queue_id}: No such file or directory")


def _content(directory: Path, connection: sqlite3.Connection, number: int) -> Content:
    files = ContentFiles(directory / CONTENT_DIRECTORY)
    return reading.read_content(connection, number, files)


def _print(lease: Lease, content: Content, queue_name: str, parts: set[str]) -> None:
    out = sys.stdout.buffer
    name = f"{queue_name}/{lease.queue_id}"
    if "e" in parts:
        head = (f"*** ENVELOPE RECORDS {name} ***", *_envelope(lease))
        out.write(_lines(*head, f"*** MESSAGE CONTENTS {name} ***"))
    if parts & {"h", "b"}:
        for piece in _of(content, parts):
            out.write(piece)
    if "e" in parts:
        out.write(_lines(f"*** HEADER EXTRACTED {name} ***", f"*** MESSAGE FILE END {name} ***"))
    out.flush()


def _lines(*texts: str) -> bytes:
    return "".join(f"{line}\n" for line in texts).encode("utf-8", "surrogateescape")


def _envelope(lease: Lease) -> Iterator[str]:
    envelope = lease.envelope
    arrived = time.strftime("%a %b %e %H:%M:%S %Y", time.localtime(lease.arrived))
    yield f"message_size: {lease.size:>15}"
    yield f"message_arrival_time: {arrived}"
    yield f"create_time: {arrived}"
    if envelope.envid:
        yield f"named_attribute: envelope_id={envelope.envid}"
    if envelope.ret:
        yield f"named_attribute: ret_flags={_RET_FLAGS[envelope.ret]}"
    yield f"sender: {envelope.sender.text}"
    if envelope.client is not None:
        yield f"named_attribute: client_name={envelope.client.name}"
        yield f"named_attribute: client_address={envelope.client.address}"
        yield f"named_attribute: helo_name={envelope.helo}"
        yield f"named_attribute: protocol_name={envelope.protocol}"
    for recipient in envelope.recipients:
        if recipient.notify:
            flags = sum(_NOTIFY_FLAGS[word] for word in recipient.notify)
            yield f"named_attribute: notify_flags={flags}"
        if recipient.orcpt:
            yield f"named_attribute: dsn_orig_rcpt={recipient.orcpt}"
        yield f"original_recipient: {recipient.original.text}"
        yield f"recipient: {recipient.address.text}"


def _of(content: Content, parts: set[str]) -> Iterator[bytes]:
    """Header, the empty line and the body, or both, with the line ends of this system."""
    in_header, held = True, b""
    for piece in (*pieces(content), b""):
        text = held + piece
        # what may go on in the next piece: a line end, an empty line
        hold = 2 if text.endswith(b"\r\n") else int(text.endswith(b"\r"))
        end = len(text) - (hold if piece else 0)
        text, held = text[:end].replace(b"\r\n", b"\n"), text[end:]
        if in_header:
            place = text.find(b"\n\n")
            in_header = place < 0
            header, text = (text, b"") if in_header else (text[: place + 1], text[place + 1 :])
            if "h" in parts:
                yield header
        if "b" in parts:
            yield text
