"""wire - what is said between the engine and the courier: one order, one answer, both JSON.

SUMMARY      encode(order) -> bytes; decode(bytes) -> Order; write_answer(), read_answer()
ORDER        one datagram of at most ORDER_LIMIT octets, with open files: the socket for the answer,
             then the pieces of the message in the order in which they are to be read
ANSWER       bytes until the end of the stream, at most ANSWER_LIMIT; an answer that ends early is
             none
RULES        exactly the fields of the order, each of its type; no NUL in any text, absolute paths
             `user` and `group` are names, or "#5000"; the group '' is the user's own
             bytes that are no UTF-8 travel as surrogate escapes
ERRORS       BadOrder
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

ORDER_LIMIT = 128 * 1024
ANSWER_LIMIT = 64 * 1024 * 1024


class BadOrder(Exception):
    """Something that is no order, or that the courier does not do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """Add the message to a file. `prefix` goes first; `limit`: largest size of the file, 0: none.

    `is_mailbox`: it must be a regular file that belongs to the user (`owned`), and when its
    directory does not let the user create files, the right to do so is borrowed from the
    directory's group or from root. Without it any file will do that is not executable.
    """

    user: str
    group: str
    path: str
    prefix: str
    limit: int
    locks: tuple[str, ...]
    attempts: int
    delay_s: float
    stale_s: float
    is_mailbox: bool
    owned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Put the message into the Maildir `path`, which is made when it is missing."""

    user: str
    group: str
    path: str
    prefix: str
    limit: int
    hostname: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Give the message to a command.

    Either `command`, a line for `shell` (or, when that is empty, for /bin/sh when the line is not
    plain), or `argv`. `exported`: NAME=value, or NAME to be taken from the courier's own
    environment; `variables`: NAME=value.
    """

    user: str
    group: str
    command: str
    shell: str
    argv: tuple[str, ...]
    exported: tuple[str, ...]
    variables: tuple[str, ...]
    directory: str
    chroot: str
    seconds: float
    limit: int
    prefix: str
    eol: str
    quotes_from: bool
    stuffs_dots: bool
    ends_blank: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadForward:
    """Read the first of these files that exists: a .forward of the user."""

    user: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadInclude:
    """Read a list of addresses. With an empty `user` nobody's rights are chosen yet.

    Then the file is read with the rights of its owner; what root owns, with those of `fallback`.
    """

    user: str
    path: str
    fallback: str


Order = Append | Store | Run | ReadForward | ReadInclude
_KINDS: dict[str, type[Order]] = {
    kind.__name__: kind for kind in (Append, Store, Run, ReadForward, ReadInclude)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of an order. `dsn` is 2.0.0 when all went well.

    Run: `exit_status` or `signal` of the command or `timed_out`, and its `output`, shortened.
    Read...: `text` of the file, `found` which of the paths (-1: none), `owner` whose file it is
    ('': root's).
    """

    dsn: str
    reason: str = ""
    where: str = ""
    exit_status: int = -1
    signal: int = 0
    timed_out: bool = False
    output: str = ""
    text: str = ""
    found: int = -1
    owner: str = ""

    @property
    def is_done(self) -> bool:
        """True when all went well."""
        return self.dsn == "2.0.0"


def encode(order: Order) -> bytes:
    """The datagram of an order. Raises BadOrder when it is too long."""
    values = {field.name: getattr(order, field.name) for field in dataclasses.fields(order)}
    data = json.dumps({"do": type(order).__name__, **values}).encode("ascii")
    if len(data) > ORDER_LIMIT:
        raise BadOrder("the order is too long")
    return data


def decode(data: bytes) -> Order:
    """The order in a datagram. Raises BadOrder."""
    try:
        values = json.loads(data)
    except ValueError as error:
        raise BadOrder("not JSON") from error
    if not isinstance(values, dict):
        raise BadOrder("not an object")
    kind = _KINDS.get(str(values.pop("do", "")))
    if kind is None:
        raise BadOrder("unknown order")
    order = kind(**_fields(kind, values))
    paths = order.paths if isinstance(order, ReadForward) else (_path(order),)
    if any(path and not path.startswith("/") for path in paths):
        raise BadOrder("a path is not absolute")
    return order


def _path(order: Order) -> str:
    return order.chroot if isinstance(order, Run) else getattr(order, "path", "")


def write_answer(answer: Answer) -> bytes:
    """The bytes of an answer."""
    return json.dumps(dataclasses.asdict(answer)).encode("ascii")


def read_answer(data: bytes) -> Answer:
    """The answer in these bytes. Raises BadOrder when it is none: it ended early."""
    try:
        values = json.loads(data)
    except ValueError as error:
        raise BadOrder("no answer") from error
    if not isinstance(values, dict):
        raise BadOrder("no answer")
    return Answer(**_fields(Answer, values))


def _fields(kind: type[Order] | type[Answer], values: dict[str, Any]) -> dict[str, Any]:
    """The values as the fields of `kind`, each checked. Raises BadOrder."""
    fields = {field.name: str(field.type) for field in dataclasses.fields(kind)}
    if fields.keys() != values.keys():
        raise BadOrder(f"{kind.__name__}: other fields")
    return {name: _checked(values[name], wanted, name) for name, wanted in fields.items()}


def _checked(value: Any, wanted: str, name: str) -> Any:
    match wanted:
        case "str" if isinstance(value, str):
            if name not in ("prefix", "text", "output", "eol") and "\0" in value:
                raise BadOrder(f"{name}: NUL")
            return value
        case "bool" if isinstance(value, bool):
            return value
        case "int" if isinstance(value, int) and not isinstance(value, bool):
            return value
        case "float" if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        case "tuple[str, ...]" if isinstance(value, list):
            return tuple(_checked(item, "str", name) for item in value)
        case _:
            raise BadOrder(f"{name}: not {wanted}")
