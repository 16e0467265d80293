"""incoming - the door for mail that comes in: what one service does to the content of messages.

SUMMARY      Incoming(parameters, tables, router).begin(...) -> Cleaner; .is_local(submitter)
RULES        begin() is called when the client may send (after DATA was accepted), with the
             Received header and what access tables prepended: header_checks see these too
             header rewriting and missing headers: for local clients, or as
             remote_header_rewrite_domain and always_add_missing_headers say
             receive_override_options: no_header_body_checks -> is_checked=False,
             no_address_mappings -> is_mapped=False
ERRORS       ParameterError when made; TableUnavailable from is_local()
SOURCE       Postfix cleanup(8), smtpd(8); postconf(5)
"""

from __future__ import annotations

import re
from functools import partial

from delivery.content.checks import CheckTables
from delivery.content.cleaner import Cleaner
from delivery.content.completion import Occasion, missing_headers
from delivery.content.contexts import Contexts
from delivery.content.headers import HeaderNames
from delivery.content.limits import (
    NO_STRICTNESS,
    Characters,
    Limits,
    Strictness,
)
from delivery.content.settings import ContentSettings
from delivery.content.treatment import Treatment
from delivery.content.weights import Weights
from delivery.routing.router import Router, Tables
from tables.parameters import Parameters

_ESCAPE = re.compile(r"\\([0-7]{1,3}|.)", re.DOTALL)
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Incoming:
    """What one service does to the content of mail. Immutable but for memory of names."""

    def __init__(self, parameters: Parameters, tables: Tables, router: Router) -> None:
        self.settings = settings = parameters.bind(ContentSettings)
        self._contexts = contexts = Contexts(settings, tables, router)
        #: for those whose headers are ours to complete. local_header_rewrite_clients
        self.is_local = contexts.is_local
        self._checks = CheckTables(
            primary=tables.maps(settings.header_checks),
            mime=tables.maps(settings.mime_header_checks),
            nested=tables.maps(settings.nested_header_checks),
            body=tables.maps(settings.body_checks),
        )
        self._limits = Limits(
            header=settings.header_size_limit,
            line=settings.line_length_limit,
            body_checks=settings.body_checks_size_limit,
            mime_nesting=settings.mime_nesting_limit,
            boundary=settings.mime_boundary_length_limit,
            hops=settings.hopcount_limit,
        )
        self._strictness = Strictness(
            headers=settings.strict_8bitmime or settings.strict_7bit_headers,
            body=settings.strict_8bitmime or settings.strict_8bitmime_body,
            encodings=settings.strict_mime_encoding_domain,
        )
        self._examines = bool(self._checks) or self._strictness != NO_STRICTNESS
        stripped = _characters(settings.message_strip_characters)
        refused = _characters(settings.message_reject_characters)
        self._characters = (
            Characters(stripped=stripped, refused=_pattern(refused))
            if stripped or refused
            else None
        )
        self._names = HeaderNames(settings.message_drop_headers)
        self._treatments: dict[tuple[bool, bool, bool, bool], Treatment] = {}

    def begin(
        self,
        prologue: bytes,
        occasion: Occasion,
        *,
        is_local: bool,
        is_checked: bool = True,
        is_mapped: bool = True,
        keeps_refused: bool = False,
        finds_utf8: bool = False,
    ) -> Cleaner:
        """A message begins. `prologue`: our Received and other headers, CRLF line ends.

        `is_checked` is False for bounces and other notices (internal_mail_filter_classes);
        `keeps_refused` is True for mail made here, which a refusal sends back to its sender;
        `finds_utf8`: headers of parts count for Cleaned.has_utf8_headers, too.
        """
        kind = (is_local, is_checked, is_mapped, finds_utf8)
        treatment = self._treatments.get(kind)
        if treatment is None:
            treatment = self._treatments[kind] = self._treatment(*kind)
        completion = partial(missing_headers, self.settings, occasion)
        return Cleaner(
            treatment,
            prologue,
            completion=completion if treatment.completes else None,
            keeps_refused=keeps_refused,
        )

    def _treatment(
        self, is_local: bool, is_checked: bool, is_mapped: bool, finds_utf8: bool
    ) -> Treatment:
        settings = self.settings
        rewriter = self._contexts.rewriter(is_local=is_local, maps=is_mapped)
        completes = rewriter is not None or settings.always_add_missing_headers
        examines = is_checked and self._examines
        follows_mime = (examines or finds_utf8) and not settings.disable_mime_input_processing
        return Treatment(
            limits=self._limits,
            weights=Weights(
                self._names,
                rewrites=rewriter is not None,
                completes=completes,
                everything=examines,
                mime=follows_mime,
            ),
            tables=self._checks,
            is_checked=is_checked,
            checks_body=bool(self._checks.body),
            follows_mime=follows_mime,
            rewriter=rewriter,
            completes=completes,
            strictness=self._strictness if is_checked else NO_STRICTNESS,
            characters=self._characters if is_checked else None,
            trusts_encoding=settings.detect_8bit_encoding_header,
        )


def _characters(text: str) -> bytes:
    """postconf(5) message_strip_characters: characters and C escapes."""

    def character(escape: re.Match[str]) -> str:
        sign = escape[1]
        return chr(int(sign, 8) & 0xFF) if sign[0] in "01234567" else _ESCAPES.get(sign, sign)

    octets = _ESCAPE.sub(character, text).encode("latin-1", "ignore")
    return bytes(set(octets) - set(b"\r\n"))  # these end lines; stray ones are blanks already


def _pattern(octets: bytes) -> re.Pattern[bytes] | None:
    return re.compile(b"[" + re.escape(octets) + b"]") if octets else None
