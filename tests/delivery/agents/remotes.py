"""remotes - SMTP agents made by hand, from settings by their names in postconf(5); their mail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from delivery.agents.base import Agent, Delivery, Result
from delivery.agents.credentials import Credentials, LoginSettings
from delivery.agents.hosts import Resolver
from delivery.agents.idle import IdleConnections
from delivery.agents.patience import Timeouts
from delivery.agents.remote import Remote, RemoteAgent, RemoteSettings
from delivery.agents.session import Habits
from delivery.agents.tls import TlsContexts
from delivery.agents.tlspolicy import TlsPolicies, TlsSettings
from delivery.smtp.settings import ClientSettings
from delivery.values import Content, Envelope, Recipient, Route
from tables.addresses import Address
from tables.formats.memory import MemoryMap
from tables.reading.lookup import Maps
from tables.reading.matchlist import MatchList
from tests.delivery.agents.peer import Dns, Mx, Peer
from tests.delivery.spool.messages import recipient

T = TypeVar("T")
LOCAL = "127.0.0.1"
TEXT = b"Subject: hello\r\n\r\n.dot\r\nbody\r\n"
QUICK = Timeouts(
    **dict.fromkeys(
        (
            "smtp_connect_timeout",
            "smtp_helo_timeout",
            "smtp_mail_timeout",
            "smtp_rcpt_timeout",
            "smtp_data_init_timeout",
            "smtp_data_xfer_timeout",
            "smtp_data_done_timeout",
        ),
        1.0,  # a server of ours that is at work answers sooner, also on a busy machine
    )
)
NAME = "mx.far.example[127.0.0.1]"
HOST = f"host {NAME}"


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


def make(
    peer: Peer,
    dns: Dns | None = None,
    *,
    idle: IdleConnections | None = None,
    timeouts: Timeouts | None = None,
    own: tuple[str, ...] = (),
    lmtp: bool = False,
    fragmented: tuple[str, ...] = (),
    **settings: object,
) -> RemoteAgent:
    return remote_agent(
        {"smtp_connection_cache_time_limit": 0.0, **settings},
        dns or Dns({"far.example": [Mx(10, "mx.far.example")]}, {"mx.far.example": [LOCAL]}),
        timeouts=timeouts or Timeouts(),
        idle=idle,
        own_addresses=own,
        default_port=peer.port,
        lmtp=lmtp,
        fragmented=fragmented,
    )


def letter(
    *recipients: Recipient,
    nexthop: str = "far.example",
    content: Content | None = None,
    **envelope: object,
) -> Delivery:
    people = recipients or (recipient("joe@far.example"),)
    values = {"sender": Address("ann", "sender.example"), "recipients": people, **envelope}
    return Delivery(
        queue_id="4c9BsN2rG8z1",
        envelope=Envelope(**values),  # type: ignore[arg-type]
        route=Route("smtp", nexthop),
        recipients=people,
        content=content or Content(size=len(TEXT), data=TEXT, headers=b"Received: here\r\n"),
        arrived=0.0,
        is_busy=True,
    )


def summary(result: Result) -> list[tuple[str, str, str]]:
    return [(item.status.value, item.dsn, item.reason) for item in result.outcomes]


def said(reply: str, command: str) -> str:
    return f"{HOST} said: {reply} (in reply to {command} command)"
