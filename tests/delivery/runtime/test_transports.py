"""From the name of a transport to its agent."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

from delivery.agents.courier import Courier
from delivery.agents.discard import DiscardAgent
from delivery.agents.error import ErrorAgent
from delivery.agents.filtered import FilteredAgent
from delivery.agents.hosts import Host
from delivery.agents.local import LocalAgent
from delivery.agents.mailbox import MailboxAgent
from delivery.agents.pipe import PipeAgent
from delivery.agents.remote import RemoteAgent
from delivery.config import Config, Endpoint
from delivery.runtime.resolver import Resolver
from delivery.runtime.rules import Rules
from delivery.runtime.transports import Transports
from tables.keys import Key
from tables.reading.snapshot import Snapshot
from tests.delivery.runtime.asynchronous import asynchronous
from tests.delivery.runtime.rig import rules
from tests.wire.engine import Home

AGENTS = {
    "smtp": RemoteAgent,
    "relay": RemoteAgent,
    "lmtp": RemoteAgent,
    "local": LocalAgent,
    "virtual": MailboxAgent,
    "error": ErrorAgent,
    "retry": ErrorAgent,
    "discard": DiscardAgent,
}


def transports(path: Path) -> Transports:
    config = Config(home=path, smtp_client_port=2626)
    return Transports(config, Resolver(Endpoint("127.0.0.1", 9)))


@asynchronous
async def test_it_works(tmp_path: Path) -> None:
    made, given = transports(tmp_path), rules(tmp_path)
    for name, kind in AGENTS.items():
        agent = made.agent(given, name)
        assert type(agent) is kind, name
        assert made.agent(given, name) is agent
    assert made.agent(given, "nothing") is None
    await made.close()


@asynchronous
async def test_a_mailbox_that_takes_less_than_the_server_takes_nothing(tmp_path: Path) -> None:
    made = transports(tmp_path)
    given = rules(tmp_path, values={"mailbox_size_limit": "1000"})
    agent = made.agent(given, "local")
    assert isinstance(agent, ErrorAgent)
    assert agent.explain(agent.reason) == ("4.3.0", "unknown mail transport error")
    assert type(made.agent(given, "virtual")) is MailboxAgent
    await made.close()


@asynchronous
async def test_services_decide(tmp_path: Path) -> None:
    given = rules(
        tmp_path,
        services=[
            "slow unix - - n - 2 smtp -o smtp_connect_timeout=5s",
            "filter unix - n n - 10 pipe flags=R user=nobody argv=/bin/cat",
            "virtual unix - n n - - virtual",
        ],
    )
    made = transports(tmp_path)
    slow = made.agent(given, "slow")
    assert isinstance(slow, RemoteAgent)
    assert slow.remote.timeouts.smtp_connect_timeout == 5.0
    assert type(made.agent(given, "filter")) is PipeAgent
    assert made.agent(given, "smtp") is None  # master.cf has none
    await made.close()


@asynchronous
async def test_lmtp_has_parameters_of_its_own(tmp_path: Path) -> None:
    values = {
        "lmtp_data_done_timeout": "9s",
        "smtp_data_done_timeout": "99s",
        "lmtp_lhlo_name": "l",
    }
    made, given = transports(tmp_path), rules(tmp_path, values=values)
    lmtp, smtp = made.agent(given, "lmtp"), made.agent(given, "smtp")
    assert isinstance(lmtp, RemoteAgent)
    assert isinstance(smtp, RemoteAgent)
    assert (lmtp.remote.lmtp, smtp.remote.lmtp) == (True, False)
    assert (lmtp.remote.default_port, smtp.remote.default_port) == (24, 2626)
    assert lmtp.remote.timeouts.smtp_data_done_timeout == 9.0
    assert smtp.remote.timeouts.smtp_data_done_timeout == 99.0
    assert lmtp.remote.protocol.smtp_helo_name == "l"
    assert smtp.remote.protocol.smtp_helo_name == "mx.test.example"
    assert lmtp.remote.timeouts.smtp_connect_timeout > 0
    await made.close()


@asynchronous
async def test_two_generations_have_agents_of_their_own(tmp_path: Path) -> None:
    made = transports(tmp_path)
    first, second = rules(tmp_path / "a"), rules(tmp_path / "b")
    of_first = made.agent(first, "virtual")
    assert made.agent(second, "virtual") is not of_first
    assert made.agent(first, "virtual") is of_first
    await made.close()


@asynchronous
async def test_agents_do_not_keep_old_rules(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.publish()
    made = transports(tmp_path)
    gc.disable()
    try:
        given = Rules(Snapshot.open(home.store.root), Config(home=tmp_path))
        for name in AGENTS:
            made.agent(given, name)
        watched = weakref.ref(given)
        del given
        assert watched() is None
    finally:
        gc.enable()
    await made.close()


@asynchronous
async def test_mailboxes_belong_to_whom_the_tables_say(tmp_path: Path) -> None:
    values = {"virtual_uid_maps": "static:5001"}
    made, given = transports(tmp_path), rules(tmp_path, values=values)
    mailboxes, local = made.agent(given, "virtual"), made.agent(given, "local")
    assert isinstance(mailboxes, MailboxAgent)
    assert isinstance(local, LocalAgent)
    found = mailboxes._uids.find((Key("joe@far.example"),)) if mailboxes._uids else None
    assert found is not None
    assert found.value == "5001"
    helper = mailboxes._helper
    assert isinstance(helper, Courier)
    assert helper is local._helper
    await made.close()


@asynchronous
async def test_a_service_that_cannot_be_says_why(tmp_path: Path) -> None:
    made = transports(tmp_path)
    given = rules(tmp_path, values={"virtual_mailbox_base": "relative"})
    with pytest.raises(ValueError, match="absolute"):
        made.agent(given, "virtual")
    await made.close()


@asynchronous
async def test_ports_and_keywords_of_servers(tmp_path: Path) -> None:
    values = {
        "smtp_tcp_port": "submission",
        "lmtp_tcp_port": "2424",
        "smtp_discard_ehlo_keyword_address_maps": "inline:{192.0.2.1=dsn}",
        "lmtp_discard_lhlo_keyword_address_maps": "inline:{{192.0.2.1=dsn, size}}",
    }
    made, given = transports(tmp_path), rules(tmp_path, values=values)
    smtp, lmtp = made.agent(given, "smtp"), made.agent(given, "lmtp")
    assert isinstance(smtp, RemoteAgent)
    assert isinstance(lmtp, RemoteAgent)
    assert (smtp.remote.default_port, lmtp.remote.default_port) == (587, 2424)
    near, far = Host("near.example", "192.0.2.1", 25), Host("far.example", "192.0.2.2", 25)
    assert smtp.protocol(near).smtp_discard_ehlo_keywords == ("dsn",)
    assert lmtp.protocol(near).smtp_discard_ehlo_keywords == ("dsn", "size")
    assert smtp.protocol(far) is smtp.remote.protocol
    await made.close()


@asynchronous
async def test_a_port_that_is_none_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = transports(tmp_path)
    smtp = made.agent(rules(tmp_path, values={"smtp_tcp_port": "no-such-service"}), "smtp")
    assert isinstance(smtp, RemoteAgent)
    assert smtp.remote.default_port == 2626
    assert "smtp_tcp_port: unknown service" in "".join(capfd.readouterr())
    await made.close()


@asynchronous
async def test_outcomes_are_put_into_other_words_where_a_table_says_so(tmp_path: Path) -> None:
    values = {
        "default_delivery_status_filter": "inline:{{2.0.0 discarded=2.1.0 gone}}",
        "smtp_delivery_status_filter": "",
    }
    made, given = transports(tmp_path), rules(tmp_path, values=values)
    assert type(made.agent(given, "smtp")) is RemoteAgent
    assert type(made.agent(given, "discard")) is DiscardAgent
    for name in ("local", "virtual", "lmtp"):
        agent = made.agent(given, name)
        assert isinstance(agent, FilteredAgent)
        assert type(agent.agent) is AGENTS[name]
    await made.close()
