"""suite - what holds for the pages of every model, written once.

SUMMARY      class TestAlias(RowSuite): page = "alias"; make(n) ...; new = {...}; bad = {...}
RULES        ReadSuite: list, search, odd questions, permissions, no query more for more rows.
             RowSuite adds: add, refuse beside the field, change, delete, in bulk too, CSRF, markup.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from panel.models import Change

Staff = Callable[..., Client]
MARKUP = "<script>alert(1)</script>"
ODD_QUESTIONS = (
    "?q=%00",
    "?q=" + "x" * 5000,
    "?q=%27%22%5C%25_",
    "?p=99999999",
    "?p=x",
    "?o=99.-1.x",
    "?enabled__exact=maybe",
    "?table__id__exact=%00",
    "?table__id__exact=99999999999999999999999",
    "?domain__id__exact=x",
    "?nonsense__x=1",
    "?e=1",
    "?all=",
)


class Pages:
    """The addresses of a model's pages."""

    app = "panel"
    page = ""

    def url(self, name: str, *args: Any) -> str:
        return reverse(f"admin:{self.app}_{self.page}_{name}", args=args)

    @property
    def list_url(self) -> str:
        return self.url("changelist")


class ReadSuite(Pages):
    """Pages to look at."""

    word = ""  # finds row 1 of make() and no other one

    def make(self, number: int) -> Model:
        """A row; the numbers tell them apart."""
        raise NotImplementedError

    def shown(self, row: Any) -> str:
        """What the list says of a row."""
        return str(row)

    def test_it_works(self, admin: Client) -> None:
        row = self.make(1)
        response = admin.get(self.list_url)
        assert response.status_code == 200
        assert html.escape(self.shown(row)) in response.text
        assert admin.get(self.url("change", row.pk)).status_code == 200

    def test_it_searches(self, admin: Client) -> None:
        rows = [self.make(number) for number in (1, 2, 3)]
        response = admin.get(self.list_url, {"q": self.word})
        assert [row.pk for row in response.context_data["cl"].result_list] == [rows[0].pk]
        assert "Nothing found" in admin.get(self.list_url, {"q": "no-such-row"}).text

    def test_it_bears_odd_questions(self, admin: Client) -> None:
        self.make(1)
        for question in ODD_QUESTIONS:
            response = admin.get(self.list_url + question, follow=True)
            assert response.status_code == 200, question

    def test_it_asks_no_more_for_more_rows(self, admin: Client) -> None:
        self.make(1)
        admin.get(self.list_url)  # content types and the like are kept
        with CaptureQueriesContext(connection) as few:
            admin.get(self.list_url)
        for number in range(2, 12):
            self.make(number)
        with CaptureQueriesContext(connection) as many:
            admin.get(self.list_url)
        assert len(many) <= len(few), [query["sql"] for query in many.captured_queries]
        assert len(many) <= 25

    def test_it_requires_a_login(self, client: Client, well_known: None) -> None:
        response = client.get(self.list_url)
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("admin:login"))

    def test_it_requires_permission(self, staff: Staff) -> None:
        row = self.make(1)
        client = staff()
        for url in (self.list_url, self.url("change", row.pk)):
            assert client.get(url).status_code == 403, url

    def test_it_lets_look_who_may_look(self, staff: Staff) -> None:
        row = self.make(1)
        client = staff(f"view_{self.page}")
        assert client.get(self.list_url).status_code == 200
        assert client.get(self.url("change", row.pk)).status_code == 200
        for method in (client.get, client.post):
            assert method(self.url("delete", row.pk)).status_code == 403
        assert client.post(self.url("change", row.pk), {}).status_code == 403


