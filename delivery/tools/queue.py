"""queue - the queue of this machine, from the engine that runs, or from the disk when none does.

SUMMARY      ask(config, request) -> answer; messages(config) -> as the engine lists them
             open_spools(config): read-only connections to the shards
             is_id(text), is_known_form(text)
RULES        who may not use the control socket, or not look for it, asks the public one
             an engine that is down does not hide the queue from who may read its files
             to who may read the drop directory, what waits there is the queue maildrop
ERRORS       EngineDown: nobody answers; ControlError: the engine says no, or the way to it is
             closed to this user; PermissionError
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from delivery.config import Config
from delivery.runtime.control import ControlError
from delivery.runtime.control import ask as ask_socket
from delivery.runtime.queuelist import listed
from delivery.spool import database, queueid, reading
from delivery.submission.drop import Drop, DropError
from delivery.tools import arguments

PAGE = 50  # messages of one question, each with many recipients
RECIPIENTS = 1000
WAIT_S = 3600.0  # all of a long queue is not changed in a moment; postconf(5) ipc_timeout
_ID = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")


class EngineDown(Exception):
    """No engine answers."""


def is_id(text: str) -> bool:
    """True when it is written like a queue id of any mail system of this kind."""
    return text != "" and _ID.issuperset(text)


def is_known_form(text: str) -> bool:
    """True when a message of ours could have this queue id."""
    try:
        queueid.to_number(text)
    except ValueError:
        return False
    return True


def ask(config: Config, request: Mapping[str, Any]) -> dict[str, Any]:
    """One request to the engine. Raises EngineDown, ControlError."""
    path, public = config.control_socket, config.public_socket
    if not os.access(path, os.W_OK) and (
        os.access(public, os.W_OK) or not os.access(path.parent, os.X_OK)
    ):
        path = public
    try:
        answer = ask_socket(path, request, timeout_s=WAIT_S)
    except ControlError as error:
        if isinstance(error.__cause__, PermissionError):  # whether an engine runs, nobody knows
            closed = f"{config.home} is closed to this user, chmod 711 lets all users through"
            raise ControlError(f"Permission denied: {closed}") from error
        raise EngineDown(str(error)) from error
    if not answer.get("ok"):
        raise ControlError(str(answer.get("error", "the engine gave no answer")))
    return answer


def messages(config: Config) -> Iterator[dict[str, Any]]:
    """Every message of the queue, oldest first. Raises EngineDown, ControlError."""
    yield from _dropped(config)
    after = ""
    request = {"command": "queue", "limit": PAGE, "recipients": RECIPIENTS}
    while True:
        try:
            answer = ask(config, {**request, "after": after})
        except EngineDown as error:
            if after or not os.access(config.spool, os.R_OK | os.X_OK):
                raise
            how = "Mail system is down -- accessing queue directly"
            arguments.say("postqueue", f"warning: {how} ({error})")
            yield from _on_disk(config)
            return
        yield from answer["messages"]
        if not answer["more"]:
            return
        after = answer["messages"][-1]["id"]


def _dropped(config: Config) -> Iterator[dict[str, Any]]:
    """What programs left and no engine has taken yet."""
    drop = Drop(config.drop)
    if not os.access(drop.directory, os.R_OK | os.X_OK):
        return
    for name in drop.names():
        with contextlib.suppress(OSError, DropError):  # taken meanwhile, or not to be taken
            dropped = drop.open(name)
            with contextlib.closing(dropped):
                slip = dropped.slip
            yield {
                "id": name.partition(".")[0],
                "state": "maildrop",
                "sender": slip.sender.text,
                "size": dropped.size,
                "arrived": dropped.arrived,
                "reason": "",
                "expired": False,
                "recipient_count": len(slip.recipients),
                "recipients": [
                    {"address": each.address.text, "reason": ""}
                    for each in slip.recipients[:RECIPIENTS]
                ],
            }


def _on_disk(config: Config) -> Iterator[dict[str, Any]]:
    for _, connection in open_spools(config):
        last = 0
        while page := reading.listing(connection, last, PAGE, RECIPIENTS):
            yield from map(listed, page)
            last = queueid.to_number(page[-1].queue_id)


def open_spools(config: Config) -> Iterator[tuple[Path, sqlite3.Connection]]:
    """(directory, read-only connection) of each shard, one after the other."""
    for directory in sorted(config.spool.iterdir()):
        path = directory / database.FILE_NAME
        if not directory.name.isdecimal() or not path.exists():
            continue
        with contextlib.closing(database.open_reader(path)) as connection:
            yield directory, connection
