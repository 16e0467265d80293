"""harvest - what a case left behind: mailboxes, runs of commands, transactions.

SUMMARY      Mailboxes().new(...), runs_of_commands(...), transactions(...)
RULES        files that were there at the start are what they were; what is new in them, and new
             files, is described and taken away, so that the next case begins without
SOURCE       FORMAT.md, observed; mbox(5), maildir(5)
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance_machine.accounts import DUMPS, MNT
from conformance_machine.message import describe
from conformance_machine.places import Normal, readable, unfill

_TOPS = (MNT / "mail", MNT / "home", MNT / "data")
_IN_MAILDIR = re.compile(r"(.*/)(?:new|tmp|cur)/[^/]+")
_FROM_DATE = re.compile(r"(From .*?) +[A-Z][a-z]{2} [A-Z][a-z]{2} .*")
_FROM_LINE = re.compile(rb"From (.*?) +[A-Z][a-z]{2} [A-Z][a-z]{2} .*?\n")
_OF_THE_SHELL = ("_", "PWD", "OLDPWD", "SHLVL")
# what every engine exports for its own ends: its log tag, its configuration
_OF_THE_ENGINE = ("MAIL_LOGTAG", "generation")


class Mailboxes:
    """The files of a machine below the places where mail may go."""

    def __init__(self, more: Sequence[Path] = ()) -> None:
        """`more`: other places that mail may go to."""
        self._tops = (*_TOPS, *more)
        self._before = dict(self._files())

    def _files(self) -> Iterator[tuple[Path, tuple[int, int]]]:
        for top in self._tops:
            for directory, _, names in os.walk(top):
                for name in names:
                    path = Path(directory, name)
                    if not name.endswith(".lock") and not path.is_symlink():
                        state = path.stat()
                        yield path, (state.st_size, state.st_mtime_ns)

    def new(self, normal: Normal, kept_dates: Collection[str]) -> list[dict[str, Any]]:
        """Every message that came since the last time."""
        found: list[dict[str, Any]] = []
        for path, state in sorted(self._files()):
            before = self._before.get(path)
            if state == before:
                continue
            data = path.read_bytes()
            owner = _owner(path)
            if before is None:
                path.unlink()
            else:
                data = data[before[0] :]
                os.truncate(path, before[0])
                after = path.stat()
                self._before[path] = after.st_size, after.st_mtime_ns
            found += _messages(path, owner, data, normal, kept_dates)
        return found


def _owner(path: Path) -> str:
    uid = path.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _messages(
    path: Path, owner: str, data: bytes, normal: Normal, kept_dates: Collection[str]
) -> Iterator[dict[str, Any]]:
    if (match := _IN_MAILDIR.fullmatch(str(path))) is not None:
        about = {"path": unfill(match[1]), "format": "maildir", "owner": owner}
        yield {**about, **describe(data, normal, kept_dates)}
        return
    for piece in re.split(rb"(?m)^(?=From )", data):
        if not piece.strip():
            continue
        about = {"path": unfill(str(path)), "format": "file", "owner": owner}
        first, _, rest = piece.partition(b"\n")
        if first.startswith(b"From "):
            about["format"] = "mbox"
            about["from_line"] = normal.text(_FROM_DATE.sub(r"\1", readable(first)))
        else:
            rest = piece
        if rest.endswith(b"\n\n"):  # the empty line between messages
            rest = rest[:-1]
        yield {**about, **describe(rest, normal, kept_dates)}


def runs_of_commands(normal: Normal, kept_dates: Collection[str]) -> list[dict[str, Any]]:
    """How {BIN}/dump and its other names were called."""
    found = []
    for directory in sorted(DUMPS.iterdir(), key=os.path.getmtime):
        if (directory / "stdin").exists():
            found.append(_run(directory, normal, kept_dates))
        shutil.rmtree(directory)
    return sorted(found, key=lambda item: json.dumps([item["argv"], item["env"]]))


def _run(directory: Path, normal: Normal, kept_dates: Collection[str]) -> dict[str, Any]:
    def read(name: str) -> bytes:
        return (directory / name).read_bytes()

    pairs = (readable(each).partition("=") for each in read("env").split(b"\0") if each)
    environment = {name: normal.text(value) for name, _, value in pairs}
    for name in (*_OF_THE_SHELL, *_OF_THE_ENGINE):
        environment.pop(name, None)
    said = read("stdin")
    found: dict[str, Any] = {
        "argv": [normal.text(readable(word)) for word in read("argv").split(b"\0")[:-1]],
        "env": dict(sorted(environment.items())),
        "user": readable(read("user")).strip(),
        "group": readable(read("group")).strip(),
        "cwd": normal.text(readable(read("cwd")).strip()),
    }
    if (match := _FROM_LINE.match(said)) is not None:
        found["from_line"] = f"From {readable(match[1])}"
        said = said[match.end() :]
    found["crlf"] = b"\r\n" in said
    return {**found, **describe(said, normal, kept_dates)}


_MAIL = re.compile(r"MAIL FROM:<(.*?)>(?: (.*))?", re.IGNORECASE)
_RCPT = re.compile(r"RCPT TO:<(.*)>(?: (.*))?", re.IGNORECASE)
_SIZE = re.compile(r"SIZE=\d+")


def transactions(
    seen: Sequence[Mapping[str, Any]], normal: Normal, kept_dates: Collection[str]
) -> list[dict[str, Any]]:
    """What other servers accepted."""
    found = []
    for each in seen:
        sender, parameters = _parsed(_MAIL, each["sender"])
        item: dict[str, Any] = {
            "address": each["address"],
            "port": each["port"],
            "helo": each["helo"],
            "mail_from": sender,
            "mail_params": [
                normal.text(word) for word in sorted(_SIZE.sub("SIZE={N}", w) for w in parameters)
            ],
            "rcpt_to": sorted(
                [address, *sorted(words)]
                for address, words in (_parsed(_RCPT, line) for line in each["recipients"])
            ),
        }
        item |= {name: each[name] for name in ("tls", "auth") if name in each}
        found.append({**item, **describe(each["message"], normal, kept_dates)})
    keys = ("address", "port", "mail_from", "rcpt_to")
    return sorted(found, key=lambda item: json.dumps([item[key] for key in keys]))


def _parsed(pattern: re.Pattern[str], line: str) -> tuple[str, list[str]]:
    match = pattern.fullmatch(line)
    return (line, []) if match is None else (match[1], (match[2] or "").split())


def sessions(seen: Sequence[Mapping[str, Any]], normal: Normal) -> list[dict[str, Any]]:
    """Every connection to another server."""
    found = []
    for each in seen:
        lines = [normal.text(re.sub(r" SIZE=\d+", " SIZE={N}", line)) for line in _texts(each)]
        item = {"address": each["address"], "port": each["port"], "lines": lines}
        found.append({**item, "tls": each["tls"]} if each["tls"] else item)
    return sorted(found, key=lambda item: json.dumps(item, sort_keys=True))


def _texts(session: Mapping[str, Any]) -> list[str]:
    """The lines up to the first that is no text: a handshake where none was expected."""
    lines: list[str] = list(session["lines"])
    for number, line in enumerate(lines):
        if re.search(r"[\0-\x08\x0b-\x1f]", line):
            return [*lines[:number], "(not text)"]
    return lines
