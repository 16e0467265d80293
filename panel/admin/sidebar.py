"""sidebar - the navigation, and the files that every page loads; named in settings.UNFOLD."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups, each with the pages that this user may see."""
    groups = [
        (
            _("Hosting"),
            [
                _page(_("Domains"), "domain", "language"),
                _page(_("Domain aliases"), "domainalias", "link"),
                _page(_("Mailboxes"), "mailbox", "inbox"),
            ],
        ),
        (
            _("Postfix tables"),
            [
                _page(_("Aliases"), "alias", "alternate_email"),
                _page(_("Virtual entries"), "virtualentry", "forward_to_inbox"),
                _page(_("Transports"), "transport", "alt_route"),
                _page(_("Access tables"), "accesstable", "shield"),
                _page(_("Access rules"), "accessrule", "rule"),
                _page(_("All tables"), "table", "table"),
                _page(_("All entries"), "entry", "list"),
            ],
        ),
        (
            _("Configuration"),
            [
                _page(_("Parameters"), "parameter", "tune"),
                _page(_("Restriction lists"), "restrictionlist", "checklist"),
                _page(_("Services"), "service", "dns"),
            ],
        ),
        (
            _("Operations"),
            [
                _page(_("Message log"), "journalevent", "mark_email_read"),
                _page(_("Generations"), "generation", "deployed_code"),
                _page(_("Changes"), "change", "history"),
                _page(_("Nodes"), "node", "hub"),
                _item(_("Queue"), "admin:panel_queue", "panel.view_node", "schedule_send"),
            ],
        ),
        (
            _("Access"),
            [
                _item(_("Users"), "admin:auth_user_changelist", "auth.view_user", "person"),
                _item(_("Groups"), "admin:auth_group_changelist", "auth.view_group", "group"),
                _page(_("API tokens"), "apitoken", "key"),
            ],
        ),
    ]
    shown = [
        {
            "title": title,
            "separator": True,
            "items": [each for each in items if _may(request, each)],
        }
        for title, items in groups
    ]
    first = {
        "items": [{"title": _("Dashboard"), "icon": "dashboard", "link": reverse("admin:index")}]
    }
    return [first, *(group for group in shown if group["items"])]


def stylesheet(request: HttpRequest) -> str:
    """Our own rules, beside unfold's."""
    return static("panel/waypost.css")


def script(request: HttpRequest) -> str:
    """The status line and the small conveniences of forms."""
    return static("panel/waypost.js")


def favicon(request: HttpRequest) -> str:
    """The sign in the browser's tab."""
    return static("panel/favicon.svg")


def _page(title: str, model: str, icon: str) -> dict[str, Any]:
    return _item(title, f"admin:panel_{model}_changelist", f"panel.view_{model}", icon)


def _item(title: str, page: str, needs: str, icon: str) -> dict[str, Any]:
    link = reverse(page)
    return {"title": title, "icon": icon, "link": link, "needs": needs}


def _may(request: HttpRequest, item: dict[str, Any]) -> bool:
    needs = str(item.pop("needs"))
    may = bool(
        request.user.has_perm(needs) or request.user.has_perm(needs.replace("view_", "change_"))
    )
    item["active"] = is_active(request, str(item["link"]))
    return may


def is_active(request: HttpRequest, link: str) -> bool:
    """True on the page and on those below it; the queue is below the nodes, but not one of them."""
    if not request.path.startswith(link):
        return False
    queue = reverse("admin:panel_queue")
    return link == queue or not request.path.startswith(queue)
