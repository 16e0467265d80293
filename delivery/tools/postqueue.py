"""postqueue - list the queue, and try it again. postqueue(1), mailq(1)

SUMMARY      postqueue(words), mailq(words) -> exit status
             -p   a list for people          -j   a JSON object a line
             -f   try all deferred mail      -i   one message       -s   mail for one domain
             -c, -v are taken and do nothing
RULES        any user that authorized_mailq_users and authorized_flush_users name
EXIT STATUS  0; 69 (EX_UNAVAILABLE) for whatever cannot be done
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from delivery.config import Config, ConfigError, read_config
from delivery.runtime.control import ControlError
from delivery.runtime.queuelist import as_json, as_text
from delivery.tools import arguments, queue
from delivery.tools.arguments import Fatal
from tables.domains import parse_domain
from tables.errors import AddressSyntaxError

USAGE = (
    "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site"
)


def postqueue(words: Sequence[str]) -> int:
    """The exit status of one command line."""
    return arguments.run("postqueue", os.EX_UNAVAILABLE, lambda: _postqueue(words))


def mailq(words: Sequence[str]) -> int:
    """The same list as postqueue -p; with --json as postqueue -j."""
    mode = "-j" if "--json" in words else "-p"
    return arguments.run("mailq", os.EX_UNAVAILABLE, lambda: _postqueue([mode]))


def _postqueue(words: Sequence[str]) -> None:
    options, operands = arguments.read(words, "c:fi:jps:v", USAGE)
    wanted = [(letter, value) for letter, value in options if letter not in "cv"]
    if len(wanted) != 1 or operands:
        raise Fatal(USAGE)
    letter, value = wanted[0]
    try:
        config = read_config()
        _do(config, letter, value)
    except queue.EngineDown as error:
        what = "Queue report unavailable" if letter in "jp" else "Cannot flush mail queue"
        raise Fatal(f"{what} - mail system is down ({error})") from error
    except BrokenPipeError:
        raise
    except (ControlError, ConfigError, OSError) as error:
        raise Fatal(str(error)) from error


def _do(config: Config, letter: str, value: str) -> None:
    match letter:
        case "p":
            arguments.show(as_text(queue.messages(config)))
        case "j":
            arguments.show(as_json(queue.messages(config)))
        case "f":
            queue.ask(config, {"command": "flush"})
        case "s":
            try:
                parse_domain(value)
            except AddressSyntaxError:
                reason = f'invalid destination: "{value}"'
                raise Fatal(f"Cannot flush mail queue - {reason}") from None
            queue.ask(config, {"command": "flush", "site": value, "configured": True})
        case "i":
            if not queue.is_id(value):
                raise Fatal(f'Cannot flush queue ID - invalid name: "{value}"')
            ids = [value] if queue.is_known_form(value) else []  # any other is of no message
            queue.ask(config, {"command": "flush", "ids": ids})
