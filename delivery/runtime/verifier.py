"""verifier - does this address exist? Probes go the way of mail, and are answered from a cache.

SUMMARY      await verify(address) -> Probe, after waiting for it a little
             told(address, outcome): a probe has come to its end
RULES        a probe is a message without text from address_verify_sender; it is cleaned, queued and
             routed as mail is, by the parameters address_verify_..._transport and their kin, and
             agents say what they would have done (Envelope.is_probe). It is never tried again
             known addresses are answered at once; what is older than its refresh time is probed
             again meanwhile, what is older than its expire time is unknown
             a failed probe does not make a deliverable address undeliverable before that expires
             without address_verify_negative_cache failures are not remembered, and each question
             is a probe
             an address is probed at most once within PROBE_S
LIMITS       address_verify_pending_request_limit probes under way: beyond that addresses stay
             unknown; the cache: see verifycache.py
ERRORS       ProbeUnavailable when the queue takes no probe
SOURCE       decision 0022; Postfix verify(8), ADDRESS_VERIFICATION_README; postconf(5)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from delivery import log, trace
from delivery.errors import SmtpFailure
from delivery.policy.facts import Probe, ProbeStatus, ProbeUnavailable
from delivery.runtime.cleanup import Cleanup
from delivery.runtime.cleanuprules import Handling
from delivery.runtime.rules import Rules
from delivery.runtime.verifycache import REASON, Verified, VerifyCache
from delivery.values import Envelope, Outcome, Recipient, Status
from tables.addresses import NULL, Address, parse_path
from tables.errors import AddressSyntaxError, TableError

PROBE_S = 1000.0  # verify.c PROBE_TTL
SAVE_S = 2.0
PROBED = Handling(source="verify", is_checked=False, is_copied=False)
_DIGITS = "0123456789bcdfghjklmnpqrstvwxyz"  # safe_ultostr(3): no vowels, no words

_FOUND = {
    Status.SENT: ProbeStatus.DELIVERABLE,
    Status.BOUNCED: ProbeStatus.UNDELIVERABLE,
    Status.EXPIRED: ProbeStatus.UNDELIVERABLE,
    Status.DEFERRED: ProbeStatus.DEFERRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifySettings:
    """Field names are those of postconf(5)."""

    address_verify_map: str
    address_verify_sender: str
    address_verify_sender_ttl: float
    address_verify_poll_count: int
    address_verify_poll_delay: float
    address_verify_negative_cache: bool
    address_verify_negative_expire_time: float
    address_verify_negative_refresh_time: float
    address_verify_positive_expire_time: float
    address_verify_positive_refresh_time: float
    address_verify_cache_cleanup_interval: float
    address_verify_pending_request_limit: int
    myhostname: str
    mail_name: str


class Verifier:
    """One for the engine."""

    def __init__(
        self,
        cleanup: Cleanup,
        cache: VerifyCache,
        rules: Callable[[], Rules | None],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cleanup = cleanup
        self._cache = cache
        self._rules = rules
        self._clock = clock
        self._running: dict[str, float] = {}  # probes under way, and since when
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._saver: asyncio.Task[None] | None = None
        self._cleaned = clock()

    async def start(self) -> None:
        """Read the cache and keep it saved."""
        await self._cache.load()
        self._saver = asyncio.get_running_loop().create_task(self._keep_saved())

    async def stop(self) -> None:
        """Save the cache for the last time."""
        if self._saver is not None:
            self._saver.cancel()
            await asyncio.gather(self._saver, return_exceptions=True)
        await self._save()

    async def verify(self, address: Address) -> Probe:
        """What is known of the address; raises ProbeUnavailable."""
        rules = self._rules()
        if rules is None:
            raise ProbeUnavailable("there is no configuration")
        settings, key = rules.parameters.bind(VerifySettings), _key(address)
        for left in range(max(settings.address_verify_poll_count, 1) - 1, -1, -1):
            news = asyncio.get_running_loop().create_future()
            if left:
                self._waiting.setdefault(key, []).append(news)
            try:
                found = await self._ask(rules, settings, address, key)
                if found.status is not ProbeStatus.PENDING or not left:
                    return found
                await asyncio.wait((news,), timeout=settings.address_verify_poll_delay)
            finally:
                self._leave(key, news)
        raise AssertionError("the last question returns")

    def told(self, address: Address, outcome: Outcome) -> None:
        """A probe of this address has ended, for one of those that the address stands for.

        Called by whoever judges deliveries.
        """
        key, now = _key(address), self._clock()
        self._running.pop(key, None)
        rules = self._rules()
        if rules is None:
            return
        settings = rules.parameters.bind(VerifySettings)
        status = _FOUND[outcome.status]
        known = self._known(settings, key, now)
        is_good = known is not None and known.status is ProbeStatus.DELIVERABLE
        if status is ProbeStatus.DELIVERABLE or (
            settings.address_verify_negative_cache and not is_good
        ):
            self._cache.put(key, Verified(status, 0.0, now, outcome.reason[:REASON]))
        for news in self._waiting.pop(key, []):
            if not news.done():
                news.set_result(None)

    # inside

    async def _ask(
        self, rules: Rules, settings: VerifySettings, address: Address, key: str
    ) -> Probe:
        """One question to verify(8)."""
        now = self._clock()
        known = self._known(settings, key, now) or Verified(ProbeStatus.PENDING)
        is_good = known.status is ProbeStatus.DELIVERABLE
        refresh = (
            settings.address_verify_positive_refresh_time
            if is_good
            else settings.address_verify_negative_refresh_time
        )
        if known.updated + refresh < now and now - known.probed > PROBE_S:
            if self._count_running(now) < settings.address_verify_pending_request_limit:
                if known.updated or settings.address_verify_negative_cache:
                    begun = Verified(known.status, now, known.updated, known.reason)
                    self._cache.put(key, begun)
                await self._send(rules, settings, address, key, known)
            else:
                log.event("verify", problem="too many probes are under way", address=address.text)
        return Probe(known.status, known.reason)

    def _count_running(self, now: float) -> int:
        """Probes under way. One that an operator removed from the queue is never told of."""
        running = self._running.items()
        self._running = {key: since for key, since in running if now - since <= PROBE_S}
        return len(self._running)

    def _known(self, settings: VerifySettings, key: str, now: float) -> Verified | None:
        found = self._cache.get(key)
        return None if found is None or _is_old(found, settings, now) else found

    async def _send(
        self,
        rules: Rules,
        settings: VerifySettings,
        address: Address,
        key: str,
        before: Verified,
    ) -> None:
        """Queue a probe."""
        self._running[key] = self._clock()
        try:
            await self._enter(rules, settings, address)
        except BaseException as error:
            self._running.pop(key, None)
            if before.updated:
                self._cache.put(key, before)
            else:
                self._cache.drop(key)
            if isinstance(error, SmtpFailure | TableError | AddressSyntaxError):
                raise ProbeUnavailable(f"no probe can be sent: {error}") from error
            raise

    async def _enter(self, rules: Rules, settings: VerifySettings, address: Address) -> None:
        writer = self._cleanup.spool.begin()
        now = self._clock()
        received = trace.received_locally(
            queue_id=writer.queue_id,
            myhostname=settings.myhostname,
            mail_name=settings.mail_name,
            when=now,
        )
        envelope = Envelope(
            sender=probe_sender(settings, now),
            recipients=(Recipient(address=address, original=address),),
            smtputf8=not (address.local.isascii() and address.domain.isascii()),
            generation=rules.number,
            is_local=True,
            is_probe=True,
        )
        draft = self._cleanup.begin(rules.cleanup, PROBED, envelope, writer, received)
        try:
            draft.take(b"Subject: probe\r\n\r\n")
            await self._cleanup.enter(draft)
        except BaseException:
            draft.abandon()
            raise

    def _leave(self, key: str, news: asyncio.Future[None]) -> None:
        """Nobody waits with this future any more."""
        waiting = self._waiting.get(key, [])
        if news in waiting:
            waiting.remove(news)
            if not waiting:
                del self._waiting[key]

    async def _keep_saved(self) -> None:
        while True:
            await asyncio.sleep(SAVE_S)
            await self._save()

    async def _save(self) -> None:
        """Copy what is new to disk, unless address_verify_map is empty; forget what is old."""
        rules = self._rules()
        if rules is None:
            return
        settings, now = rules.parameters.bind(VerifySettings), self._clock()
        interval = settings.address_verify_cache_cleanup_interval
        if 0 < interval <= now - self._cleaned:
            self._cleaned = now
            self._cache.expire(lambda found: _is_old(found, settings, now))
        if not settings.address_verify_map:
            self._cache.keep_unsaved()
        elif self._cache.is_changed:
            await self._cache.save()


def probe_sender(settings: VerifySettings, now: float) -> Address:
    """postconf(5) address_verify_sender, address_verify_sender_ttl."""
    text = settings.address_verify_sender
    if text in ("", "<>"):
        return NULL
    sender = parse_path(text, smtputf8=True)
    if settings.address_verify_sender_ttl <= 0:
        return sender
    number, suffix = int(now / settings.address_verify_sender_ttl), ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        suffix = _DIGITS[digit] + suffix
    return Address(f"{sender.local}{suffix}", sender.domain)


def _is_old(found: Verified, settings: VerifySettings, now: float) -> bool:
    """True when it does not count any more."""
    if found.status is ProbeStatus.DELIVERABLE:
        return found.updated + settings.address_verify_positive_expire_time < now
    if not found.updated:  # a probe is, or was, on its way
        return found.probed + PROBE_S < now
    return found.updated + settings.address_verify_negative_expire_time < now


def _key(address: Address) -> str:
    return f"{address.local}@{address.domain}"
