"""Rows of a new message, and what the queue reads out of them."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from delivery.spool import queueid
from delivery.spool.content import ContentFiles
from delivery.spool.crossing import unpacked
from delivery.spool.entries import columns_of, content_of, lease_of, make_rows
from delivery.spool.records import QueueState, Submission
from delivery.values import Client, Content, Envelope, Outcome, Recipient, Status
from tables.addresses import Address

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
DOMAINS = TEXT.filter(lambda text: "@" not in text)
ADDRESSES = st.builds(Address, TEXT, DOMAINS)
NOTIFY = st.just(frozenset({"NEVER"})) | st.frozensets(
    st.sampled_from(["SUCCESS", "FAILURE", "DELAY"])
)
RECIPIENTS = st.builds(Recipient, address=ADDRESSES, original=ADDRESSES, notify=NOTIFY, orcpt=TEXT)
CLIENTS = st.builds(
    Client,
    address=TEXT,
    port=st.integers(0, 65535),
    name=TEXT,
    reverse_name=TEXT,
    forward_error=st.booleans(),
)
ENVELOPES = st.builds(
    Envelope,
    sender=ADDRESSES,
    recipients=st.lists(RECIPIENTS, min_size=1, max_size=4, unique=True).map(tuple),
    client=st.none() | CLIENTS,
    helo=TEXT,
    protocol=TEXT,
    smtputf8=st.booleans(),
    eightbit=st.booleans(),
    envid=TEXT,
    ret=st.sampled_from(["", "FULL", "HDRS"]),
    filter=TEXT,
    is_local=st.booleans(),
    is_traced=st.booleans(),
    utf8_headers=st.booleans(),
    is_probe=st.booleans(),
    generation=st.integers(0, 1 << 40),
)
OUTCOMES = st.builds(
    Outcome,
    recipient=RECIPIENTS,
    status=st.sampled_from(Status),
    dsn=TEXT,
    reason=TEXT,
    is_expanded=st.booleans(),
)
NUMBER = queueid.IdMaker(3).next()
NOW = 1_800_000_000.25


@given(ENVELOPES, st.lists(OUTCOMES, max_size=2).map(tuple), st.binary(max_size=50), TEXT)
def test_the_first_attempt_knows_what_was_entered(
    envelope: Envelope, settled: tuple[Outcome, ...], data: bytes, hold: str
) -> None:
    content = Content(size=len(data), data=data, headers=b"Received: x\r\n")
    submission = Submission(envelope=envelope, content=content, settled=settled, hold=hold)
    rows = make_rows(NUMBER, submission, NOW)
    assert rows.message[1] == (QueueState.HOLD if hold else QueueState.ACTIVE)
    lease = lease_of(rows)
    assert lease.envelope == envelope
    assert list(lease.numbers) == list(envelope.recipients)
    assert lease.settled == settled
    assert (lease.queue_id, lease.arrived) == (queueid.to_text(NUMBER), NOW)
    assert lease.last_number == len(envelope.recipients) + len(settled) - 1
    assert content_of(rows, ContentFiles(Path("/nowhere"))) == content
    columns = json.loads(json.dumps(columns_of(NUMBER, submission, NOW)))
    assert unpacked(columns, memoryview(content.headers + content.data)) == rows


def test_equal_recipients_are_one() -> None:
    joe = Recipient(address=Address("joe", "a.example"), original=Address("joe", "a.example"))
    envelope = Envelope(sender=Address("", ""), recipients=(joe, joe))
    rows = make_rows(NUMBER, Submission(envelope=envelope, content=Content(size=0)), NOW)
    assert lease_of(rows).envelope.recipients == (joe,)
