"""compare - are two observations of a case the same?

SUMMARY      differences(expected, actual, level) -> lines that say what differs; none: the same
LEVELS       decision   the class (2, 3, 4, 5, none) of each reply; the set of transport, next hop,
                        recipient, status
             exact      reply codes and enhanced codes; deliveries with stage, sender, original
                        recipient and dsn; mailboxes, commands, transactions, queue, sessions,
                        milters, policy requests
RULES        never compared: texts of replies, reasons, the log, Received, dates and ids that were
             made on the way, subject and text of notifications
SOURCE       FORMAT.md, Comparing another system
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

LEVELS = ("decision", "exact")
Observed = Mapping[str, Any]

# of a notification, these headers are there or not
_FREE = frozenset(
    {
        *("received", "message-id", "date", "subject", "content-type", "mime-version"),
        *("auto-submitted", "content-transfer-encoding"),
    }
)
_MADE_UP = re.compile(r"\{(DATE|MSGID|QID|TIME|UID)\}")
_BLANKS = re.compile(r"\s+")
_REPORTED = ("Final-Recipient", "Original-Recipient", "Action", "Status")
_MORE_OF_REPLY = ("tls", "slow", "exit", "json", "ehlo")
_POLICY = frozenset(
    {
        *("request", "protocol_state", "protocol_name", "helo_name", "queue_id", "sender"),
        *("recipient", "recipient_count", "client_address", "client_name", "reverse_client_name"),
        *("client_port", "instance", "sasl_method", "sasl_username", "sasl_sender", "size"),
        *("ccert_subject", "ccert_issuer", "ccert_fingerprint", "encryption_protocol"),
        *("etrn_domain", "policy_context", "server_address", "server_port"),
    }
)


def differences(expected: Observed, actual: Observed, level: str) -> Iterator[str]:
    """One line for each thing that differs."""
    look = _decision if level == "decision" else _exact
    wanted, found = look(expected), look(actual)
    for name, value in wanted.items():
        other = found[name]
        if value == other:
            continue
        if name in ("replies", "policy"):
            yield f"{name} expected {_shown(value)}"
            yield f"{name} actual   {_shown(other)}"
            continue
        missing, unwanted = Counter(value), Counter(other)
        yield from (f"{name} missing  {item}" for item in (missing - unwanted).elements())
        yield from (f"{name} unwanted {item}" for item in (unwanted - missing).elements())


def _decision(observed: Observed) -> dict[str, list[Any]]:
    return {
        "replies": [reply.get("tls") or _class(reply["code"]) for reply in _replies(observed)],
        "deliveries": sorted(
            set(
                _bag(
                    [each["transport"], _hop(each), each["recipient"], each["status"]]
                    for each in observed.get("deliveries", [])
                )
            )
        ),
    }


def _exact(observed: Observed) -> dict[str, list[Any]]:
    def all_of(name: str) -> list[Any]:
        return list(observed.get(name, []))

    return {
        "replies": [
            [reply["code"], reply["enhanced"]]
            + [[name, reply[name]] for name in _MORE_OF_REPLY if name in reply]
            for reply in _replies(observed)
        ],
        "deliveries": _bag(
            [
                *(each["stage"], each["transport"], _hop(each), each["sender"]),
                *(each["recipient"], each["original_recipient"], each["status"], each["dsn"]),
            ]
            for each in all_of("deliveries")
        ),
        "mailboxes": _bag(
            [each["path"], each["format"], each["owner"], each.get("from_line"), *_message(each)]
            for each in all_of("mailboxes")
        ),
        "commands": _bag(
            [each["argv"], each["env"], each["user"], each.get("from_line"), *_message(each)]
            for each in all_of("commands")
        ),
        "smtp_out": _bag(
            [
                *(each["address"], each["port"], each["mail_from"], each["mail_params"]),
                *(each["rcpt_to"], *_message(each), bool(each.get("tls")), each.get("auth")),
            ]
            for each in all_of("smtp_out")
        ),
        "left_in_queue": _bag(
            [each["queue"], each["sender"], each["recipients"]] for each in all_of("left_in_queue")
        ),
        "sessions": _bag(
            [each["address"], each["port"], bool(each.get("tls")), _spoken(each["lines"])]
            for each in all_of("sessions")
        ),
        "milter": _bag([each["port"], _milter_events(each)] for each in all_of("milter")),
        "policy": [
            [each["port"], {n: v for n, v in each["attributes"].items() if n in _POLICY}]
            for each in all_of("policy")
        ],
    }


def _replies(observed: Observed) -> Iterator[Mapping[str, Any]]:
    for reply in [*observed.get("greeting", []), *observed.get("replies", [])]:
        yield from reply if isinstance(reply, list) else [reply]


def _class(code: int | None) -> int | None:
    return None if code is None else code // 100


def _hop(delivery: Mapping[str, Any]) -> str | None:
    """The next hop of error and retry is a text for people."""
    hop: str | None = delivery["nexthop"]
    return None if delivery["transport"] in ("error", "retry") else hop


def _message(item: Mapping[str, Any]) -> list[Any]:
    body = item.get("body", item.get("body_sha256"))
    return [_headers(item), _report(item), body]


def _headers(item: Mapping[str, Any]) -> list[str]:
    found = []
    for name, value in item.get("headers", []):
        low = name.lower()
        is_free = low == "received" or ("report" in item and low in _FREE)
        if is_free or _MADE_UP.search(value):
            found.append(low)
        else:
            found.append(f"{low}: {_BLANKS.sub(' ', value)}")
    return found


def _report(item: Mapping[str, Any]) -> list[Any] | None:
    report = item.get("report")
    if not report:
        return None
    recipients = [
        sorted([name, value] for name, value in each.items() if name in _REPORTED)
        for each in report.get("per_recipient", [])
    ]
    return [sorted(recipients), report.get("returned_body")]


def _spoken(lines: Iterable[str]) -> list[str]:
    return [line for line in lines if line[:4].upper() not in ("RSET", "QUIT")]


def _milter_events(connection: Mapping[str, Any]) -> list[Any]:
    return [
        [each["event"], each["args"], {n: v for n, v in each.get("macros", {}).items() if n != "v"}]
        for each in connection["events"]
        if not each["event"].startswith("quit")
    ]


def _bag(items: Iterable[Any]) -> list[str]:
    return sorted(json.dumps(item, sort_keys=True, ensure_ascii=False) for item in items)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
