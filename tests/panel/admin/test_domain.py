"""Pages of domains."""

from __future__ import annotations

from django.db import connection
from django.test import Client
from django.urls import reverse

from panel.models import Domain, DomainAlias, Mailbox
from tests.panel.admin.suite import MARKUP, RowSuite


class TestDomain(RowSuite):
    page = "domain"
    word = "one.ex"
    new = {"name": "New.Example", "kind": "relay", "enabled": "on"}
    changed = {"kind": "local"}
    bad = {
        "name": {"name": "no spaces.example"},
        "name empty": {"name": ""},
        "name long": {"name": "x" * 300},
        "name control": {"name": "a\x01b.example"},
        "name nul": {"name": "a\x00b.example"},
        "name markup": {"name": MARKUP},
        "kind": {"kind": "imaginary"},
    }
    hostile = {"name": "markup.example", "description": MARKUP}

    def make(self, number: int) -> Domain:
        name = {1: "one"}.get(number, f"n{number}")
        return Domain.objects.create(name=f"{name}.example")

    def test_it_shows_and_takes_unicode(self, admin: Client) -> None:
        admin.post(self.url("add"), {**self.new, "name": "bücher.example"})
        domain = Domain.objects.get(name="xn--bcher-kva.example")
        assert "bücher.example (xn--bcher-kva.example)" in admin.get(self.list_url).text
        assert self.filled(domain, admin)["name"] == "bücher.example"

    def test_it_tells_how_many_mailboxes_go_along(self, admin: Client) -> None:
        domain = self.make(1)
        for number in range(30):
            Mailbox.objects.create(domain=domain, local_part=f"m{number}")
        page = admin.get(self.url("delete", domain.pk)).text
        assert "Mailboxes: 30" in page
        assert "m7@" not in page
        assert f'domain__id__exact={domain.pk}">30</a>' in admin.get(self.list_url).text

    def test_who_may_not_delete_mailboxes_deletes_no_domain_with_some(self, staff) -> None:
        domain = self.make(1)
        Mailbox.objects.create(domain=domain, local_part="joe")
        client = staff("view_domain", "delete_domain")
        assert client.post(self.url("delete", domain.pk), {"post": "yes"}).status_code == 403
        page = self.act(client, "delete_selected", [domain], confirmed="yes")
        assert "You may not delete what would go along: mailbox." in page.text
        assert Domain.objects.filter(pk=domain.pk).exists()

    def test_a_domain_with_mailboxes_keeps_its_kind(self, admin: Client) -> None:
        domain = self.make(1)
        Mailbox.objects.create(domain=domain, local_part="joe")
        response = admin.post(
            self.url("change", domain.pk), {**self.filled(domain, admin), "kind": "relay"}
        )
        assert "This domain has mailboxes" in self.errors(response)["kind"][0]

    def test_what_the_database_alone_refuses_is_a_message(self, admin: Client) -> None:
        """As when two people save what contradicts each other in the same instant."""
        with connection.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE panel_domain ADD CONSTRAINT other_people CHECK (name <> 'new.example')"
            )
        response = admin.post(self.url("add"), self.new, follow=True)
        assert response.status_code == 200
        assert "Nothing was saved" in response.text
        assert not Domain.objects.exists()
        assert admin.post(self.url("add"), {**self.new, "name": "b.example"}).status_code == 302


class TestDomainAlias(RowSuite):
    page = "domainalias"
    word = "one.ex"
    changed = {"enabled": ""}
    bad = {
        "name": {"name": "no spaces.example"},
        "name empty": {"name": ""},
        "name markup": {"name": MARKUP},
        "name of a domain": {"name": "target.test"},
        "domain": {"domain": "999999"},
        "domain empty": {"domain": ""},
    }

    @property
    def domain(self) -> Domain:
        return Domain.objects.get_or_create(name="target.test")[0]

    @property
    def new(self) -> dict[str, str]:  # type: ignore[override]
        return {"name": "New.Example", "domain": str(self.domain.pk), "enabled": "on"}

    @property
    def hostile(self) -> dict[str, str]:  # type: ignore[override]
        return {"name": "markup.example", "description": MARKUP, "domain": str(self.domain.pk)}

    def make(self, number: int) -> DomainAlias:
        name = {1: "one"}.get(number, f"n{number}")
        return DomainAlias.objects.create(name=f"{name}.example", domain=self.domain)

    def test_it_goes_along_with_its_domain(self, admin: Client) -> None:
        self.make(1)
        url = reverse("admin:panel_domain_delete", args=[self.domain.pk])
        assert "Domain aliases: 1" in admin.get(url).text
