"""orders - usual orders, to be changed where a test needs it, and a message for them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from delivery.courier.identity import Accounts
from delivery.courier.wire import Append, Run, Store

HERE = Accounts(switches=False)
LETTER = b"Subject: x\r\n\r\nFrom here\r\nto there\r\n"
PREFIX = "From ann@x.example  Mon Nov 20 10:00:00 2000\nReturn-Path: <ann@x.example>\n"
WRITTEN = PREFIX.encode() + b"Subject: x\n\n>From here\nto there\n\n"


@contextmanager
def parts(*texts: bytes) -> Iterator[list[int]]:
    """Open files that hold these texts."""
    found = []
    for text in texts or (LETTER,):
        descriptor = os.memfd_create("part")
        os.write(descriptor, text)
        found.append(descriptor)
    try:
        yield found
    finally:
        for descriptor in found:
            os.close(descriptor)


def append(path: str | Path, *, is_mailbox: bool = False, limit: int = 0) -> Append:
    return Append(
        user="joe",
        group="",
        path=str(path),
        prefix=PREFIX,
        limit=limit,
        locks=("fcntl", "dotlock"),
        attempts=1,
        delay_s=0.0,
        stale_s=500.0,
        is_mailbox=is_mailbox,
        owned=True,
    )


def store(path: str | Path, *, limit: int = 0) -> Store:
    return Store(user="joe", group="", path=str(path), prefix=PREFIX, limit=limit, hostname="here")


def run(
    command: str = "",
    *,
    argv: tuple[str, ...] = (),
    seconds: float = 30.0,
    variables: tuple[str, ...] = (),
    exported: tuple[str, ...] = (),
    shell: str = "",
    directory: str = "",
) -> Run:
    return Run(
        user="joe",
        group="",
        command=command,
        shell=shell,
        argv=argv,
        exported=exported,
        variables=variables,
        directory=directory,
        chroot="",
        seconds=seconds,
        limit=0,
        prefix=PREFIX,
        eol="\n",
        quotes_from=False,
        stuffs_dots=False,
        ends_blank=False,
    )
