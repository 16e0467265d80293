"""admin - the panel in the browser: a thin skin of django-unfold over models, forms and services.

RULES        a row is validated by its model; what touches more than one row is a service. What
             changes something takes POST with a CSRF token and asks for a permission. Lists count
             and load no more than a page needs (paging.py), so they stay fast at 100,000 rows.
             History is the change record, not Django's log of admin actions.
"""

from panel.admin import (
    change,
    domain,
    generation,
    journal,
    mailbox,
    node,
    parameter,
    restriction,
    service,
    table,
    token,
    user,
    views,
)

__all__ = [
    "change",
    "domain",
    "generation",
    "journal",
    "mailbox",
    "node",
    "parameter",
    "restriction",
    "service",
    "table",
    "token",
    "user",
    "views",
]
