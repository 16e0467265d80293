"""etags - the version of a row, and requests that hold only for that version.

RULES        the tag is made from what the API shows of the row and from what it does not show
             (password hashes), so equal tags mean equal rows. If-Match compares strongly.
SOURCE       RFC 9110 8.8.3, 13.1.1, 13.1.2
"""

from __future__ import annotations

import hashlib
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from panel.api.problems import Problem


def etag_of(shown: Any, hidden: str = "") -> str:
    """The entity tag, with its quotes."""
    digest = hashlib.sha256(JSONRenderer().render(shown) + b"\0" + hidden.encode())
    return f'"{digest.hexdigest()[:32]}"'


def demand_match(request: Request, tag: str | None) -> None:
    """Raises Problem 412 when the row, whose tag this is (None: there is none), is another."""
    wanted = request.headers.get("If-Match")
    if wanted is not None and (tag is None or not _lists(wanted, tag)):
        raise Problem(412, _("The row is not (or no longer) as If-Match says; read it again."))
    unwanted = request.headers.get("If-None-Match")
    if unwanted is not None and tag is not None and _lists(unwanted.replace("W/", ""), tag):
        raise Problem(412, _("There is such a row already, and If-None-Match forbids it."))


def is_known(request: Request, tag: str) -> bool:
    """True when the client has this version already: 304."""
    known = request.headers.get("If-None-Match")
    return known is not None and _lists(known.replace("W/", ""), tag)


def _lists(header: str, tag: str) -> bool:
    words = [word.strip() for word in header.split(",")]
    return "*" in words or tag in words
