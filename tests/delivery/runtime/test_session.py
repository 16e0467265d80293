"""One connection and its event loop, with a transport that the test turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from delivery.journal import Journal
from delivery.runtime.ask import Asker
from delivery.runtime.cleanup import Cleanup
from delivery.runtime.counters import Counters
from delivery.runtime.listener import Listeners
from delivery.runtime.notices import Notices
from delivery.runtime.session import READ_AHEAD, Session, Shared
from delivery.smtp import replies
from delivery.smtp.replies import Reply
from delivery.spool import Spool
from tests.delivery.runtime.asynchronous import asynchronous, until
from tests.delivery.runtime.counts import CountsHere
from tests.delivery.runtime.rig import rules
from tests.delivery.spool.messages import NOW, leased, whole


class Wire(asyncio.Transport):
    """A connection in memory."""

    def __init__(self, peer: Any = ("192.0.2.7", 4000)) -> None:
        super().__init__({"peername": peer, "sockname": ("192.0.2.1", 25)})
        self.written: list[bytes] = []
        self.reading = True
        self.closing = False
        self.aborted = False
        self.session: Session | None = None

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            self._gone()

    def abort(self) -> None:
        self.aborted = True
        self.close()

    def _gone(self) -> None:
        if self.session is not None:
            asyncio.get_running_loop().call_soon(self.session.connection_lost, None)

    @property
    def codes(self) -> list[str]:
        lines = b"".join(self.written).decode().split("\r\n")
        return [line[:3] for line in lines if line[3:4] == " "]


class House:
    """What a listener would keep."""

    def __init__(
        self, path: Path, spool: Spool, journal: Journal, asker: Any, values: Mapping[str, str]
    ) -> None:
        self.spool = spool
        self.gone: list[Session] = []
        self.refusal: Reply | None = None
        [self.service] = rules(path, values=values).services.values()
        self.cleanup = Cleanup(spool, journal, Counters(), clock=lambda: NOW)
        self.asker: Any = asker

    def connect(
        self, wire: Wire, counts: CountsHere | None = None, listeners: Listeners | None = None
    ) -> Session:
        shared = Shared(
            cleanup=self.cleanup,
            asker=self.asker,
            notices=Notices(self.cleanup),
            counts=CountsHere() if counts is None else counts,
            loop=asyncio.get_running_loop(),
            admit=(lambda session: self.refusal) if listeners is None else listeners._admit,
            gone=self.gone.append if listeners is None else listeners._gone,
        )
        session = Session(self.service, shared)
        wire.session = session
        session.connection_made(wire)
        return session


@asynccontextmanager
async def house(path: Path, **values: str) -> AsyncIterator[House]:
    spool = Spool.open(path / "spool", now=NOW)
    await spool.start()
    journal = Journal(path / "journal")
    try:
        yield House(path, spool, journal, Asker(None), values)  # type: ignore[arg-type]
    finally:
        await spool.close()
        journal.close()


MAIL = b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<joe@example.com>\r\nDATA\r\n"
LETTER = b"Subject: x\r\n\r\ny\r\n.\r\n"


@asynchronous
async def test_it_works(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        wire = Wire()
        session = made.connect(wire)
        session.data_received(MAIL)
        assert wire.codes == ["220", "250", "250", "250", "354"]
        assert len(wire.written) == 2  # the replies to one read are one write
        session.data_received(LETTER + b"QUIT\r\n")
        await until(lambda: made.gone)
        assert wire.codes[5:] == ["250", "221"]
        assert len(made.spool.fresh()) == 1


@asynchronous
async def test_a_refused_client_hears_why(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        made.refusal = replies.too_many_connections("mx", "192.0.2.7")
        wire = Wire()
        made.connect(wire)
        assert wire.codes == ["421"]
        await until(lambda: made.gone)


@asynchronous
async def test_a_client_that_left_at_once_is_nobody(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        wire = Wire(peer=None)
        made.connect(wire)
        await until(lambda: made.gone)
        assert wire.aborted
        assert wire.written == []


@asynchronous
async def test_who_hangs_up_still_counts_while_worked_for(tmp_path: Path) -> None:
    """Otherwise a client could have any number of commands worked on by leaving each time."""
    async with house(tmp_path) as made:
        wire = Wire()
        session = made.connect(wire)
        session.data_received(MAIL)
        session.data_received(LETTER)
        assert session._busy  # on its way to the disk
        session.connection_lost(None)
        assert made.gone == []
        await until(lambda: made.gone)
        assert len(made.spool.fresh()) == 1


@asynchronous
async def test_an_error_of_ours_is_421_behind_what_was_answered(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        wire = Wire()
        session = made.connect(wire)
        session.data_received(MAIL + LETTER[:-5])

        async def broken(*_: object) -> str:
            raise ZeroDivisionError

        made.cleanup.enter = broken  # type: ignore[method-assign, assignment]
        session.data_received(b"\r\n.\r\nNOOP\r\n")
        assert wire.codes[-1:] == ["421"]
        assert wire.closing
        session = made.connect(wire := Wire())
        session.data_received(b"NOOP\r\n" + MAIL + LETTER + b"NOOP\r\n")
        assert wire.codes == ["220", "250", "250", "250", "250", "354", "421"]


@asynchronous
async def test_reading_stops_when_enough_waits(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        wire = Wire()
        session = made.connect(wire)
        session.data_received(MAIL)
        session.data_received(LETTER)
        session.data_received(b"NOOP\r\n" * (READ_AHEAD // 6 + 10))
        assert not wire.reading
        await until(lambda: wire.codes.count("421") == 1)  # junk, in the end
        assert wire.codes[5] == "250"


@asynchronous
async def test_who_does_not_read_is_not_read_from(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        wire = Wire()
        session = made.connect(wire)
        session.pause_writing()
        for _ in range(40):
            session.data_received(b"NOOP\r\n" * 1000)
        assert not wire.reading
        assert wire.codes == ["220"]
        session.resume_writing()
        await until(lambda: wire.codes[-1] == "421")
        assert wire.codes.count("250") == 121  # junk, then errors, then the end


@asynchronous
async def test_shutting_down_waits_for_the_message(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        idle, busy = Wire(), Wire()
        at_rest, at_work = made.connect(idle), made.connect(busy)
        at_work.data_received(MAIL)
        at_rest.shut_down()
        at_work.shut_down()
        assert idle.codes == ["220", "421"]
        assert "421" not in busy.codes
        at_work.data_received(LETTER)
        await until(lambda: len(made.gone) == 2)
        assert busy.codes[-2:] == ["250", "421"]


@asynchronous
async def test_the_postmaster_is_told_at_the_end(tmp_path: Path) -> None:
    async with house(tmp_path, notify_classes="protocol") as home:
        wire = Wire()
        session = home.connect(wire)
        session.data_received(b"EHLO x\r\nBOGUS\r\nQUIT\r\n")
        assert home.spool.fresh() == []
        await until(lambda: home.gone == [session])
        [queue_id] = home.spool.fresh()
        text = (await whole(await home.spool.content(await leased(home.spool, queue_id)))).decode()
        assert "\r\n In:  BOGUS\r\n Out: 500 5.5.2 Error: command not recognized\r\n" in text


HEADER = b"PROXY TCP4 203.0.113.9 192.0.2.1 4567 25\r\n"


@asynchronous
async def test_behind_a_proxy_the_client_is_whom_it_names(tmp_path: Path) -> None:
    async with house(tmp_path, smtpd_upstream_proxy_protocol="haproxy") as made:
        session = made.connect(wire := Wire())
        session.data_received(HEADER[:20])
        assert wire.written == []
        session.data_received(HEADER[20:] + b"EHLO x\r\n")
        assert wire.codes == ["220", "250"]
        assert (session.client.address, session.client.port) == ("203.0.113.9", 4567)


@asynchronous
async def test_a_proxy_is_counted_out_as_it_was_counted_in(tmp_path: Path) -> None:
    async with house(tmp_path, smtpd_upstream_proxy_protocol="haproxy") as made:
        listeners = Listeners(  # type: ignore[arg-type]
            None, made.cleanup, made.asker, Counters(), CountsHere()
        )
        session = made.connect(Wire(), listeners=listeners)
        session.data_received(HEADER + b"QUIT\r\n")
        await until(lambda: listeners.sessions == 0)
        assert not listeners._by_client  # it came once, and is gone


@asynchronous
async def test_without_a_header_there_is_no_greeting(tmp_path: Path) -> None:
    async with house(
        tmp_path, smtpd_upstream_proxy_protocol="haproxy", smtpd_upstream_proxy_timeout="1s"
    ) as made:
        session = made.connect(wrong := Wire())
        session.data_received(b"EHLO x\r\n")
        made.connect(silent := Wire())
        assert wrong.codes == ["421"]
        await until(lambda: silent.closing)
        assert silent.codes == ["421"]


@asynchronous
async def test_commands_are_replaced_before_they_are_read(tmp_path: Path) -> None:
    table = "regexp:{{/^FOO (.*)/ NOOP $1} {/^BAR/ NOOP}}"
    async with house(tmp_path, smtpd_command_filter=table) as made:
        session = made.connect(wire := Wire())
        session.data_received(b"  FOO x\r\nBAR\r\nBAZ\r\n")
        assert wire.codes == ["220", "250", "250", "500"]


@asynchronous
async def test_replies_that_are_due_do_not_wait_for_a_slow_one(tmp_path: Path) -> None:
    async with house(
        tmp_path, smtpd_soft_error_limit="1", smtpd_hard_error_limit="1", smtpd_error_sleep_time="1"
    ) as made:
        session = made.connect(wire := Wire())
        session.data_received(b"NOOP\r\nFOO\r\n")
        assert wire.codes == ["220", "250", "500"]
        await until(lambda: wire.closing)
        assert wire.codes == ["220", "250", "500", "421"]


@asynchronous
async def test_one_client_has_so_many_connections(tmp_path: Path) -> None:
    async with house(
        tmp_path, smtpd_client_connection_count_limit="1", mynetworks="127.0.0.0/8"
    ) as made:
        counts = CountsHere()
        first = made.connect(wire := Wire(), counts)
        made.connect(second := Wire(), counts)
        made.connect(other := Wire(("192.0.2.8", 1)), counts)
        assert (wire.codes, second.codes, other.codes) == (["220"], ["421"], ["220"])
        await until(lambda: second.session in made.gone)
        first.data_received(b"QUIT\r\n")
        await until(lambda: first in made.gone)
        made.connect(again := Wire(), counts)
        assert again.codes == ["220"]


@asynchronous
async def test_a_client_that_trickles_is_hung_up_on(tmp_path: Path) -> None:
    limits = {"smtpd_timeout": "1s", "smtpd_per_request_deadline": "yes"}
    async with house(tmp_path, **limits) as made:
        wire = Wire()
        session = made.connect(wire)

        def trickled() -> bool:
            if not wire.closing:
                session.data_received(b"x")
            return bool(made.gone)

        await until(trickled)
        assert wire.codes == ["220", "421"]
