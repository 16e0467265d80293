"""postsuper - an operator's hand on the queue. postsuper(1)

SUMMARY      postsuper(words) -> exit status
             -d delete   -h hold   -H release   -e expire   -f expire, and release
             -r requeue: address the message anew by the rules in force
             an argument is a queue id, ALL, or "-": ids from standard input, one a line.
             Words behind the options name queues: only mail in them is meant
             -s, -S, -p: nothing to mend; the spool looks after itself. -v does nothing
RULES        for the superuser, or the user that the engine runs as
             -c is refused: whoever means another queue must not change this one
EXIT STATUS  0, also when nothing was found; 1 for whatever cannot be done
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from delivery.config import Config, ConfigError, read_config
from delivery.runtime.control import ControlError
from delivery.tools import arguments, queue
from delivery.tools.arguments import Fatal

USAGE = (
    "usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)]"
    " [-f queue_id (expire and/or un-hold)] [-h queue_id (hold)] [-H queue_id (un-hold)]"
    " [-p (purge temporary files)] [-r queue_id (requeue)] [-s (structure fix)]"
    " [-S (redundant structure fix)][-v (verbose)] [queue...]"
)
# command of the engine -> what is said of one message, and of all; totals come in this order
SAID = {
    "requeue": ("requeued", "Requeued"),
    "remove": ("removed", "Deleted"),
    "expire": ("expired", "Force-expired"),
    "hold": ("placed on hold", "Placed on hold"),
    "release": ("released from hold", "Released from hold"),
}
ACTIONS = {
    "d": ["remove"],
    "e": ["expire"],
    "f": ["expire", "release"],  # in this order: once released, it may be tried at once
    "h": ["hold"],
    "H": ["release"],
    "r": ["requeue"],
}
# Postfix's queue -> states of ours; mail that waits to be picked up is none of this
QUEUES = {
    "incoming": ["active"],
    "active": ["active"],
    "deferred": ["deferred"],
    "hold": ["hold"],
    "corrupt": ["corrupt"],
    **dict.fromkeys(("maildrop", "defer", "bounce", "flush"), ()),
}
PAGE = 500  # ids of one request


def postsuper(words: Sequence[str]) -> int:
    """The exit status of one command line."""
    return arguments.run("postsuper", 1, lambda: _postsuper(words))


def _postsuper(words: Sequence[str]) -> None:
    try:
        config = read_config()
    except ConfigError as error:
        raise Fatal(str(error)) from error
    if os.geteuid() not in (0, _owner(config)):
        raise Fatal("use of this command is reserved for the superuser")
    options, operands = arguments.read(words, "c:d:e:f:h:H:pr:sSv", USAGE)
    if any(letter == "c" for letter, _ in options):
        raise Fatal("another configuration cannot be chosen: -c")
    states = _states(operands)
    done: Counter[str] = Counter()
    for letter, value in options:
        if commands := ACTIONS.get(letter):
            done.update(dict.fromkeys(commands, 0))  # told of, whatever comes of them
            _act(config, commands, value, states, done)
    for command, (_, of_all) in SAID.items():
        if command in done:
            count = done[command]
            arguments.say("postsuper", f"{of_all}: {count} message{'s' if count != 1 else ''}")


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


def _act(
    config: Config,
    commands: Iterable[str],
    value: str,
    states: list[str] | None,
    done: Counter[str],
) -> None:
    if value == "ALL":
        for command in commands:
            done[command] += len(_ask(config, command, None, states))
        return
    ids = _from_input() if value == "-" else iter([value])
    while page := list(islice(ids, PAGE)):
        known = [each for each in page if _may_exist(each)]
        changed = {
            command: set(_ask(config, command, known, states)) if known else set()
            for command in commands
        }
        for queue_id in dict.fromkeys(known):
            for command in commands:
                if queue_id in changed[command]:
                    arguments.say("postsuper", f"{queue_id}: {SAID[command][0]}")
                    done[command] += 1


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
    """The ids on standard input, and nothing but ids: a line of mailq may be there by mistake."""
    for line in sys.stdin.buffer:
        yield line.decode("utf-8", "replace").removesuffix("\n")


def _may_exist(queue_id: str) -> bool:
    if not queue.is_id(queue_id):
        arguments.say("postsuper", f"warning: invalid mail queue id: {queue_id}")
        return False
    return queue.is_known_form(queue_id)
