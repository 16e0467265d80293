"""remotes - SMTP agents made by hand, from settings by their names in postconf(5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from delivery.agents.base import Agent
from delivery.agents.credentials import Credentials, LoginSettings
from delivery.agents.hosts import Resolver
from delivery.agents.idle import IdleConnections
from delivery.agents.patience import Timeouts
from delivery.agents.remote import Remote, RemoteAgent, RemoteSettings
from delivery.agents.session import Habits
from delivery.agents.tls import TlsContexts
from delivery.agents.tlspolicy import TlsPolicies, TlsSettings
from delivery.smtp.settings import ClientSettings
from tables.formats.memory import MemoryMap
from tables.reading.lookup import Maps
from tables.reading.matchlist import MatchList

T = TypeVar("T")


def maps(entries: Mapping[str, str] | None = None) -> Maps:
    """A table, or none at all."""
    return Maps([("memory:test", MemoryMap(dict(entries)))] if entries else [])


def names(*items: str) -> MatchList:
    return MatchList("test", items, lambda spec: maps(), hosts=False)


def remote_agent(
    settings: Mapping[str, object],
    resolver: Resolver,
    *,
    timeouts: Timeouts | None = None,
    idle: IdleConnections | None = None,
    policies: Mapping[str, str] | None = None,
    passwords: Mapping[str, str] | None = None,
    mechanisms: tuple[str, ...] = (),
    fragmented: tuple[str, ...] = (),
    agent: Callable[[str], Agent | None] = lambda transport: None,
    clock: Callable[[], float] = lambda: 0.0,
    **named: Any,
) -> RemoteAgent:
    """`settings`: whatever the settings classes of the SMTP client have a field for."""
    given = {"smtp_helo_name": "mx.example.net", **settings}
    tls, login = _bound(TlsSettings, given), _bound(LoginSettings, given)
    own = _bound(RemoteSettings, given)
    remote = Remote(
        settings=own,
        protocol=_bound(ClientSettings, given),
        timeouts=timeouts or Timeouts(),
        habits=Habits(
            tls=tls,
            contexts=TlsContexts(tls),
            login=login,
            mechanisms=names(*mechanisms),
            skips_5xx_greeting=own.smtp_skip_5xx_greeting,
            tells_origin=own.smtp_send_xforward_command,
            assumes_final=own.lmtp_assume_final,
        ),
        policies=TlsPolicies(tls, maps(policies)),
        credentials=Credentials(login, maps(passwords)),
        cached=names(*own.smtp_connection_cache_destinations),
        fragmented=names(*fragmented),
        **named,
    )
    kept = IdleConnections() if idle is None else idle
    return RemoteAgent(remote, resolver, kept, agent=agent, clock=clock)


def _bound(cls: type[T], given: Mapping[str, object]) -> T:
    known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    return cls(**{name: value for name, value in given.items() if name in known})
