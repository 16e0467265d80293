"""Pages of mailboxes."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from panel.models import Change, Domain, Mailbox
from tests.panel.admin.suite import MARKUP, RowSuite

GOOD = "correct horse battery"


@pytest.fixture(autouse=True)
def domains(well_known: None) -> None:
    Domain.objects.create(name="example.com")
    Domain.objects.create(name="relay.example", kind="relay")


class TestMailbox(RowSuite):
    page = "mailbox"
    word = "one@exam"
    new = {
        "mail_address": "Joe@Example.com",
        "full_name": "Joe",
        "password1": GOOD,
        "password2": GOOD,
        "quota_bytes": "1.5 GB",
        "enabled": "on",
    }
    changed = {"quota_bytes": "200 MB"}
    bad = {
        "mail_address": {"mail_address": "no-at-sign"},
        "mail_address empty": {"mail_address": ""},
        "mail_address unknown": {"mail_address": "joe@elsewhere.example"},
        "mail_address relay": {"mail_address": "joe@relay.example"},
        "mail_address slash": {"mail_address": "a/../b@example.com"},
        "mail_address long": {"mail_address": "x" * 400 + "@example.com"},
        "mail_address control": {"mail_address": "a\x02b@example.com"},
        "password1": {"password1": "x9#kQ2z", "password2": "x9#kQ2z"},
        "password2": {"password2": "another one entirely"},
        "quota_bytes": {"quota_bytes": "lots"},
        "quota_bytes zero": {"quota_bytes": "0"},
        "quota_bytes huge": {"quota_bytes": "999999999999 TB"},
    }
    hostile = {"mail_address": "m@example.com", "full_name": MARKUP}

    def make(self, number: int) -> Mailbox:
        local = {1: "one"}.get(number, f"n{number}")
        return Mailbox.objects.create(
            domain=Domain.objects.get(name="example.com"), local_part=local
        )

    def test_it_keeps_what_was_written(self, admin: Client) -> None:
        admin.post(self.url("add"), self.new)
        mailbox = Mailbox.objects.get(address="joe@example.com")
        assert mailbox.quota_bytes == 3 * 2**29
        assert mailbox.check_password(GOOD)
        filled = self.filled(mailbox, admin)
        assert (filled["mail_address"], filled["quota_bytes"]) == ("joe@example.com", "1536 MB")

    def test_a_password_is_never_shown(self, admin: Client) -> None:
        admin.post(self.url("add"), self.new)
        mailbox = Mailbox.objects.get(address="joe@example.com")
        refused = admin.post(self.url("add"), {**self.new, "quota_bytes": "lots"})
        change = Change.objects.filter(model="mailbox").first()
        for page in (
            refused,
            admin.get(self.list_url),
            admin.get(self.url("change", mailbox.pk)),
            admin.get(reverse("admin:panel_change_change", args=[change.pk])),
        ):
            assert GOOD not in page.text
            assert "argon2" not in page.text

    def test_an_empty_password_stays(self, admin: Client) -> None:
        mailbox = self.make(1)
        mailbox.set_password(GOOD)
        mailbox.save()
        admin.post(
            self.url("change", mailbox.pk), {**self.filled(mailbox, admin), "full_name": "One"}
        )
        mailbox.refresh_from_db()
        assert mailbox.full_name == "One"
        assert mailbox.check_password(GOOD)

    def test_a_password_can_be_taken_away(self, admin: Client) -> None:
        mailbox = self.make(1)
        mailbox.set_password(GOOD)
        mailbox.save()
        admin.post(
            self.url("change", mailbox.pk), {**self.filled(mailbox, admin), "no_login": "on"}
        )
        mailbox.refresh_from_db()
        assert mailbox.password == ""

    def test_it_moves_to_another_domain(self, admin: Client) -> None:
        Domain.objects.create(name="other.example")
        mailbox = self.make(1)
        form = {**self.filled(mailbox, admin), "mail_address": "two@other.example"}
        assert admin.post(self.url("change", mailbox.pk), form).status_code == 302
        mailbox.refresh_from_db()
        assert (mailbox.address, mailbox.domain.name) == ("two@other.example", "other.example")

    def test_it_refuses_an_address_that_is_taken(self, admin: Client) -> None:
        self.make(1)
        response = admin.post(self.url("add"), {**self.new, "mail_address": "one@example.com"})
        assert list(self.errors(response)) == ["mail_address"]
        assert Mailbox.objects.count() == 1
