"""command_environment - what a command may know: exported names, and facts about the message.

SUMMARY      exported(export, imported) -> NAME=value or NAME; client_facts(envelope)
RULES        a name of export_environment with a value in import_environment has that value; one
             without is taken from the helper's own environment
             an outsider's text never holds a NUL
SOURCE       postconf(5) export_environment, import_environment; Postfix clean_env(3)
"""

from __future__ import annotations

from collections.abc import Iterable

from delivery.values import Envelope

# postconf(5) export_environment, import_environment
EXPORTED = ("TZ", "MAIL_CONFIG", "LANG")
IMPORTED = (
    *("MAIL_CONFIG", "MAIL_DEBUG", "MAIL_LOGTAG", "TZ", "XAUTHORITY", "DISPLAY", "LANG=C"),
    *("POSTLOG_SERVICE", "POSTLOG_HOSTNAME"),
)


def exported(export: Iterable[str], imported: Iterable[str]) -> tuple[str, ...]:
    """The items of export_environment, with the values that import_environment gives."""
    values = dict(item.split("=", 1) for item in imported if "=" in item)
    return tuple(
        item if "=" in item or item not in values else f"{item}={values[item]}" for item in export
    )


def client_facts(envelope: Envelope) -> dict[str, str]:
    """CLIENT_... for mail that came over the network."""
    client = envelope.client
    if client is None:
        return {}
    return {
        "CLIENT_HOSTNAME": client.name,
        "CLIENT_ADDRESS": client.address,
        "CLIENT_HELO": envelope.helo,
        "CLIENT_PROTOCOL": envelope.protocol,
    }


def variables(facts: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """NAME=value."""
    return tuple(f"{name}={value}".replace("\0", "_") for name, value in facts)
