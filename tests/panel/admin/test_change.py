"""Pages of the change record."""

from __future__ import annotations

from django.test import Client
from django.urls import reverse

from panel.models import Change, Domain, Mailbox
from panel.services.changes import acting
from tests.panel.admin.suite import MARKUP, ReadSuite


class TestChange(ReadSuite):
    page = "change"
    word = "amy"

    def make(self, number: int) -> Change:
        with acting({1: "amy"}.get(number, f"user{number}")):
            Domain.objects.create(name=f"n{number}.example")
        return Change.objects.all()[0]

    def shown(self, row: Change) -> str:
        return str((row.after or {})["name"])

    def test_nobody_edits_them(self, admin: Client) -> None:
        row = self.make(1)
        for url in (self.url("add"), self.url("delete", row.pk), self.url("change", row.pk)):
            assert admin.post(url, {"actor": "eve", "post": "yes"}).status_code == 403
        assert not Change.objects.filter(actor="eve").exists()

    def test_before_and_after_stand_side_by_side(self, admin: Client) -> None:
        domain = Domain.objects.create(name="one.example", description="old")
        domain.description = MARKUP
        domain.save()
        change = Change.objects.all()[0]
        page = admin.get(self.url("change", change.pk)).text
        assert ">old<" in page
        assert "&lt;script&gt;" in page
        assert MARKUP not in page
        assert reverse("admin:panel_domain_change", args=[domain.pk]) in page
        domain.delete()
        gone = Change.objects.all()[0]
        assert gone.operation == "delete"
        page = admin.get(self.url("change", gone.pk)).text
        assert reverse("admin:panel_domain_change", args=[domain.pk or 0]) not in page

    def test_it_finds_the_changes_of_a_row_and_of_a_revision(self, admin: Client) -> None:
        change = self.make(1)
        self.make(2)
        for word in (f"domain:{change.row}", "amy"):
            found = admin.get(self.list_url, {"q": word}).context_data["cl"].result_list
            assert [row.pk for row in found] == [change.pk], word
        found = admin.get(self.list_url, {"q": str(change.revision)}).context_data["cl"]
        assert change in found.result_list
        for word in ("domain:", ":", "domain:x", "9" * 40, "domain:" + "9" * 40):
            assert admin.get(self.list_url, {"q": word}).status_code == 200

    def test_it_filters(self, admin: Client) -> None:
        self.make(1)
        for question in ("what=domain", "what=imaginary", "pending=1", "operation__exact=insert"):
            assert admin.get(f"{self.list_url}?{question}").status_code == 200

    def test_passwords_are_masked(self, admin: Client) -> None:
        mailbox = Mailbox(domain=Domain.objects.create(name="one.example"), local_part="joe")
        mailbox.set_password("correct horse")
        mailbox.save()
        change = Change.objects.filter(model="mailbox").first()
        for page in (admin.get(self.list_url), admin.get(self.url("change", change.pk))):
            assert "argon2" not in page.text
