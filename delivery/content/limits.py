"""limits - how large parts of a message may be, and what is refused or taken out of it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes in octets."""

    header: int
    line: int
    body_checks: int  # of each part; 0: everything
    mime_nesting: int
    boundary: int
    hops: int = 0  # Received headers, ours included; 0: any number


@dataclass(frozen=True, slots=True, kw_only=True)
class Strictness:
    """What is refused beyond the checks. postconf(5) strict_..."""

    headers: bool = False
    body: bool = False
    encodings: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Characters:
    """postconf(5) message_strip_characters, message_reject_characters."""

    stripped: bytes = b""
    refused: re.Pattern[bytes] | None = None


NO_STRICTNESS = Strictness()
