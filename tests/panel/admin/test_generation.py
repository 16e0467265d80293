"""Pages of generations, and "publish now"."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from panel.models import Generation, Node, NodeState, Parameter, Table
from tests.panel.admin.suite import MARKUP, ReadSuite

PUBLISH = "/admin/panel/generation/publish/"
REPORT = {
    "counts": {},
    "errors": [
        {"check": "loop", "row": "entry:7", "message": f"loop {MARKUP}"},
        {"check": "open", "row": "", "message": "open relay"},
        {"check": "odd", "row": f"javascript:{MARKUP}", "message": "odd row"},
    ],
    "warnings": [{"check": "w", "row": "domain:3", "message": "no mailbox"}],
    "error_count": 3,
    "warning_count": 1,
}


def published(number: int, **fields: Any) -> Generation:
    return Generation.objects.create(
        number=number,
        state="published",
        digest=f"{number:064}",
        snapshot=f"{number}:{number}:",
        finished=timezone.now(),
        counts={"virtual": 3, "aliases": 4},
        **fields,
    )


class TestGeneration(ReadSuite):
    page = "generation"
    word = "amy"

    def make(self, number: int) -> Generation:
        return published(number, requested_by={1: "amy"}.get(number, "x"))

    def test_nobody_edits_them(self, admin: Client) -> None:
        row = self.make(1)
        for url in (self.url("add"), self.url("delete", row.pk), self.url("change", row.pk)):
            assert admin.post(url, {"number": 9, "post": "yes"}).status_code == 403
        assert list(Generation.objects.values_list("number", flat=True)) == [1]

    def test_a_refused_one_says_why_with_links(self, admin: Client) -> None:
        row = Generation.objects.create(
            number=2, state="refused", snapshot="1:1:", report=REPORT, reason=MARKUP
        )
        page = admin.get(self.url("change", row.pk)).text
        assert reverse("admin:panel_entry_change", args=[7]) in page
        assert reverse("admin:panel_domain_change", args=[3]) in page
        assert "open relay" in page
        assert "3 errors" in page
        assert MARKUP not in page
        assert 'href="javascript' not in page

    def test_findings_name_their_rows(self, admin: Client) -> None:
        made = Parameter.objects.create(name="mynetworks", value="0.0.0.0/0")
        alias = Table.objects.create(name="t", type="hash", kind="text").entries.create(
            key="sam", value="joe"
        )
        found = [f"parameter:{made.pk}", f"entry:{alias.pk}", "entry:0", f"entry:{alias.pk}"]
        said = [{"check": "c", "row": row, "message": "m"} for row in found]
        row = Generation.objects.create(
            number=2, state="refused", snapshot="1:1:", report=REPORT | {"errors": said}
        )
        page = admin.get(self.url("change", row.pk)).text
        assert "Open parameter mynetworks" in page
        assert page.count("Open entry sam") == 2
        assert "Open entry 0" in page, "it is there no longer"

    def test_the_list_counts_what_was_said(self, admin: Client) -> None:
        Generation.objects.create(number=2, state="refused", snapshot="1:1:", report=REPORT)
        page = admin.get(self.list_url).text
        assert "3 errors, 1 warning<" in page

    def test_the_dashboard_says_why_too(self, admin: Client) -> None:
        published(1)
        Generation.objects.create(number=2, state="refused", snapshot="1:1:", report=REPORT)
        page = admin.get(reverse("admin:index")).text
        assert "Generation 1 stays live" in page
        assert reverse("admin:panel_entry_change", args=[7]) in page
        assert MARKUP not in page

    def test_it_says_which_node_runs_it(self, admin: Client) -> None:
        row = published(1)
        node = Node.objects.create(name="north")
        NodeState.objects.create(node=node, generation=1, digest=row.digest)
        assert "north" in admin.get(self.list_url).text
        assert "north" in admin.get(self.url("change", row.pk)).text

    def test_a_dead_broker_is_told_and_hinders_nothing(self, admin: Client) -> None:
        response = admin.post(PUBLISH, follow=True)
        assert "The broker does not answer" in response.text

    def test_publishing_takes_post(self, admin: Client) -> None:
        assert admin.get(PUBLISH).status_code == 405

    def test_publishing_takes_the_csrf_token(self, admin: Client) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.cookies = admin.cookies
        assert strict.post(PUBLISH).status_code == 403

    def test_publishing_takes_permission(self, staff, client: Client) -> None:
        looker = staff("view_generation")
        assert looker.post(PUBLISH).status_code == 403
        assert "Publish now" not in looker.get(self.list_url).text
        assert client.post(PUBLISH).status_code == 302
        assert "/login/" in client.post(PUBLISH)["Location"]
        publisher = staff("view_generation", "add_generation", name="pub")
        assert "Publish now" in publisher.get(self.list_url).text
        assert publisher.post(PUBLISH).status_code == 302

    def test_one_at_work_has_no_report_yet(self, admin: Client) -> None:
        row = Generation.objects.create(number=1, state="building")
        assert admin.get(self.url("change", row.pk)).status_code == 200
        assert admin.get(self.list_url).status_code == 200
        assert admin.get(reverse("admin:index")).status_code == 200
