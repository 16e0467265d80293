"""services - the lines of master.cf: which services run, with which settings of their own.

SUMMARY      parse_service(line) -> Service; print_service(service) -> text of one entry; the whole
             file: masterfile.py
             STANDARD: what runs where nobody says otherwise
RULES        name type private unprivileged chroot wakeup maxproc command + args
             "-" is the default: private y, unprivileged y, chroot n, wakeup never, maxproc
             $default_process_limit; -o name=value and -o { name = value } become `overrides`
ERRORS       EntryError
NOT DONE     starting processes: delivery.runtime
SOURCE       master(5), Postfix 3.7
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tables.errors import EntryError

TYPES = ("inet", "unix", "fifo", "pass", "unix-dgram")
DEFAULT_MAXPROC = -1  # $default_process_limit; 0 means no limit

_FLAGS = {"y": True, "n": False}
_WAKEUP = re.compile(r"[0-9]+\??")
_NAME = re.compile(r"[^\s{}]+")
_PARAMETER = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service. `command` is the daemon with its arguments, without -o.

    `wakeup` is "never" or seconds, with "?" when only a running service is woken. `maxproc` is
    DEFAULT_MAXPROC, 0 for no limit, or a number.
    """

    name: str
    type: str
    command: str
    private: bool = True
    unprivileged: bool = True
    chroot: bool = False
    wakeup: str = "never"
    maxproc: int = DEFAULT_MAXPROC
    overrides: Mapping[str, str] = field(default_factory=dict)

    @property
    def daemon(self) -> str:
        """The program: smtpd, smtp, pipe ..."""
        return self.command.split(maxsplit=1)[0]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The words after the program; {braces} hold a word together and are taken off."""
        return tuple(_unbraced(word) for word in _words(self.command)[1:])


# master.cf as Postfix ships it, as far as it is about taking and delivering mail
STANDARD: tuple[Service, ...] = (
    Service(name="smtp", type="inet", command="smtpd", private=False),
    Service(name="smtp", type="unix", command="smtp"),
    Service(name="relay", type="unix", command="smtp"),
    Service(name="lmtp", type="unix", command="lmtp"),
    Service(name="local", type="unix", command="local"),
    Service(name="virtual", type="unix", command="virtual"),
    Service(name="error", type="unix", command="error"),
    Service(name="retry", type="unix", command="error"),
    Service(name="discard", type="unix", command="discard"),
)


def parse_service(line: str) -> Service:
    """One entry of master.cf; continuation lines already joined. Raises EntryError. master(5)."""
    return _parse(_words(line))


def print_service(service: Service) -> str:
    """The entry as it stands in master.cf, a line for each override."""
    check_service(service)
    fields = (
        service.name,
        service.type,
        "y" if service.private else "n",
        "y" if service.unprivileged else "n",
        "y" if service.chroot else "n",
        "-" if service.wakeup == "never" else service.wakeup,  # "never" is for people
        "-" if service.maxproc == DEFAULT_MAXPROC else str(service.maxproc),
        service.daemon,
    )
    lines = [" ".join(fields)]
    for name, value in service.overrides.items():
        plain = value and not re.search(r"[\s{}]", value)
        lines.append(f"  -o {name}={value}" if plain else f"  -o {{ {name} = {value} }}")
    arguments = _words(service.command)[1:]
    if arguments:
        lines.append("  " + " ".join(arguments))
    return "\n".join(lines) + "\n"


def check_service(service: Service) -> None:
    """Raise EntryError when a service could not stand in master.cf; what a form calls."""
    if not _NAME.fullmatch(service.name):
        raise EntryError("A service has a name without blanks and braces.")
    if service.type not in TYPES:
        raise EntryError(f"A service has one of the types {', '.join(TYPES)}, not {service.type}.")
    if service.type == "inet":
        check_endpoint(service.name)
    if service.wakeup != "never" and not _WAKEUP.fullmatch(service.wakeup):
        raise EntryError(f'The wake-up time is "never" or seconds, not {service.wakeup!r}.')
    if service.maxproc < DEFAULT_MAXPROC:
        raise EntryError("The process limit is a number, or 0 for none.")
    if not service.command.strip() or "\n" in service.command:
        raise EntryError("The command is one line and begins with the name of a program.")
    _words(service.command)
    for name, value in service.overrides.items():
        if not _PARAMETER.fullmatch(name):
            raise EntryError(f"{name!r} cannot be the name of a parameter.")
        if "\n" in value:
            raise EntryError(f"The value of {name} is one line of text.")


_ENDPOINT = re.compile(r"(?:(?:\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]*):)?([A-Za-z0-9_-]+)")


def check_endpoint(name: str) -> None:
    """Raise EntryError when an inet service's name is not port, host:port or [v6]:port."""
    match = _ENDPOINT.fullmatch(name)
    if match is None:
        raise EntryError(f"An inet service is named port, host:port or [address]:port, not {name}.")
    if match[1].isdigit() and not 0 < int(match[1]) < 65536:
        raise EntryError(f"{match[1]} is not a port number.")


