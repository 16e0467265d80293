"""message - a message as an observation describes it.

SUMMARY      describe(bytes, normal, kept_dates) -> headers, and body or report
RULES        headers are name and value, folded lines joined by a line feed; a body that is long is
             given by digest, length and longest line; a notification by the fields of its parts
SOURCE       FORMAT.md, observed: mailboxes; RFC 3464, RFC 6522
"""

from __future__ import annotations

import email
import email.message
import email.policy
import hashlib
import re
from collections.abc import Collection
from typing import Any

from conformance_machine.places import Normal, readable

LONGEST_BODY = 1500
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:[ \t]*(.*)", re.DOTALL)
_STATUS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_RETURNED = frozenset(
    {"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"}
)


def describe(raw: bytes, normal: Normal, kept_dates: Collection[str]) -> dict[str, Any]:
    """Headers and body of one message."""
    headers, body = split_message(raw)
    found: dict[str, Any] = {
        "headers": [[name, normal.text(value, kept_dates)] for name, value in headers]
    }
    if report := _report(raw, normal):
        found["report"] = report
    elif len(body) > LONGEST_BODY or b"\0" in body:
        found["body_sha256"] = hashlib.sha256(body).hexdigest()
        found["body_length"] = len(body)
        found["body_longest_line"] = max(map(len, body.split(b"\n")))
    else:
        found["body"] = normal.text(readable(body), kept_dates)
    return found


def split_message(raw: bytes) -> tuple[list[list[str]], bytes]:
    """(headers, body) with line feeds alone at line ends."""
    lines = raw.replace(b"\r\n", b"\n").split(b"\n")
    headers: list[list[bytes]] = []
    place = 0
    while place < len(lines):
        line = lines[place]
        if line[:1] in (b" ", b"\t") and headers:
            headers[-1][1] += b"\n" + line
        elif (match := _FIELD.fullmatch(line)) is not None:
            headers.append([match[1], match[2]])
        else:
            break
        place += 1
    if place < len(lines) and lines[place] == b"":
        place += 1
    texts = [[readable(name), readable(value)] for name, value in headers]
    return texts, b"\n".join(lines[place:])


def _report(raw: bytes, normal: Normal) -> dict[str, Any] | None:
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    if message.get_content_type() != "multipart/report" or not message.is_multipart():
        return None
    found: dict[str, Any] = {
        "report_type": message.get_param("report-type"),
        "parts": [],
        "per_message": [],
        "per_recipient": [],
    }
    for part in message.get_payload():
        assert isinstance(part, email.message.Message)
        kind = part.get_content_type()
        found["parts"].append(kind)
        if kind in _STATUS:
            _read_status(part, found, normal)
        elif kind in _RETURNED:
            _read_returned(part, found, normal)
    return found


def _read_status(part: email.message.Message, found: dict[str, Any], normal: Normal) -> None:
    blocks = part.get_payload()
    for number, block in enumerate(blocks if isinstance(blocks, list) else []):
        assert isinstance(block, email.message.Message)
        fields = []
        for name, value in block.items():
            text = normal.text(re.sub(r"\s+", " ", str(value)))
            fields.append([name, "{DATE}" if name.endswith("-Date") else text])
        if number == 0:
            found["per_message"] = [each for each in fields if each[0] != "X-Postfix-Queue-ID"]
        elif fields:
            found["per_recipient"].append(dict(fields))


def _read_returned(part: email.message.Message, found: dict[str, Any], normal: Normal) -> None:
    inside = part.get_payload()
    if isinstance(inside, list):
        assert isinstance(inside[0], email.message.Message)
        headers, body = split_message(inside[0].as_bytes())
        found["returned_body"] = bool(body.strip())
    else:
        headers, _body = split_message(str(inside).encode("utf-8", "surrogateescape"))
        found["returned_body"] = False
    found["returned_headers"] = [[name, normal.text(value)] for name, value in headers]
