"""cleanuprules - what cleanup(8) does, by one generation: its addresses and its content.

SUMMARY      CleanupRules(...): router and content of one cleanup service; Handling: which of its
             steps a message goes through, by where it comes from
RULES        parameters of cleanup(8) come from its own service in master.cf, those that look at the
             client (CLIENT_SIDE) from the service that took the message
             from clients and users: everything, but for receive_override_options
             notices, mail of our own: addresses are mapped; checks only with
             internal_mail_filter_classes; no copies
             forwarded, what aliases hand on: addresses are mapped; what is refused goes back
ERRORS       ParameterError when made
SOURCE       cleanup(8); postconf(5) receive_override_options; Postfix cleanup_user.h, int_filt(3),
             input_transp(3)
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from delivery.content.incoming import Incoming
from delivery.routing.router import Router, Tables
from tables.parameters import Parameters

# read by smtpd(8) though it is about headers
CLIENT_SIDE = ("local_header_rewrite_clients", "mynetworks", "remote_header_rewrite_domain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """Which steps a message goes through. cleanup_user.h."""

    source: str  # as smtputf8_autodetect_classes names it
    is_checked: bool = True  # header and body checks
    is_mapped: bool = True  # canonical maps, masquerading, virtual aliases
    is_copied: bool = True  # always_bcc, sender_bcc_maps, recipient_bcc_maps
    returns: bool = False  # what is refused goes back to its sender
    is_ours: bool = False  # queued as it is when tables cannot be asked
    filter: str = ""  # postconf(5) content_filter


FORWARDED = Handling(source="forward", is_checked=False, is_copied=False, returns=True)


def handling(source: str, options: Collection[str], content_filter: str) -> Handling:
    """Mail that a service takes with these receive_override_options."""
    is_mapped = "no_address_mappings" not in options
    return Handling(
        source=source,
        is_checked="no_header_body_checks" not in options,
        is_mapped=is_mapped,
        is_copied=is_mapped,
        returns=source == "sendmail",
        filter=content_filter.strip(),
    )


def notice(word: str, classes: Collection[str]) -> Handling:
    """A message of our own; `word` is bounce or notify, `classes` internal_mail_filter_classes."""
    return Handling(source=word, is_checked=word in classes, is_copied=False, is_ours=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupSettings:
    """What is read beside the rooms of content and routing; names are those of postconf(5)."""

    message_size_limit: int
    smtputf8_enable: bool
    smtputf8_autodetect_classes: tuple[str, ...]


class CleanupRules:
    """One cleanup service of one generation. Immutable but for its memory of names."""

    def __init__(self, parameters: Parameters, tables: Tables, router: Router) -> None:
        self.router = router
        self.incoming = Incoming(parameters, tables, router)
        self.settings = parameters.bind(CleanupSettings)

    def detects_utf8(self, handling: Handling) -> bool:
        """True for mail that needs SMTPUTF8 when it looks so, though nobody said it."""
        settings = self.settings
        classes = settings.smtputf8_autodetect_classes
        return settings.smtputf8_enable and (handling.source in classes or "all" in classes)
