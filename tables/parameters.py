"""parameters - all settings of main.cf: what they are, and their values in one generation.

SUMMARY      REGISTRY name -> Parameter; find(name); check(name, text) is what a form calls;
             Parameters(raw, overrides, defaults) reads; .bind(cls) fills a settings dataclass
RULES        look-up order: overrides (master.cf -o), raw (main.cf), defaults (this machine),
             the registry; then $references are expanded, templates excepted
             mydomain without a value is myhostname without its first label
             names outside the registry are the administrator's own: they can be read when set
ERRORS       ParameterError with the parameter's name; TypeError for a settings class that is wrong
SOURCE       postconf(5), main.cf(5), master.cf(5) -o; Postfix mail_conf(3), mail_params(3)
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from tables import expansion, parametertext, specs
from tables.errors import EntryError, ParameterError
from tables.itemtext import split_items
from tables.registry import (
    agents,
    classes,
    cleanup,
    elsewhere,
    general,
    idle,
    queue,
    security,
    smtp,
    smtpd,
    smtpd_policy,
)
from tables.registry.base import Parameter, ParameterType

__all__ = [
    "GROUPS",
    "OLD_NAMES",
    "REGISTRY",
    "Parameter",
    "ParameterType",
    "Parameters",
    "check",
    "find",
]

T = TypeVar("T")

_MODULES = (
    general,
    classes,
    smtpd,
    smtpd_policy,
    cleanup,
    queue,
    smtp,
    agents,
    security,
)
GROUPS: tuple[str, ...] = tuple(module.GROUP for module in _MODULES)
REGISTRY: dict[str, Parameter] = {
    parameter.name: dataclasses.replace(
        parameter, group=module.GROUP, idle=idle.why_idle(parameter.name)
    )
    for module in _MODULES
    for parameter in module.PARAMETERS
}
# names of the year 2000, and what they are called now
OLD_NAMES: dict[str, str] = {
    "restriction_classes": "smtpd_restriction_classes",
    "virtual_maps": "virtual_alias_maps",
    "fallback_relay": "smtp_fallback_relay",
    "maps_rbl_domains": "smtpd_client_restrictions",
    "smtpd_client_connection_limit_exceptions": "smtpd_client_event_limit_exceptions",
    "smtp_per_record_deadline": "smtp_per_request_deadline",
    "smtpd_per_record_deadline": "smtpd_per_request_deadline",
    "lmtp_per_record_deadline": "lmtp_per_request_deadline",
    "authorized_verp_clients": "smtpd_authorized_verp_clients",
    "import_env": "import_environment",
    "program_directory": "daemon_directory",
}
_CHARACTER_SETS = frozenset({"smtpd_expansion_filter"})  # "$" is one of its characters
# what a field of a settings class may be; tables and restrictions are read by their own parsers,
# so they may stay text
_TYPES: dict[ParameterType, tuple[object, ...]] = {
    ParameterType.BOOL: (bool,),
    ParameterType.INTEGER: (int,),
    ParameterType.SIZE: (int,),
    ParameterType.TIME: (float,),
    ParameterType.TEXT: (str,),
    ParameterType.CHOICE: (str,),
    ParameterType.LIST: (tuple[str, ...],),
    ParameterType.TABLES: (str, tuple[str, ...]),
    ParameterType.RESTRICTIONS: (str, tuple[str, ...]),
}


@lru_cache(maxsize=4096)
def find(name: str) -> Parameter | None:
    """What is known of a parameter; slow_destination_rate_delay is one of the transport slow."""
    if known := REGISTRY.get(name):
        return known
    for suffix, default in queue.PER_TRANSPORT.items():
        if name.endswith(suffix) and len(name) > len(suffix):
            return dataclasses.replace(REGISTRY[default], name=name, default=f"${default}")
    return None


def check(
    name: str,
    text: str,
    *,
    services: Collection[str] | None = None,
    own_names: Collection[str] = (),
    others: Mapping[str, str] | None = None,
) -> None:
    """Raise ParameterError when a parameter cannot have this value.

    `services` are the service names of master.cf: with them, a parameter of a transport that does
    not exist is refused. `own_names` are names that the administrator made up: restriction classes
    and values for others to refer to; they may hold anything that expands. `others` are the
    parameters that are set, for references to them.
    """
    parameter = find(name)
    if parameter is None and name not in own_names:
        raise ParameterError(_unknown(name), name=name)
    if parameter is not None and name not in REGISTRY and services is not None:
        _check_transport(name, services)
    try:
        if name not in _CHARACTER_SETS:
            expansion.names(text)
        if parameter is not None and not parameter.template:
            expanded = Parameters({**(others or {}), name: text}).text(name)
            parametertext.check_value(parameter, expanded, own_names)
    except EntryError as error:
        raise ParameterError(specs.discreet(name, error), name=name) from error


def _check_transport(name: str, services: Collection[str]) -> None:
    for suffix in queue.PER_TRANSPORT:
        if name.endswith(suffix) and name.removesuffix(suffix) in services:
            return
    raise ParameterError(
        f"{_unknown(name)} Parameters of a transport begin with the name of its service.", name=name
    )


def _unknown(name: str) -> str:
    if name in OLD_NAMES:
        return f"{name} is an old name; use {OLD_NAMES[name]}."
    if reason := elsewhere.why_not(name):
        return f"Waypost has no parameter {name}. {reason}"
    near = difflib.get_close_matches(name, REGISTRY, n=1)
    return f"There is no parameter {name}." + (f" Did you mean {near[0]}?" if near else "")


class Parameters:
    """The settings of one generation as one service sees them. Values are read once and kept.

    `raw` is main.cf, `overrides` the -o options of a service in master.cf, `defaults` what the
    engine knows of this machine (myhostname, mynetworks, virtual_mailbox_base ...); it counts
    where nothing was set. The mappings must not change afterwards.
    """

    __slots__ = ("_bound", "_defaults", "_overrides", "_raw", "_texts")

    def __init__(
        self,
        raw: Mapping[str, str],
        overrides: Mapping[str, str] | None = None,
        defaults: Mapping[str, str] | None = None,
    ) -> None:
        self._raw = raw
        self._overrides: Mapping[str, str] = overrides or {}
        self._defaults: Mapping[str, str] = defaults or {}
        self._texts: dict[str, str] = {}
        self._bound: dict[type, Any] = {}

    def with_overrides(self, overrides: Mapping[str, str]) -> Parameters:
        """The same settings with a service's own."""
        return Parameters(self._raw, {**self._overrides, **overrides}, self._defaults)

    def with_defaults(self, defaults: Mapping[str, str]) -> Parameters:
        """The same settings on a machine that is known."""
        return Parameters(self._raw, self._overrides, {**self._defaults, **defaults})

    def is_set(self, name: str) -> bool:
        """True when somebody gave it a value, be it empty."""
        return name in self._overrides or name in self._raw

    def source(self, name: str) -> str | None:
        """The value as written, references and all; None for an unknown name."""
        for mapping in (self._overrides, self._raw, self._defaults):
            if (text := mapping.get(name)) is not None:
                return text
        if name == "mydomain":
            return self._domain_of_host()
        parameter = find(name)
        return None if parameter is None else parameter.default

    def text(self, name: str) -> str:
        """The value, expanded; a template as it is."""
        if (cached := self._texts.get(name)) is not None:
            return cached
        source = self.source(name)
        if source is None:
            raise ParameterError(_unknown(name), name=name)
        parameter = find(name)
        if parameter is None or not parameter.template:
            try:
                source = expansion.expand(source, self.source)
            except EntryError as error:
                said = f"{name}: {specs.discreet(name, error)}"
                raise ParameterError(said, name=name) from error
        self._texts[name] = source
        return source

    def boolean(self, name: str) -> bool:
        """Value of a yes or no parameter."""
        return bool(self.value(name))

    def integer(self, name: str) -> int:
        """Value of a number."""
        return int(self.value(name))

    def size(self, name: str) -> int:
        """Value of a number of bytes."""
        return int(self.value(name))

    def seconds(self, name: str) -> float:
        """Value of a time."""
        return float(self.value(name))

    def items(self, name: str) -> tuple[str, ...]:
        """Items of a list, table list or restriction list; {braces} hold an item together."""
        return split_items(self.text(name))

    def value(self, name: str) -> Any:
        """The value in its own type: bool, int, float (seconds), str or tuple[str, ...]."""
        text = self.text(name)
        parameter = find(name)
        if parameter is None:
            return text
        try:
            if parameter.type not in (ParameterType.TABLES, ParameterType.RESTRICTIONS):
                parametertext.check_value(parameter, text)
            match parameter.type:
                case ParameterType.BOOL:
                    return parametertext.read_boolean(text)
                case ParameterType.INTEGER | ParameterType.SIZE:
                    return parametertext.read_integer(text)
                case ParameterType.TIME:
                    return parametertext.read_seconds(text, parameter.unit)
                case ParameterType.LIST | ParameterType.TABLES | ParameterType.RESTRICTIONS:
                    return split_items(text)
                case ParameterType.CHOICE:
                    return text.strip()
                case ParameterType.TEXT:
                    return text
        except EntryError as error:
            raise ParameterError(f"{name}: {specs.discreet(name, error)}", name=name) from error

    def bind(self, cls: type[T]) -> T:
        """A settings dataclass filled by field name; made once for each class.

        A field is named like its parameter, or has metadata {"parameter": "2bounce_..."}; its type
        must be the registry's, else TypeError. Raises ParameterError for a value that is wrong.
        """
        if cls not in self._bound:
            fields: dict[str, Any] = {}
            for field, name, is_text in _fields(typing.cast(Any, cls)):
                fields[field] = self.text(name) if is_text else self.value(name)
            self._bound[cls] = cls(**fields)
        bound: T = self._bound[cls]
        return bound

    def _domain_of_host(self) -> str:
        """postconf(5) mydomain: myhostname without its first label, localdomain without a dot."""

        def lookup(name: str) -> str | None:
            return "localdomain" if name == "mydomain" else self.source(name)

        host = expansion.expand(self.source("myhostname") or "", lookup)
        return host.partition(".")[2] or "localdomain"


@lru_cache(maxsize=256)
def _fields(cls: type) -> tuple[tuple[str, str, bool], ...]:
    """(field, parameter, as plain text?) of a settings class; TypeError where one does not fit."""
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"{cls.__name__} is not a dataclass")
    hints = typing.get_type_hints(cls)
    found: list[tuple[str, str, bool]] = []
    for field in dataclasses.fields(cls):
        name = field.metadata.get("parameter", field.name)
        parameter = find(name)
        if parameter is None:
            raise TypeError(f"{cls.__name__}.{field.name}: there is no parameter {name}")
        hint = hints[field.name]
        if hint not in _TYPES[parameter.type]:
            wanted = " or ".join(str(each) for each in _TYPES[parameter.type])
            raise TypeError(
                f"{cls.__name__}.{field.name} must be {wanted}, not {hint}: "
                f"{name} is a {parameter.type.value}"
            )
        found.append((field.name, name, hint is str))
    return tuple(found)