class RowSuite(ReadSuite):
    """Pages to edit on."""

    new: dict[str, Any] = {}  # a form that makes a good row
    bad: dict[str, dict[str, Any]] = {}  # field -> what to write to have an error beside it
    changed: dict[str, Any] = {}  # what to write to change a row
    hostile: dict[str, Any] = {}  # a form whose texts are markup; {}: no row can hold any
    has_switch = True  # may be enabled and disabled

    @property
    def model(self) -> Any:
        return type(self.make(1))

    def filled(self, row: Any, admin: Client) -> dict[str, Any]:
        """The form of a row as the page shows it."""
        form = admin.get(self.url("change", row.pk)).context_data["adminform"].form
        values = {bound.html_name: bound.value() for bound in form}
        return {
            name: value
            for name, value in values.items()
            if value is not None and value is not False
        }

    def errors(self, response: Any) -> dict[str, Any]:
        """field -> errors of the page."""
        return dict(response.context_data["adminform"].form.errors)

    def test_it_adds(self, admin: Client) -> None:
        assert admin.get(self.url("add")).status_code == 200
        before = set(self.rows())
        response = admin.post(self.url("add"), self.new)
        assert response.status_code == 302, self.errors(response)
        added = set(self.rows()) - before
        assert len(added) == 1
        assert "wp-edit" in admin.get(response["Location"]).text
        assert Change.objects.filter(actor="admin", source="admin", operation="insert").exists()

    def rows(self) -> list[int]:
        """All ids."""
        return list(self.admin_class().values_list("pk", flat=True))

    def admin_class(self) -> Any:
        """The rows that the pages are about."""
        from django.apps import apps

        return apps.get_model(self.app, self.page).objects.all()

    def test_it_says_beside_the_field_what_is_wrong(self, admin: Client) -> None:
        assert self.bad
        before = set(self.rows())
        for name, wrong in self.bad.items():
            field = name.partition(" ")[0]  # several may go wrong in one field
            response = admin.post(self.url("add"), {**self.new, **wrong})
            assert response.status_code == 200, (name, wrong)
            errors = self.errors(response)
            assert field in errors, (name, errors)
            assert html.escape(errors[field][0]) in response.text
            assert len(errors[field]) == 1, errors
        assert set(self.rows()) == before
        assert not Change.objects.filter(actor="admin").exists()

    def test_it_refuses_the_same_row_again(self, admin: Client) -> None:
        assert admin.post(self.url("add"), self.new).status_code == 302
        before = self.rows()
        response = admin.post(self.url("add"), self.new)
        assert response.status_code == 200
        errors = self.errors(response)
        assert errors
        assert "__all__" not in errors
        assert self.rows() == before

    def test_it_changes(self, admin: Client) -> None:
        row = self.make(1)
        response = admin.post(
            self.url("change", row.pk), {**self.filled(row, admin), **self.changed}
        )
        assert response.status_code == 302, self.errors(response)
        change = Change.objects.first()
        assert (change.actor, change.operation, change.row) == ("admin", "update", row.pk)

    def test_saving_without_a_change_changes_nothing(self, admin: Client) -> None:
        row = self.make(1)
        response = admin.post(self.url("change", row.pk), self.filled(row, admin))
        assert response.status_code == 302, self.errors(response)
        assert not Change.objects.filter(actor="admin").exists()
        assert "wp-edit" not in admin.get(response["Location"]).text

    def test_it_deletes_after_asking(self, admin: Client) -> None:
        row = self.make(1)
        assert admin.get(self.url("delete", row.pk)).status_code == 200
        assert row.pk in self.rows()
        assert admin.post(self.url("delete", row.pk), {"post": "yes"}).status_code == 302
        assert row.pk not in self.rows()

    def act(self, client: Client, action: str, rows: list[Any], **more: Any) -> Any:
        """A bulk action on rows."""
        chosen = {"action": action, "_selected_action": [row.pk for row in rows], **more}
        return client.post(self.list_url, chosen, follow=True)

    def test_it_deletes_many_after_asking(self, admin: Client) -> None:
        rows = [self.make(number) for number in (1, 2, 3)]
        asked = self.act(admin, "delete_selected", rows[:2], index=0)
        assert "2 rows" in asked.text
        assert rows[0].pk in self.rows()
        done = self.act(admin, "delete_selected", rows[:2], confirmed="yes")
        assert "2 deleted." in done.text
        left = self.rows()
        assert rows[0].pk not in left
        assert rows[1].pk not in left
        assert rows[2].pk in left

    def test_it_acts_on_all_that_match(self, admin: Client) -> None:
        rows = [self.make(number) for number in (1, 2, 3)]
        url = f"{self.list_url}?q={self.word}"
        chosen = {"action": "delete_selected", "select_across": "1", "confirmed": "yes"}
        admin.post(url, {**chosen, "_selected_action": [rows[0].pk]})
        left = self.rows()
        assert rows[0].pk not in left
        assert rows[1].pk in left

    def test_it_switches_rows_off_and_on(self, admin: Client) -> None:
        if not self.has_switch:
            assert "disable" not in admin.get(self.list_url).text.lower().split("action-select")
            return
        rows = [self.make(number) for number in (1, 2)]
        assert self.enabled(rows) == [True, True]
        assert "left out" in self.act(admin, "disable", rows, index=0).text
        assert self.enabled(rows) == [True, True]
        self.act(admin, "disable", rows, confirmed="yes")
        assert self.enabled(rows) == [False, False]
        self.act(admin, "enable", rows, index=0)
        assert self.enabled(rows) == [True, True]

    def enabled(self, rows: list[Any]) -> list[bool]:
        found = dict(self.admin_class().values_list("pk", "enabled"))
        return [found[row.pk] for row in rows]

    def test_it_requires_permission_for_each_thing(self, staff: Staff) -> None:
        row = self.make(1)
        client = staff(f"view_{self.page}")
        assert client.get(self.url("add")).status_code == 403
        assert client.post(self.url("add"), self.new).status_code == 403
        for action in ("delete_selected", "enable", "disable", "move"):
            self.act(client, action, [row], confirmed="yes")
        assert row.pk in self.rows()
        if self.has_switch:
            assert self.enabled([row]) == [True]
        assert not Change.objects.filter(actor="sam").exists()

    def test_it_lets_do_who_may_do(self, staff: Staff) -> None:
        row = self.make(1)
        client = staff(f"add_{self.page}", f"view_{self.page}", name="ann")
        assert client.post(self.url("add"), self.new).status_code == 302
        assert client.post(self.url("delete", row.pk), {"post": "yes"}).status_code == 403
        remover = staff(f"delete_{self.page}", f"view_{self.page}", name="ray")
        assert remover.post(self.url("delete", row.pk), {"post": "yes"}).status_code == 302

    def test_it_requires_the_csrf_token(self, admin: Client) -> None:
        row = self.make(1)
        strict = Client(enforce_csrf_checks=True)
        strict.cookies = admin.cookies
        before = self.rows()
        for url, data in (
            (self.url("add"), self.new),
            (self.url("delete", row.pk), {"post": "yes"}),
            (self.list_url, {"action": "delete_selected", "confirmed": "yes",
                             "_selected_action": [row.pk]}),
        ):  # fmt: skip
            assert strict.post(url, data).status_code == 403, url
        assert self.rows() == before

    def test_it_shows_markup_as_text(self, admin: Client) -> None:
        if not self.hostile:
            return
        before = set(self.rows())
        response = admin.post(self.url("add"), {**self.new, **self.hostile})
        assert response.status_code == 302, self.errors(response)
        (key,) = set(self.rows()) - before
        pages = [
            admin.get(response["Location"]),
            admin.get(self.url("change", key)),
            admin.get(self.url("delete", key)),
            self.act(admin, "delete_selected", list(self.admin_class().filter(pk=key)), index=0),
            admin.get(reverse("admin:panel_change_changelist")),
            admin.get(reverse("admin:panel_change_change", args=[Change.objects.first().pk])),
            admin.get(reverse("admin:index")),
        ]
        for page in pages:
            assert page.status_code == 200
            assert MARKUP not in page.text
        assert html.escape(MARKUP) in pages[0].text + pages[1].text

    def test_its_history_is_the_change_record(self, admin: Client) -> None:
        row = self.make(1)
        response = admin.get(self.url("history", row.pk), follow=True)
        found = response.context_data["cl"].result_list
        assert [change.row for change in found] == [row.pk]
