"""dashboard - the first page: what is hosted, what is live, what waits, what went wrong."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from panel.admin.change import label_of, link_of
from panel.admin.generation import findings, report_of
from panel.admin.paging import COUNT_LIMIT
from panel.admin.queue import counts_in_words
from panel.admin.status import is_trouble
from panel.models import Alias, Change, Domain, Generation, Mailbox, Node, VirtualEntry

RECENT = 10
FINDINGS = 5


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What panel/dashboard shows, each part to those who may see it. See DASHBOARD_CALLBACK."""
    may = request.user.has_perm
    context["title"] = _("Dashboard")
    context["cards"] = [
        _card(title, model, page)
        for title, model, page in (
            (_("Domains"), Domain, "domain"),
            (_("Mailboxes"), Mailbox, "mailbox"),
            (_("Aliases"), Alias, "alias"),
            (_("Virtual entries"), VirtualEntry, "virtualentry"),
        )
        if may(f"panel.view_{page}") or may(f"panel.change_{page}")
    ]
    if may("panel.view_generation"):
        context["trouble"] = _trouble()
        context["newest"] = Generation.newest()
    if may("panel.view_node"):
        context["nodes"] = [_node(node) for node in Node.objects.select_related("state")[:50]]
    if may("panel.view_change"):
        context["changes"] = [
            {"change": change, "row": link_of(change), "name": label_of(change)}
            for change in Change.objects.all()[:RECENT]
        ]
    context["is_new"] = not Domain.objects.exists()
    return context


def _card(title: str, model: Any, page: str) -> dict[str, Any]:
    number = model.objects.order_by()[: COUNT_LIMIT + 1].count()
    text = f"{COUNT_LIMIT:,}+" if number > COUNT_LIMIT else f"{number:,}"
    return {"title": title, "number": text, "url": reverse(f"admin:panel_{page}_changelist")}


def _trouble() -> dict[str, Any] | None:
    """The last publish when it did not end well."""
    last = Generation.objects.first()
    if last is None or not is_trouble(last):
        return None
    report = report_of(last)
    return {
        "generation": last,
        "errors": findings(report, "errors")[:FINDINGS],
        "more": max(0, report.error_count - FINDINGS),
    }


def _node(node: Node) -> dict[str, Any]:
    state = getattr(node, "state", None)
    engine = (state.engine if state else None) or {}
    return {
        "node": node,
        "state": state,
        "queue": counts_in_words(engine.get("queue")),
        "listeners": [str(each) for each in engine.get("listeners") or []][:10],
    }
