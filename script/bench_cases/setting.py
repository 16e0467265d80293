"""setting - what both servers of a mail benchmark are told to do with mail.

SUMMARY      Setting.of(mode, sink port) for discard, maildir, relay, backlog
RULES        in every mode each recipient is a virtual alias of one of a hundred addresses, found
             among ENTRIES others, and the usual restrictions are asked. Only the last step differs
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

RECIPIENT = "user@bench.test"  # smtp-source puts a number before it
ENTRIES = 20_000
MAILBOXES = tuple(f"b{number}" for number in range(100))
RESTRICTIONS = {
    "myhostname": "mx.bench.test",
    "mydomain": "bench.test",
    "mydestination": "",
    "mynetworks": "127.0.0.0/8",
    "message_size_limit": "50000000",
    "smtpd_peername_lookup": "no",
    "smtpd_helo_required": "yes",
    "smtpd_helo_restrictions": "reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname",
    "smtpd_sender_restrictions": "reject_non_fqdn_sender",
    "smtpd_relay_restrictions": "permit_auth_destination, permit_mynetworks, reject",
    "smtpd_recipient_restrictions": "reject_non_fqdn_recipient, reject_unlisted_recipient",
}
TARGETS = {
    "discard": "gone.test",
    "maildir": "box.test",
    "relay": "far.test",
    "backlog": "late.test",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Parameters and tables, the same for both."""

    target: str
    parameters: dict[str, str] = field(default_factory=dict)
    transport: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, mode: str, sink: int) -> Setting:
        """The setting of one mode."""
        return cls(
            target=TARGETS[mode],
            parameters=RESTRICTIONS,
            transport=(
                ("gone.test", "discard:"),
                ("far.test", f"smtp:[127.0.0.1]:{sink}"),
                ("late.test", "retry:4.0.0 later"),
            ),
        )

    @property
    def virtual(self) -> Iterator[tuple[str, str]]:
        """The entries of virtual_alias_maps."""
        boxes = len(MAILBOXES)
        for number in range(ENTRIES):
            yield f"{number}{RECIPIENT}", f"{MAILBOXES[number % boxes]}@{self.target}"
