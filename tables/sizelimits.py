"""sizelimits - a mailbox takes what the server takes, or its agent takes nothing.

SUMMARY      conflict(parameters, "local") -> "mailbox_size_limit is smaller than ..."; "" is fine
RULES        the limit of local(8) and virtual(8) is not below message_size_limit; 0 is no limit
SOURCE       postconf(5) mailbox_size_limit; Postfix local.c and virtual.c, which end otherwise
"""

from __future__ import annotations

from tables.parameters import Parameters

LIMITS = {"local": "mailbox_size_limit", "virtual": "virtual_mailbox_limit"}  # by daemon


def conflict(parameters: Parameters, daemon: str) -> str:
    """Why this daemon delivers nothing. Raises ParameterError."""
    name = LIMITS.get(daemon)
    mailbox = parameters.size(name) if name is not None else 0
    message = parameters.size("message_size_limit")
    if mailbox <= 0:
        return ""
    if message <= 0:
        return f"{name} is limited but message_size_limit is unlimited"
    return f"{name} is smaller than message_size_limit" if mailbox < message else ""
