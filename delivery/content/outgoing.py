"""outgoing - mail that leaves by SMTP: generic addresses and the checks of the SMTP client.

SUMMARY      Outgoing(parameters, tables, router).begin() -> Cleaner | None; None: send it as it is
             .converters(...): what its last form must go through, one after the other
             .address(address) -> what an envelope address is outside
RULES        smtp_header_checks and the like see a header first; of their actions those that write
             or log count; then smtp_generic_maps change its addresses, as those of the envelope
ERRORS       TableUnavailable from address(); in headers it becomes Cleaned.refusal
SOURCE       generic(5), header_checks(5), Postfix smtp(8)
"""

from __future__ import annotations

from typing import Protocol

from delivery.content.checks import CheckTables
from delivery.content.cleaner import Cleaner
from delivery.content.downgrade import Downgrade, LongLines
from delivery.content.headers import HeaderNames
from delivery.content.limits import Limits
from delivery.content.rewriting import GenericRewriter
from delivery.content.settings import OutgoingSettings
from delivery.content.treatment import Treatment
from delivery.content.weights import Weights
from delivery.routing.router import Router, Tables
from tables.addresses import Address
from tables.parameters import Parameters

_TITLES = (
    "smtp_header_checks",
    "smtp_mime_header_checks",
    "smtp_nested_header_checks",
    "smtp_body_checks",
)


class Converter(Protocol):
    """Something that a message goes through."""

    def feed(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


class Outgoing:
    """What the SMTP client of one snapshot does to mail."""

    def __init__(self, parameters: Parameters, tables: Tables, router: Router) -> None:
        settings = parameters.bind(OutgoingSettings)
        maps = tables.maps(settings.smtp_generic_maps)
        self._generic = (
            GenericRewriter(
                maps,
                router.mapper,
                propagate="generic" in settings.propagate_unmatched_extensions,
                limit=settings.header_address_token_limit,
            )
            if maps
            else None
        )
        checks = CheckTables(
            primary=tables.maps(settings.smtp_header_checks),
            mime=tables.maps(settings.smtp_mime_header_checks),
            nested=tables.maps(settings.smtp_nested_header_checks),
            body=tables.maps(settings.smtp_body_checks),
            names=_TITLES,
            limited=True,
        )
        examines = bool(checks)
        # True when there is anything to do to a message
        self._changes = self._generic is not None or examines
        self._line_limit = settings.smtp_line_length_limit
        # 8-bit text becomes quoted-printable for a server that does not take it
        self.may_convert = not settings.disable_mime_output_conversion
        self._limits = Limits(
            header=settings.header_size_limit,
            line=settings.line_length_limit,
            body_checks=settings.body_checks_size_limit,
            mime_nesting=settings.mime_nesting_limit,
            boundary=settings.mime_boundary_length_limit,
        )
        self._treatment = Treatment(
            limits=self._limits,
            weights=Weights(
                HeaderNames(),
                rewrites=self._generic is not None,
                completes=False,
                everything=examines,
            ),
            tables=checks,
            checks_body=bool(checks.body),
            follows_mime=examines,
            rewriter=self._generic,
        )

    @property
    def renames(self) -> bool:
        """True when address() may give another one."""
        return self._generic is not None

    def address(self, address: Address) -> Address:
        """An address of the envelope as it is told to the other server."""
        found = None if self._generic is None else self._generic.find(address)
        return address if found is None else found

    def converters(self, *, to_7bit: bool) -> list[Converter]:
        """What a message goes through at last."""
        found: list[Converter] = []
        if to_7bit:
            found.append(Downgrade(self._limits))
        if self._line_limit > 0:
            found.append(LongLines(self._line_limit))
        return found

    def begin(self) -> Cleaner | None:
        """A message leaves; feed it from its first header on."""
        if not self._changes:
            return None
        return Cleaner(self._treatment, is_new=False)
