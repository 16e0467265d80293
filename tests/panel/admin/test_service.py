"""Pages of services."""

from __future__ import annotations

from django.test import Client

from panel.models import Service
from tests.panel.admin.suite import MARKUP, RowSuite


class TestService(RowSuite):
    page = "service"
    word = "one-serv"
    new = {
        "name": "slow",
        "type": "unix",
        "command": "smtp",
        "wakeup": "never",
        "unprivileged": "on",
        "private": "on",
        "enabled": "on",
        "overrides": "-o smtp_helo_name=mail.example.com\nsmtp_connect_timeout = 5s",
    }
    changed = {"overrides": "smtp_connect_timeout=7s"}
    bad = {
        "name": {"name": ""},
        "type": {"type": "imaginary"},
        "overrides": {"overrides": "no equals sign"},
        "overrides twice": {"overrides": "myhostname=a\nmyhostname=b"},
        "overrides unknown": {"overrides": "no_such_parameter=1"},
        "overrides value": {"overrides": "smtp_connect_timeout=soon"},
        "maxproc": {"maxproc": "-4"},
    }
    hostile = {"name": "markup", "overrides": f"smtp_helo_name={MARKUP}"}

    def make(self, number: int) -> Service:
        name = {1: "one-service"}.get(number, f"n{number}")
        return Service.objects.create(name=name, type="unix", command="smtp")

    def test_overrides_stand_one_in_each_line(self, admin: Client) -> None:
        admin.post(self.url("add"), self.new)
        service = Service.objects.get(name="slow")
        expected = {"smtp_helo_name": "mail.example.com", "smtp_connect_timeout": "5s"}
        assert service.overrides == expected
        assert self.filled(service, admin)["overrides"].splitlines() == [
            "smtp_helo_name=mail.example.com",
            "smtp_connect_timeout=5s",
        ]

    def test_a_port_that_is_none_is_refused(self, admin: Client) -> None:
        response = admin.post(
            self.url("add"), {**self.new, "name": "two words", "type": "inet", "private": ""}
        )
        assert self.errors(response)
        assert not Service.objects.exists()
