"""registry - restriction name -> function, and how its argument is made ready.

SUMMARY      @restriction(name, argument kind) registers; implemented() says which names there are
ARGUMENTS    as tables.restrictions says: a table comes as opened Maps, a DNS list parsed, a
             service as PolicyService, a number as seconds, none as None
RULES        a function gets (case, argument) and gives a Verdict, or a Follow to be walked
             one that waits for DNS or another service is `async def`, every other one a plain
             function, so that a decision without them never suspends
SOURCE       SMTPD_ACCESS_README, postconf(5) smtpd_recipient_restrictions
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from delivery.policy.case import Case, Subject
from delivery.policy.verdict import Verdict
from tables.frozen import dataclass
from tables.restrictions import Argument


@dataclass(frozen=True, slots=True)
class Follow:
    """An access table answered with restriction names: walk them, then judge their permit.

    `on_permit`: "permit", "dunno" (source-routed recipient) or "error" (an unsafe OK).
    """

    text: str
    subject: Subject
    on_permit: str = "permit"
    warning: str = ""  # for the log when on_permit is "error"


Answer = Verdict | Follow
Function = Callable[[Case, Any], Answer | Awaitable[Answer]]
F = TypeVar("F", bound=Function)


@dataclass(frozen=True, slots=True)
class Registered:
    """One restriction: its function and the kind of its argument."""

    name: str
    argument: Argument
    function: Function


_REGISTRY: dict[str, Registered] = {}


def restriction(name: str, argument: Argument = Argument.NONE) -> Callable[[F], F]:
    """Register a function under the name that administrators write."""

    def register(function: F) -> F:
        if name in _REGISTRY:
            raise ValueError(f"{name} is registered twice")
        _REGISTRY[name] = Registered(name, argument, function)
        return function

    return register


def find(name: str) -> Registered | None:
    """The restriction of that name; case does not count, as in Postfix."""
    return _REGISTRY.get(name.lower())


def implemented() -> dict[str, Argument]:
    """Every name with its kind of argument."""
    return {name: entry.argument for name, entry in sorted(_REGISTRY.items())}