def _parse(words: list[str]) -> Service:
    if len(words) < 8:
        raise EntryError(
            "A service has eight fields: name, type, private, unprivileged, chroot, wakeup, "
            f"maxproc and command; here are {len(words)}."
        )
    overrides, arguments = _take_overrides(words[8:])
    service = Service(
        name=words[0],
        type=words[1],
        private=_flag(words[2], True, "private"),
        unprivileged=_flag(words[3], True, "unprivileged"),
        chroot=_flag(words[4], False, "chroot"),
        wakeup="never" if words[5] in ("-", "0", "never") else words[5],
        maxproc=_maxproc(words[6]),
        command=" ".join([words[7], *arguments]),
        overrides=overrides,
    )
    check_service(service)
    return service


def _take_overrides(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """(overrides, the other words); -o is an option only before the first other argument."""
    overrides: dict[str, str] = {}
    rest = list(reversed(words))
    kept: list[str] = []
    while rest and rest[-1].startswith("-"):
        word = rest.pop()
        if not word.startswith("-o"):
            kept.append(word)
            continue
        if not (setting := word[2:]):
            if not rest:
                raise EntryError("After -o a setting, name=value, must follow.")
            setting = rest.pop()
        name, equals, value = _unbraced(setting).partition("=")
        if not equals or not name.strip():
            raise EntryError(f"After -o a setting, name=value, must follow, not {setting!r}.")
        overrides[name.strip()] = value.strip()
    return overrides, kept + list(reversed(rest))


def _flag(word: str, default: bool, field_name: str) -> bool:
    if word == "-":
        return default
    if word not in _FLAGS:
        raise EntryError(f'The field {field_name} is "y", "n" or "-", not {word!r}.')
    return _FLAGS[word]


def _maxproc(word: str) -> int:
    if word == "-":
        return DEFAULT_MAXPROC
    if not (word.isascii() and word.isdigit() and len(word) < 10):
        raise EntryError(f'The field maxproc is a number or "-", not {word!r}.')
    return int(word)


def _words(text: str) -> list[str]:
    """Words between blanks; {braces} hold a word together and stay part of it."""
    words: list[str] = []
    start, level = -1, 0
    for place, character in enumerate(text):
        if level == 0 and character in " \t\r\n":
            if start >= 0:
                words.append(text[start:place])
            start = -1
            continue
        if start < 0:
            start = place
            if character != "{":
                continue
            level = 1
        elif level:
            level += (character == "{") - (character == "}")
    if level:
        raise EntryError(f'The closing "}}" is missing in {text[start:]!r}.')
    if start >= 0:
        words.append(text[start:])
    return words


def _unbraced(word: str) -> str:
    return word[1:-1].strip() if word.startswith("{") and word.endswith("}") else word
