"""reports - what a compile found, in a few words.

SUMMARY      counts_in_words(errors, warnings) -> "1 error, 2 warnings"
"""

from __future__ import annotations

from django.utils.translation import ngettext


def counts_in_words(errors: int, warnings: int) -> str:
    """How much there is to look at."""
    return ", ".join(
        (
            ngettext("%d error", "%d errors", errors) % errors,
            ngettext("%d warning", "%d warnings", warnings) % warnings,
        )
    )
