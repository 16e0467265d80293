"""How long another server is waited for."""

from __future__ import annotations

import asyncio

import pytest

from delivery.agents.connection import Connection, TimedOut
from delivery.agents.hosts import Host
from delivery.agents.patience import Patience, Timeouts
from delivery.errors import PeerError
from delivery.smtp.client import ClientProtocol
from delivery.smtp.exchange import Stage, Transaction
from delivery.smtp.settings import ClientSettings
from tables.addresses import NULL
from tests.delivery.spool.messages import asynchronous, recipient

MAIL, BODY = Stage.MAIL.value[1], Stage.BDAT.value[1]
STRICT = Timeouts(smtp_per_request_deadline=True, smtp_min_data_rate=100)


def test_every_sign_of_life_counts() -> None:
    patience = Patience(Timeouts())
    assert [patience.left(MAIL, 3, now) for now in (0.0, 299.0, 9000.0)] == [300.0] * 3
    assert patience.left(BODY, 6, 9000.0) == 180.0


def test_a_deadline_is_for_a_whole_reply() -> None:
    patience = Patience(STRICT)
    assert patience.left(MAIL, 3, 0.0) == 300.0
    assert patience.left(MAIL, 3, 299.0) == 1.0, "bytes came, but no reply"
    assert patience.left(MAIL, 3, 301.0) == 0.0
    assert patience.left(MAIL, 4, 301.0) == 300.0, "for the next one"


def test_octets_of_a_message_earn_time_up_to_a_limit() -> None:
    patience = Patience(STRICT)
    assert patience.left(BODY, 6, 0.0) == 180.0
    assert patience.left(BODY, 6, 170.0) == 10.0
    patience.took(2_000, 170.0)
    assert patience.left(BODY, 6, 170.0) == 30.0
    patience.took(1_000_000, 175.0)
    assert patience.left(BODY, 6, 175.0) == 180.0


class DeafTransport(asyncio.Transport):
    """Takes everything; nobody ever answers."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Whatever they are."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Gone."""


def greeted(timeouts: Timeouts) -> Connection:
    """Connected, and nothing was said yet."""
    client = ClientProtocol(ClientSettings())
    connection = Connection(Host("peer", "192.0.2.1", 25), client, timeouts)
    connection.connection_made(DeafTransport())
    return connection


async def begun(timeouts: Timeouts) -> Connection:
    """The server has said hello, and was told of a message."""
    connection = greeted(timeouts)
    ready = asyncio.ensure_future(connection.next_event())
    await asyncio.sleep(0)
    connection.data_received(b"220 peer ESMTP\r\n")
    connection.data_received(b"250 peer\r\n")
    await ready
    connection.client.start(Transaction(sender=NULL, recipients=(recipient("a@x.example"),)))
    return connection


@asynchronous
async def test_a_short_limit_counts_behind_a_long_one() -> None:
    connection = await begun(Timeouts(smtp_helo_timeout=300.0, smtp_mail_timeout=0.02))
    with pytest.raises(TimedOut):
        await connection.next_event()


@asynchronous
async def test_a_long_limit_counts_behind_a_short_one() -> None:
    """The timer of the short one rings meanwhile; its time is not the long one's."""
    connection = await begun(Timeouts(smtp_helo_timeout=0.02, smtp_mail_timeout=300.0))
    waiting = asyncio.ensure_future(connection.next_event())
    await asyncio.wait((waiting,), timeout=0.1)
    assert not waiting.done()
    connection.connection_lost(None)
    with pytest.raises(PeerError, match="lost connection while sending MAIL FROM"):
        await waiting


class SlowTransport(asyncio.Transport):
    """Its peer has taken a little more of what was written, each time somebody looks."""

    def __init__(self, *left: int) -> None:
        super().__init__()
        self.left = list(left)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Whatever they are."""

    def get_write_buffer_size(self) -> int:
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


@pytest.mark.parametrize(
    "settings", [{}, {"smtp_per_request_deadline": True, "smtp_min_data_rate": 10_000_000}]
)
@asynchronous
async def test_a_server_that_takes_little_is_not_one_that_takes_nothing(settings: dict) -> None:
    timeouts = Timeouts(smtp_data_xfer_timeout=0.01, **settings)
    client = ClientProtocol(ClientSettings())
    client.receive_data(b"220 peer ESMTP\r\n")
    client.next_event()
    client.receive_data(b"250 peer\r\n")
    client.next_event()
    transport = SlowTransport(900, 800, 800, 800, 700, 700, 700, 600, 600, 600)
    connection = Connection(Host("peer", "192.0.2.1", 25), client, timeouts)
    connection.connection_made(transport)
    client.data_to_send()
    connection.pause_writing()
    with pytest.raises(TimedOut):
        await connection.flush()
    assert transport.left == [600], "it was waited for until nothing moved"
