"""rowform - envelopes, recipients and outcomes as database columns; read, write, nothing else.

SUMMARY      an Envelope is a JSON text without its recipients; each recipient is a row; an Outcome
             is a JSON text in the row of its recipient
RULES        an address is stored as local@domain, unquoted, the @ always there: the last @ splits
             unknown JSON members are ignored, absent ones have their default: what is usual is not
             written, and an older engine's rows stay readable
ERRORS       RowError for rows that cannot be read (the entry is set aside)
             SmtpFailure 553 5.6.7 for text that is not valid Unicode, before it reaches the disk
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, NamedTuple

from delivery.errors import DeliveryError, SmtpFailure
from delivery.values import Client, Envelope, Outcome, Recipient, Status
from tables.addresses import Address

_MEMBERS = [
    (item.name, item.default)
    for item in fields(Envelope)
    if item.name not in ("sender", "recipients", "client")
]


class RowError(DeliveryError):
    """A row of the queue database cannot be understood."""


class RecipientRow(NamedTuple):
    """Columns of table recipient, in order."""

    message: int
    number: int
    address: str
    original: str
    notify: str
    orcpt: str
    final: int  # 1: settled, kept until its report is entered
    outcome: str | None


def address_column(address: Address) -> str:
    """An address as it is stored."""
    return f"{address.local}@{address.domain}"


def read_address(text: str) -> Address:
    """The address of a column."""
    local, separator, domain = text.rpartition("@")
    if not separator:
        raise RowError("an address without @")
    return Address(local, domain)


def envelope_column(envelope: Envelope) -> str:
    """What is unusual about an Envelope, but for sender and recipients; ASCII."""
    client = envelope.client
    value: dict[str, object] = {
        name: member for name, usual in _MEMBERS if (member := getattr(envelope, name)) != usual
    }
    if client is not None:
        value["client"] = [
            client.address,
            client.port,
            client.name,
            client.reverse_name,
            client.forward_error,
        ]
    return json.dumps(value, separators=(",", ":"))


def read_envelope(sender: str, column: str, recipients: tuple[Recipient, ...]) -> Envelope:
    """The Envelope of a message row."""
    value = _object(column)
    try:
        client = value.get("client")
        return Envelope(
            sender=read_address(sender),
            recipients=recipients,
            client=None
            if client is None
            else Client(
                address=str(client[0]),
                port=int(client[1]),
                name=str(client[2]),
                reverse_name=str(client[3]),
                forward_error=bool(client[4]),
            ),
            helo=str(value.get("helo", "")),
            protocol=str(value.get("protocol", "ESMTP")),
            smtputf8=bool(value.get("smtputf8", False)),
            eightbit=bool(value.get("eightbit", False)),
            envid=str(value.get("envid", "")),
            ret=str(value.get("ret", "")),
            filter=str(value.get("filter", "")),
            is_local=bool(value.get("is_local", True)),
            is_traced=bool(value.get("is_traced", False)),
            utf8_headers=bool(value.get("utf8_headers", False)),
            is_probe=bool(value.get("is_probe", False)),
            generation=int(value.get("generation", 0)),
        )
    except (TypeError, ValueError, LookupError) as error:
        raise RowError(f"envelope: {error}") from error


def recipient_row(message: int, number: int, recipient: Recipient) -> RecipientRow:
    """The row of a recipient that was not tried yet."""
    address = address_column(recipient.address)
    same = recipient.original is recipient.address or recipient.original == recipient.address
    original = address if same else address_column(recipient.original)
    notify = ",".join(sorted(recipient.notify)) if recipient.notify else ""
    _check_text(address, original, recipient.orcpt)
    return RecipientRow(message, number, address, original, notify, recipient.orcpt, 0, None)


def settled_row(message: int, number: int, outcome: Outcome) -> RecipientRow:
    """The row of a recipient that nobody is to try, but somebody is to hear of."""
    row = recipient_row(message, number, outcome.recipient)
    return row._replace(final=1, outcome=outcome_column(outcome))


def read_recipient(row: RecipientRow) -> Recipient:
    """The Recipient of a row."""
    try:
        address = read_address(row.address)
        same = row.original == row.address
        return Recipient(
            address=address,
            original=address if same else read_address(row.original),
            notify=frozenset(row.notify.split(",")) if row.notify else frozenset(),
            orcpt=row.orcpt,
        )
    except (TypeError, AttributeError) as error:
        raise RowError(f"recipient: {error}") from error


def sender_column(sender: Address) -> str:
    """The sender as it is stored."""
    text = address_column(sender)
    _check_text(text)
    return text


def outcome_column(outcome: Outcome) -> str:
    """An Outcome without its recipient; ASCII."""
    return json.dumps(
        {
            "status": outcome.status.value,
            "dsn": outcome.dsn,
            "reason": outcome.reason,
            "relay": outcome.relay,
            "reply": outcome.reply,
            "delivered_to": outcome.delivered_to,
            "is_expanded": outcome.is_expanded,
            "noted": outcome.noted,
        },
        separators=(",", ":"),
    )


def read_outcome(column: str, recipient: Recipient) -> Outcome:
    """The Outcome of a recipient's row."""
    value = _object(column)
    try:
        return Outcome(
            recipient=recipient,
            status=Status(value["status"]),
            dsn=str(value["dsn"]),
            reason=str(value["reason"]),
            relay=str(value.get("relay", "none")),
            reply=str(value.get("reply", "")),
            delivered_to=str(value.get("delivered_to", "")),
            is_expanded=bool(value.get("is_expanded", False)),
        )
    except (ValueError, LookupError) as error:
        raise RowError(f"outcome: {error}") from error


def read_words(column: str) -> tuple[dict[str, str], float]:
    """status, dsn and reason of an outcome column, as text, and when it was noted."""
    value = _object(column)
    noted = value.get("noted")
    words = {name: str(value.get(name, "")) for name in ("status", "dsn", "reason")}
    return words, float(noted) if isinstance(noted, int | float) else 0.0


def _object(column: object) -> dict[str, Any]:
    try:
        value = json.loads(column) if isinstance(column, str) else None
    except ValueError as error:
        raise RowError(f"damaged column: {error}") from error
    if not isinstance(value, dict):
        raise RowError("damaged column: no object")
    return value


def _check_text(*texts: str) -> None:
    for text in texts:
        if text.isascii():
            continue
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise SmtpFailure(553, "5.6.7", "Address is not valid UTF-8") from error
