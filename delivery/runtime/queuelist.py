"""queuelist - the queue as operators see it: the JSON of the control socket, and mailq's text.

SUMMARY      listed(Listing) -> JSON object; as_text(messages) -> the report of mailq(1);
             as_json(messages) -> the lines of postqueue -j
RULES        times are UTC seconds in JSON and the machine's own in text
             addresses are in external form
             in text a reason stands above all recipients that follow each other with it; those
             without one come first
             only what is deferred has a next attempt: what is held waits for an operator
             text for a terminal holds printable characters only: other servers chose some of it
SOURCE       mailq(1), postqueue(1)
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from delivery.printable import printable
from delivery.spool.records import Listing, QueueState

_MARKS = {"active": "*", "hold": "!", "corrupt": "?"}  # the last is ours
_EXPIRED = "#"
_WIDTH = 78  # of a line; a reason stands at its end


def listed(item: Listing) -> dict[str, Any]:
    """One message for a program."""
    return {
        "id": item.queue_id,
        "state": item.state.name.lower(),
        "sender": item.sender,
        "size": item.size,
        "arrived": item.arrived,
        "next_attempt": item.next_attempt if item.state is QueueState.DEFERRED else None,
        "attempts": item.attempts,
        "reason": item.reason,
        "expired": item.expired,
        "recipient_count": item.recipient_count,
        "recipients": [
            {
                "address": recipient.address,
                "status": recipient.status,
                "dsn": recipient.dsn,
                "reason": recipient.reason,
            }
            for recipient in item.recipients
        ],
    }


def as_json(messages: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A JSON object a line, with the names of postqueue(1)."""
    for message in messages:
        shown = {
            "queue_name": message["state"],
            "queue_id": message["id"],
            "arrival_time": int(message["arrived"]),
            "message_size": message["size"],
            "forced_expire": message["expired"],
            "sender": message["sender"] or "MAILER-DAEMON",
            "recipients": [
                {"address": each["address"]}
                | ({"delay_reason": each["reason"]} if each["reason"] else {})
                for each in message["recipients"]
            ],
        }
        yield json.dumps(shown)


def as_text(messages: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Lines for a person, in the form of mailq(1)."""
    count = size = 0
    for message in messages:
        if not count:
            yield "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------"
        count += 1
        size += int(message["size"])
        mark = _MARKS.get(str(message["state"])) or (_EXPIRED if message["expired"] else " ")
        arrived = time.strftime("%a %b %e %H:%M:%S", time.localtime(float(message["arrived"])))
        sender = printable(message["sender"]) or "MAILER-DAEMON"
        yield f"{message['id']}{mark} {message['size']:>8} {arrived}  {sender}"
        if message["reason"]:
            yield f"({printable(message['reason'])})".rjust(_WIDTH)
        before = ""
        for recipient in sorted(message["recipients"], key=lambda each: each["reason"] != ""):
            if recipient["reason"] != before:
                before = recipient["reason"]
                yield f"({printable(before)})".rjust(_WIDTH)
            yield " " * 41 + printable(recipient["address"])
        hidden = int(message["recipient_count"]) - len(message["recipients"])
        if hidden > 0:
            yield " " * 41 + f"... and {hidden} more"
        yield ""
    if not count:
        yield "Mail queue is empty"
    else:
        yield f"-- {(size + 1023) // 1024} Kbytes in {count} Request{'s' if count > 1 else ''}."
