"""Pages of restriction lists and their members."""

from __future__ import annotations

from typing import Any

from django.test import Client

from panel.models import Change, Restriction, RestrictionList, Table
from panel.validators import RESTRICTION_LISTS
from tests.panel.admin.suite import MARKUP, RowSuite

NAMES = ["smtpd_helo_restrictions", *sorted(RESTRICTION_LISTS - {"smtpd_helo_restrictions"})]


def members(*rows: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    """The part of the form that holds the members."""
    form: dict[str, Any] = {
        "members-TOTAL_FORMS": len(rows),
        "members-INITIAL_FORMS": initial,
        "members-MIN_NUM_FORMS": 0,
        "members-MAX_NUM_FORMS": 500,
    }
    for number, row in enumerate(rows):
        form |= {f"members-{number}-{name}": value for name, value in row.items()}
    return form


class TestRestrictionList(RowSuite):
    page = "restrictionlist"
    word = "helo"
    has_switch = False
    new = {"name": "insiders", "is_class": "on", **members()}
    changed = {"description": "Ours"}
    bad = {
        "name": {"name": "smtpd_recipient_restrictions"},
        "name empty": {"name": ""},
        "name taken": {"name": "permit_mynetworks"},
        "name markup": {"name": MARKUP},
    }
    hostile = {"description": MARKUP, "name": "markup"}

    def make(self, number: int) -> RestrictionList:
        is_class = number > len(NAMES)
        name = f"class{number}" if is_class else NAMES[number - 1]
        made = RestrictionList.objects.create(name=name, is_class=is_class)
        Restriction.objects.create(list=made, name="permit_mynetworks", position=1)
        return made

    def filled(self, row: Any, admin: Client) -> dict[str, Any]:
        kept = [
            {"id": each.pk, "list": row.pk, "position": each.position, "name": each.name}
            for each in row.members.all()
        ]
        return {**super().filled(row, admin), **members(*kept, initial=len(kept))}

    def test_it_adds(self, admin: Client) -> None:
        super().test_it_adds(admin)
        row = RestrictionList.objects.get(name="insiders")
        assert row.is_class

    def test_members_keep_the_order_in_which_they_were_put(self, admin: Client) -> None:
        table = Table.objects.create(name="clients", kind="access", type="cidr")
        form = {
            "name": "smtpd_recipient_restrictions",
            **members(
                {"position": "3", "name": "reject_unauth_destination"},
                {"position": "", "name": "reject_rbl_client", "argument": "list.example.com"},
                {"position": "1", "name": "permit_mynetworks"},
                {"position": "2", "name": "check_client_access", "table": table.pk,
                 "warn_if_reject": "on"},
                {"position": "", "name": "sleep", "argument": "5"},
            ),
        }  # fmt: skip
        assert admin.post(self.url("add"), form).status_code == 302
        row = RestrictionList.objects.get(name="smtpd_recipient_restrictions")
        assert [(each.position, each.text) for each in row.members.all()] == [
            (1, "permit_mynetworks"),
            (2, "warn_if_reject check_client_access cidr:clients"),
            (3, "reject_unauth_destination"),
            (4, "reject_rbl_client list.example.com"),
            (5, "sleep 5"),
        ]

    def test_members_are_reordered_and_removed(self, admin: Client) -> None:
        row = self.make(1)
        second = Restriction.objects.create(list=row, name="permit", position=2)
        third = Restriction.objects.create(list=row, name="reject", position=3)
        first = row.members.first()
        form = {
            "name": row.name,
            **members(
                {"id": first.pk, "list": row.pk, "position": 2, "name": first.name},
                {"id": second.pk, "list": row.pk, "position": 1, "name": "permit", "DELETE": "on"},
                {"id": third.pk, "list": row.pk, "position": 0, "name": "reject"},
                initial=3,
            ),
        }
        assert admin.post(self.url("change", row.pk), form).status_code == 302
        kept = list(row.members.values_list("position", "name"))
        assert kept == [(1, "reject"), (2, "permit_mynetworks")]

    def test_it_says_beside_the_member_what_is_wrong(self, admin: Client) -> None:
        before = Change.objects.count()
        for wrong in (
            {"name": "no_such_restriction"},
            {"name": "check_client_access"},
            {"name": "check_client_access", "argument": "nothing"},
            {"name": "sleep", "argument": "long"},
            {"name": MARKUP},
            {"name": ""},
            {"name": "permit", "position": "-1"},
        ):
            form = {"name": "smtpd_helo_restrictions", **members({"position": "1", **wrong})}
            response = admin.post(self.url("add"), form)
            assert response.status_code == 200, wrong
            (formset,) = response.context_data["inline_admin_formsets"]
            assert formset.formset.errors[0], wrong
            assert MARKUP not in response.text
        assert Change.objects.count() == before

    def test_a_class_may_be_a_member(self, admin: Client) -> None:
        RestrictionList.objects.create(name="insiders_only", is_class=True)
        assert "insiders_only" in admin.get(self.url("add")).text
        form = {"name": "smtpd_helo_restrictions", **members({"name": "insiders_only"})}
        assert admin.post(self.url("add"), form).status_code == 302

    def test_more_members_ask_no_more_for_the_page(
        self, admin: Client, django_assert_max_num_queries: Any
    ) -> None:
        row = self.make(1)
        table = Table.objects.create(name="clients", kind="access")
        for number in range(2, 30):
            Restriction.objects.create(
                list=row, name="check_client_access", table=table, position=number
            )
        with django_assert_max_num_queries(25):
            admin.get(self.list_url)
