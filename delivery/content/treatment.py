"""treatment - what is done to one kind of message, made once for a generation.

SUMMARY      Treatment(...): what a Cleaner goes by; made by Incoming and Outgoing
"""

from __future__ import annotations

from dataclasses import dataclass

from delivery.content.checks import CheckTables
from delivery.content.limits import (
    NO_STRICTNESS,
    Characters,
    Limits,
    Strictness,
)
from delivery.content.rewriting import HeaderRewriter
from delivery.content.weights import Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """One kind of message."""

    limits: Limits
    weights: Weights
    tables: CheckTables
    is_checked: bool = True
    checks_body: bool
    follows_mime: bool
    rewriter: HeaderRewriter | None
    completes: bool = False  # missing headers are added
    strictness: Strictness = NO_STRICTNESS
    characters: Characters | None = None
    trusts_encoding: bool = True
