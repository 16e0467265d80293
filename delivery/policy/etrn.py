"""etrn - restrictions of ETRN: by the name of the domain that is to be flushed (RFC 1985)."""

from __future__ import annotations

from delivery.policy import access
from delivery.policy.case import ETRN, Case, Subject
from delivery.policy.registry import Answer, restriction
from delivery.policy.verdict import DUNNO
from tables import keys
from tables.reading.lookup import Maps
from tables.restrictions import Argument


@restriction("check_etrn_access", Argument.TABLE)
def check_etrn_access(case: Case, maps: Maps) -> Answer:
    """The domain and its parents. access(5)."""
    domain = case.facts.etrn_domain
    if not domain:
        return DUNNO
    asked = keys.access_domain(domain, parent=case.partners.access_parent)
    return access.ask_table(case, maps, asked, Subject(domain, ETRN)) or DUNNO
