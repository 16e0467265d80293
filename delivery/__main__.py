"""python -m delivery - run the engine, or talk to the one that runs.

SUMMARY      serve | status | reload | flush [--site DOMAIN] [QUEUE-ID ...]
             postmap, sendmail, mailq, postqueue, postsuper, postcat and newaliases take the
             arguments of Postfix's commands (postmap.py, submission/sendmail.py, tools/)
RULES        usable without Django; WAYPOST_HOME says whose engine (delivery/config.py)
             "serve" started by root gives root up before it listens (runtime/rootless.py)
EXIT STATUS  0; 69 (EX_UNAVAILABLE) when no engine answers; 78 (EX_CONFIG); 70 (EX_SOFTWARE)
SOURCE       sysexits(3)
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

import uvloop

from delivery import __version__, log, postmap
from delivery.config import Config, ConfigError, read_config
from delivery.errors import DeliveryError
from delivery.runtime.control import ControlError, ask
from delivery.submission import sendmail
from delivery.tools import newaliases, postcat, postqueue, postsuper
from tables.errors import TableError

# commands that read their arguments as the Postfix command of that name does
AS_POSTFIX: dict[str, tuple[Callable[[Sequence[str]], int], str]] = {
    "postmap": (postmap.main, "ask the tables of the current generation, or files"),
    "sendmail": (sendmail.asking(lambda words: main(words)), "send a message, as any user"),
    "mailq": (postqueue.mailq, "list the queue"),
    "postqueue": (postqueue.postqueue, "list the queue, or try it again"),
    "postsuper": (postsuper.postsuper, "delete, hold, release, expire or requeue messages"),
    "postcat": (postcat.postcat, "show a message of the queue"),
    "newaliases": (newaliases.newaliases, "says that there is nothing to do"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status of one command."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments and arguments[0] in AS_POSTFIX:
        as_postfix, _ = AS_POSTFIX[arguments[0]]
        if arguments[1:] == ["--help"]:
            return _help(arguments[0])
        return as_postfix(arguments[1:])
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        config = read_config()
        status: int = options.run(config, options)
    except ConfigError as error:
        print(f"waypost: {error}", file=sys.stderr)
        return os.EX_CONFIG
    except ControlError as error:
        print(f"waypost: {error}", file=sys.stderr)
        return os.EX_UNAVAILABLE
    except (DeliveryError, TableError) as error:
        print(f"waypost: {error}", file=sys.stderr)
        return os.EX_SOFTWARE
    return status


def run() -> int:
    """main() for a shell: who reads may have enough early (`| head -1`) or not be there (`>&-`)."""
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115 - until the end
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    status = 0
    with contextlib.suppress(BrokenPipeError):
        status = main()
    try:
        sys.stdout.flush()
    except OSError as error:
        # what is left would be written at the very end, for the same error; signal(7) SIGPIPE
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            print(f"waypost: output write error: {error.strerror}", file=sys.stderr)
            return status or os.EX_IOERR
    return status


def _help(name: str) -> int:
    """A short manual page: the docstring of the command's module."""
    command, text = AS_POSTFIX[name]
    page = sys.modules[command.__module__].__doc__ if command.__module__ != __name__ else text
    print(f"usage: python -m delivery {name} ...\n\n{page}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m delivery", description="Waypost's mail engine")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("serve", _serve, "run the engine in the foreground"),
        ("status", _status, "what the running engine is doing, as JSON"),
        ("reload", _reload, "put the current generation in force now"),
    ):
        commands.add_parser(name, help=text, description=text).set_defaults(run=run)
    for name, (_, text) in AS_POSTFIX.items():
        commands.add_parser(name, help=text)
    text = "try deferred messages now"
    flush = commands.add_parser("flush", help=text, description=text)
    flush.add_argument("--site", default="", help="only messages for this domain")
    flush.add_argument("ids", nargs="*", metavar="QUEUE-ID", help="only these messages")
    flush.set_defaults(run=_flush)
    return parser


def _serve(config: Config, options: argparse.Namespace) -> int:
    from delivery.runtime import machine, smtpd, wiring
    from delivery.runtime.reception import Receptions
    from delivery.runtime.rootless import give_up_root

    courier = give_up_root(config)

    def speak_to_clients(channel: socket.socket) -> None:
        if courier is not None:
            courier.disown()
        uvloop.run(smtpd.serve(config, channel))

    receptions = Receptions.split(machine.smtpd_processes(), speak_to_clients)
    uvloop.run(wiring.serve(config, receptions, courier))
    return 0


def _status(config: Config, options: argparse.Namespace) -> int:
    print(json.dumps(_ask(config, {"command": "status"}), indent=2))
    return 0


def _reload(config: Config, options: argparse.Namespace) -> int:
    answer = _ask(config, {"command": "reload"})
    if answer["generation_error"]:
        raise DeliveryError(answer["generation_error"])
    print(f"generation {answer['generation']} is in force")
    return 0


def _flush(config: Config, options: argparse.Namespace) -> int:
    request: dict[str, Any] = {"command": "flush", "site": options.site}
    if options.ids:
        request["ids"] = options.ids
    count = _ask(config, request)["scheduled"]
    print(f"{count} message{'s' if count != 1 else ''} will be tried now")
    return 0


def _ask(config: Config, request: dict[str, Any]) -> dict[str, Any]:
    answer = ask(config.control_socket, request)
    if not answer.get("ok"):
        raise DeliveryError(str(answer.get("error", "the engine gave no answer")))
    return answer


if __name__ == "__main__":
    try:
        sys.exit(run())
    except KeyboardInterrupt:
        if sys.argv[1:2] == ["serve"]:
            log.event("engine", state="interrupted")
        sys.exit(130)
