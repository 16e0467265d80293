"""message_size_limit counts the envelope; the numbers are those of a real queue file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.runtime.envelopesize import envelope_size, is_too_large
from delivery.values import Client, Envelope, Recipient
from tables.addresses import Address

ADDRESS = Address("x", "small.example")
ENVELOPE = Envelope(
    sender=Address("alice", "outside.example"),
    recipients=(Recipient(address=ADDRESS, original=ADDRESS, orcpt="rfc822;x@small.example"),),
    client=Client(address="192.0.2.77", port=45678),
    helo="client.outside.example",
)


def test_an_envelope_is_counted_record_by_record() -> None:
    assert envelope_size(ENVELOPE) == 597
    notified = replace(ENVELOPE.recipients[0], notify=frozenset({"NEVER"}))
    assert envelope_size(replace(ENVELOPE, recipients=(notified,))) == 597 + 14
    assert envelope_size(replace(ENVELOPE, client=None)) < 300


@pytest.mark.parametrize("size, limit, expected", [(1403, 2000, False), (1404, 2000, True)])
def test_the_limit_is_for_both(size: int, limit: int, expected: bool) -> None:
    assert is_too_large(ENVELOPE, size, limit) is expected


def test_many_recipients_count() -> None:
    crowd = replace(ENVELOPE, recipients=ENVELOPE.recipients * 1000)
    assert is_too_large(crowd, 1_000, 50_000)
    assert not is_too_large(crowd, 1_000, 0)
