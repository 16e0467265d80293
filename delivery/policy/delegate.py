"""delegate - check_policy_service: another program decides; its answer is an access(5) action.

ARGUMENT     inet:host:port, unix:path (relative to queue_directory), or
             { endpoint, timeout=10s, default_action=DUNNO, ... }
INPUT        the attributes of SMTPD_POLICY_README, in Postfix's order
ERRORS       no answer: the default action (smtpd_policy_service_default_action, 451 4.3.5)
SOURCE       SMTPD_POLICY_README; Postfix smtpd_check(3) check_policy_service
"""

from __future__ import annotations

import posixpath

from delivery.policy.access import interpret
from delivery.policy.case import Case
from delivery.policy.facts import Facts, PolicyService, PolicyServiceUnavailable, Stage, Tls
from delivery.policy.registry import Answer, restriction
from delivery.policy.settings import PolicySettings
from delivery.xtext import xtext_encode
from tables.errors import EntryError
from tables.itemtext import split_items
from tables.parametertext import read_integer, read_seconds
from tables.restrictions import Argument

_COUNTED = (Stage.DATA, Stage.END_OF_MESSAGE)
_NO_TLS = Tls(protocol="", cipher="", key_bits=0)


def attributes(facts: Facts, context: str) -> tuple[tuple[str, str], ...]:
    """The request's names and values, in order, without the final empty line."""
    client = facts.client
    tls = facts.tls or _NO_TLS
    return (
        ("request", "smtpd_access_policy"),
        ("protocol_state", facts.stage.value),
        ("protocol_name", facts.protocol),
        ("client_address", client.address),
        ("client_name", client.name),
        ("client_port", str(client.port)),
        ("reverse_client_name", client.reverse_name),
        ("server_address", facts.server_address),
        ("server_port", str(facts.server_port)),
        ("helo_name", facts.helo or ""),
        ("sender", facts.sender.internal if facts.sender is not None else ""),
        ("recipient", facts.recipient.internal if facts.recipient is not None else ""),
        ("recipient_count", str(facts.recipient_count if facts.stage in _COUNTED else 0)),
        ("queue_id", facts.queue_id),
        ("instance", facts.instance),
        ("size", str(facts.size)),
        ("etrn_domain", facts.etrn_domain),
        ("stress", ""),
        ("sasl_method", facts.sasl_method),
        ("sasl_username", facts.login),
        ("sasl_sender", facts.sasl_sender),
        ("ccert_subject", xtext_encode(tls.subject_name) if tls.is_trusted else ""),
        ("ccert_issuer", xtext_encode(tls.issuer_name) if tls.is_trusted else ""),
        ("ccert_fingerprint", tls.certificate_fingerprint),
        ("ccert_pubkey_fingerprint", tls.public_key_fingerprint),
        ("encryption_protocol", tls.protocol),
        ("encryption_cipher", tls.cipher),
        ("encryption_keysize", str(tls.key_bits)),
        ("policy_context", context),
    )


@restriction("check_policy_service", Argument.SERVICE)
async def check_policy_service(case: Case, service: PolicyService) -> Answer:
    """What the service says, or its default action when it says nothing."""
    request = attributes(case.facts, service.policy_context)
    try:
        action = await case.ask.policy(service, request)
    except PolicyServiceUnavailable:
        action = service.default_action
    return interpret(case, action, case.subject, service.endpoint, "policy query")


_TIMES = ("timeout", "max_idle", "max_ttl", "retry_delay")
_NUMBERS = ("request_limit", "try_limit")
_TEXTS = ("default_action", "policy_context")


def parse_service(text: str, settings: PolicySettings) -> PolicyService:
    """The argument of check_policy_service with its own settings. Raises EntryError."""
    if text.startswith("{"):
        endpoint, *options = split_items(text[1:].removesuffix("}")) or ("",)
    else:
        endpoint, options = text, []
    if ":" not in endpoint:
        raise EntryError(f"check_policy_service: {endpoint!r} is not inet:host:port or unix:path.")
    if endpoint.startswith("unix:"):
        endpoint = f"unix:{posixpath.join(settings.queue_directory, endpoint[len('unix:') :])}"
    given = dict(_option(item) for item in options)

    def seconds(name: str, default: float) -> float:
        return read_seconds(given[name], "s") if name in given else default

    def number(name: str, default: int) -> int:
        return read_integer(given[name]) if name in given else default

    return PolicyService(
        endpoint=endpoint,
        default_action=given.get("default_action", settings.smtpd_policy_service_default_action),
        policy_context=given.get("policy_context", settings.smtpd_policy_service_policy_context),
        timeout_s=seconds("timeout", settings.smtpd_policy_service_timeout),
        max_idle_s=seconds("max_idle", settings.smtpd_policy_service_max_idle),
        max_ttl_s=seconds("max_ttl", settings.smtpd_policy_service_max_ttl),
        request_limit=number("request_limit", settings.smtpd_policy_service_request_limit),
        try_limit=number("try_limit", settings.smtpd_policy_service_try_limit),
        retry_delay_s=seconds("retry_delay", settings.smtpd_policy_service_retry_delay),
    )


def _option(item: str) -> tuple[str, str]:
    """("timeout", "10s") of timeout=10s or {timeout = 10s}."""
    name, equals, value = item.strip("{} ").partition("=")
    name = name.strip()
    if not equals or name not in (*_TIMES, *_NUMBERS, *_TEXTS):
        raise EntryError(f"check_policy_service has no setting {item!r}.")
    return name, value.strip()
