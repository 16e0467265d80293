"""Pages of parameters."""

from __future__ import annotations

from django.test import Client
from django.urls import reverse

from panel.models import Parameter
from tests.panel.admin.suite import MARKUP, RowSuite

NAMES = {1: "myhostname", 2: "mydomain", 3: "myorigin"}
MORE = ("bounce_queue_lifetime", "smtpd_banner", "maximal_queue_lifetime", "mynetworks",
        "inet_interfaces", "smtp_helo_name", "message_size_limit", "mailbox_size_limit",
        "relayhost")  # fmt: skip


class TestParameter(RowSuite):
    page = "parameter"
    word = "myhost"
    has_switch = False
    new = {"name": "smtpd_helo_required", "value": "yes"}
    changed = {"value": "10d"}
    bad = {
        "name": {"name": "no_such_parameter"},
        "name empty": {"name": ""},
        "name markup": {"name": MARKUP[:90]},
        "value": {"value": "perhaps"},
        "value nul": {"value": "a\x00"},
    }
    hostile = {"name": "smtpd_banner", "value": MARKUP}

    def make(self, number: int) -> Parameter:
        name = NAMES.get(number) or MORE[number - 4]
        return Parameter.objects.create(name=name, value="5d")

    def test_the_page_says_what_it_does(self, admin: Client) -> None:
        row = Parameter.objects.create(name="smtpd_helo_required", value="yes")
        page = admin.get(self.url("change", row.pk)).text
        assert "yes or no" in page
        known = admin.get(
            reverse("admin:panel_parameter_describe"), {"name": "bounce_queue_lifetime"}
        ).json()
        assert known["default"] == "5d"
        assert known["type"].startswith("a time")
        unknown = admin.get(reverse("admin:panel_parameter_describe"), {"name": "x" * 10_000})
        assert unknown.json() == {}

    def test_names_are_offered_by_group_once(self, admin: Client) -> None:
        form = admin.get(self.url("add")).context_data["adminform"].form
        groups = dict(form.fields["name"].widget.choices)
        assert ("myhostname", "myhostname") in groups["This machine"]
        assert not any(("alias_maps", "alias_maps") in names for names in groups.values() if names)

    def test_a_parameter_of_one_transport_can_be_set(self, admin: Client) -> None:
        form = {"name": "slow_destination_rate_delay", "value": "5s"}
        assert admin.post(self.url("add"), form).status_code == 302
        wrong = {"name": "fast_destination_rate_delay", "value": "soon"}
        assert "value" in self.errors(admin.post(self.url("add"), wrong))

    def test_the_name_stays(self, admin: Client) -> None:
        row = self.make(1)
        form = {"name": "mydomain", "value": "mail.example.com"}
        assert admin.post(self.url("change", row.pk), form).status_code == 302
        row.refresh_from_db()
        assert (row.name, row.value) == ("myhostname", "mail.example.com")

    def test_it_filters_by_group(self, admin: Client) -> None:
        self.make(1)
        found = admin.get(self.list_url, {"group": "0"}).context_data["cl"].result_list
        assert [row.name for row in found] == ["myhostname"]
        assert admin.get(self.list_url, {"group": "99"}).status_code == 200
