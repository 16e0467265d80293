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
from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any, NamedTuple

from delivery import jsontext
from delivery.errors import DeliveryError, SmtpFailure
from delivery.values import Client, Envelope, Outcome, Recipient, Status
from tables.addresses import Address

_MEMBERS = [
    (item.name, item.default)
    for item in fields(Envelope)
    if item.name not in ("sender", "recipients", "client")
]
_KINDS: dict[str, Callable[[Any], Any]] = {name: type(usual) for name, usual in _MEMBERS}
_members_of = attrgetter(*_KINDS)
_client_of = attrgetter("address", "port", "name", "reverse_name", "forward_error")
_decode = json.JSONDecoder().raw_decode


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
    value = {
        name: member
        for (name, usual), member in zip(_MEMBERS, _members_of(envelope), strict=True)
        if member != usual
    }
    if envelope.client is not None:
        value["client"] = _client_of(envelope.client)
    return jsontext.encode(value)


def read_envelope(sender: str, column: str, recipients: tuple[Recipient, ...]) -> Envelope:
    """The Envelope of a message row."""
    value = _object(column)
    try:
        client = value.get("client")
        members = {
            name: kind(member) for name, member in value.items() if (kind := _KINDS.get(name))
        }
        return Envelope(
            sender=read_address(sender),
            recipients=recipients,
            client=None if client is None else _read_client(*client),
            **members,
        )
    except (TypeError, ValueError, LookupError) as error:
        raise RowError(f"envelope: {error}") from error


def _read_client(
    address: str, port: int, name: str, reverse_name: str, forward_error: bool
) -> Client:
    return Client(
        address=str(address),
        port=int(port),
        name=str(name),
        reverse_name=str(reverse_name),
        forward_error=bool(forward_error),
    )


def recipient_columns(
    recipient: Recipient, outcome: str | None = None
) -> tuple[str, str, str, str, str | None]:
    """address, original, notify, orcpt, outcome of a recipient, who was not tried yet."""
    address = address_column(recipient.address)
    same = recipient.original is recipient.address or recipient.original == recipient.address
    original = address if same else address_column(recipient.original)
    notify = ",".join(sorted(recipient.notify)) if recipient.notify else ""
    _check_text(address + original + recipient.orcpt)
    return address, original, notify, recipient.orcpt, outcome


def settled_columns(outcome: Outcome) -> tuple[str, str, str, str, str | None]:
    """The same of a recipient that nobody is to try, but somebody is to hear of."""
    return recipient_columns(outcome.recipient, outcome_column(outcome))


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
    return jsontext.encode(
        {
            "status": outcome.status.value,
            "dsn": outcome.dsn,
            "reason": outcome.reason,
            "relay": outcome.relay,
            "reply": outcome.reply,
            "delivered_to": outcome.delivered_to,
            "is_expanded": outcome.is_expanded,
            "noted": outcome.noted,
        }
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
    if not isinstance(column, str):
        raise RowError("damaged column: no text")
    try:
        value, end = _decode(column)
    except ValueError as error:
        raise RowError(f"damaged column: {error}") from error
    if not isinstance(value, dict) or end < len(column):
        raise RowError("damaged column: no object")
    return value


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise SmtpFailure(553, "5.6.7", "Address is not valid UTF-8") from error
