"""postsuper - an operator's hand on the queue. postsuper(1)

SUMMARY      postsuper(words) -> exit status
             -d delete   -h hold   -H release   -e expire   -f expire, and release
             -r requeue: address the message anew by the rules in force
             an argument is a queue id, ALL, or "-": ids from standard input, the first word of each
             line. Words behind the options name queues: only mail in them is meant
             -s, -S, -p: nothing to mend; the spool looks after itself. -c, -v do nothing
RULES        for the superuser, or the user that the engine runs as
EXIT STATUS  0, also when nothing was found; 1 for whatever cannot be done
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from delivery.config import Config, ConfigError, read_config
from delivery.runtime.control import ControlError
from delivery.tools import arguments, queue
from delivery.tools.arguments import Fatal
from delivery.tools.postqueue import is_known_form

USAGE = (
    "usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)]"
    " [-f queue_id (expire and/or un-hold)] [-h queue_id (hold)] [-H queue_id (un-hold)]"
    " [-p (purge temporary files)] [-r queue_id (requeue)] [-s (structure fix)]"
    " [-S (redundant structure fix)][-v (verbose)] [queue...]"
)
# letter -> (command of the engine, what is said of one message, and of all)
ACTIONS = {
    "d": ("remove", "removed", "Deleted"),
    "e": ("expire", "expired", "Force-expired"),
    "f": ("expire", "expired", "Force-expired"),
    "h": ("hold", "placed on hold", "Placed on hold"),
    "H": ("release", "released from hold", "Released from hold"),
    "r": ("requeue", "requeued", "Requeued"),
}
# Postfix's queue -> states of ours; mail that waits to be picked up is none of this
QUEUES = {
    "incoming": ["active"],
    "active": ["active"],
    "deferred": ["deferred"],
    "hold": ["hold"],
    "corrupt": ["corrupt"],
    "maildrop": [],
}
PAGE = 500  # ids of one request
_ID = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")


def postsuper(words: Sequence[str]) -> int:
    """The exit status of one command line."""
    return arguments.run("postsuper", 1, lambda: _postsuper(words))


def _postsuper(words: Sequence[str]) -> None:
    options, operands = arguments.read(words, "c:d:e:f:h:H:pr:sSv", USAGE)
    try:
        config = read_config()
    except ConfigError as error:
        raise Fatal(str(error)) from error
    if os.geteuid() not in (0, _owner(config)):
        raise Fatal("use of this command is reserved for the superuser")
    states = _states(operands)
    done: dict[str, int] = {}  # what is said of all -> how many
    for letter, value in options:
        if letter in ACTIONS:
            said, count = _act(config, letter, value, states)
            done[said] = done.get(said, 0) + count
    for said in sorted(done, key=_order):
        count = done[said]
        print(f"postsuper: {said}: {count} message{'s' if count != 1 else ''}", file=sys.stderr)


def _owner(config: Config) -> int:
    try:
        return config.home.stat().st_uid
    except OSError:
        return 0


def _states(names: Iterable[str]) -> list[str] | None:
    found: list[str] = []
    for name in names:
        if name not in QUEUES:
            raise Fatal(f"invalid directory name: {name}")
        found += QUEUES[name]
    return found if names else None


def _order(said: str) -> int:
    return [name for _, _, name in ACTIONS.values()].index(said)


def _act(config: Config, letter: str, value: str, states: list[str] | None) -> tuple[str, int]:
    command, of_one, of_all = ACTIONS[letter]
    # expired first: once it is released, it is tried at once
    commands = ["expire", "release"] if letter == "f" else [command]
    count = 0
    if value == "ALL":
        for each in commands:
            count = max(count, len(_ask(config, each, None, states)))
        return of_all, count
    ids = _from_input() if value == "-" else iter([value])
    while page := list(islice(ids, PAGE)):
        known = [each for each in page if _may_exist(each)]
        changed: set[str] = set()
        for each in commands if known else ():
            changed.update(_ask(config, each, known, states))
        for queue_id in filter(changed.__contains__, known):
            arguments.say("postsuper", f"{queue_id}: {of_one}")
        count += len(changed)
    return of_all, count


def _ask(
    config: Config, command: str, ids: list[str] | None, states: list[str] | None
) -> list[str]:
    try:
        answer = queue.ask(config, {"command": command, "ids": ids, "states": states})
    except queue.EngineDown as error:
        raise Fatal(f"the mail system is down: {error}") from error
    except (ControlError, OSError) as error:
        raise Fatal(str(error)) from error
    found: list[str] = answer["ids"]
    return found


def _from_input() -> Iterator[str]:
    """The ids on standard input, also those of a mailq listing."""
    for line in sys.stdin:
        word = line.split(None, 1)[0] if line.strip() else ""
        if word:
            yield word.rstrip("*!#")


def _may_exist(queue_id: str) -> bool:
    if not queue_id or not _ID.issuperset(queue_id):
        arguments.say("postsuper", f"warning: invalid mail queue id: {queue_id}")
        return False
    return is_known_form(queue_id)
