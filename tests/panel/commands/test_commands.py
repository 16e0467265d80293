"""The commands of the contract: create_token, first_start, publish, lint."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from panel.models import ApiToken, Change, Domain, Generation, Mailbox, Node, Table, VirtualEntry
from panel.services.nodes import activate
from panel.services.tokens import find_token
from tests.panel.twins import EngineTwin


def run(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out, stderr=out)
    return out.getvalue()


@pytest.mark.django_db
class TestCreateToken:
    def test_it_works(self) -> None:
        User.objects.create_user("amy")
        text = run("create_token", "amy", "--name", "backup", "--scope", "read", "--days", "3")
        token = find_token(text.strip())
        assert token is not None
        assert (token.name, token.scope) == ("backup", "read")
        assert token.expires is not None

    @pytest.mark.parametrize("arguments", [["bob"], ["amy", "--days", "0"], ["amy", "--name", ""]])
    def test_it_rejects(self, arguments: list[str]) -> None:
        User.objects.create_user("amy")
        with pytest.raises(CommandError):
            run("create_token", *arguments)
        assert not ApiToken.objects.exists()


@pytest.mark.django_db
class TestFirstStart:
    def test_it_works(self) -> None:
        said = run("first_start")
        admin = User.objects.get(username="admin")
        password = said.splitlines()[0].split()[-1]
        assert admin.check_password(password)
        assert admin.is_superuser
        assert admin.password.startswith("argon2")
        assert Node.objects.get().queue == "node.local"
        mailbox = Mailbox.objects.get()
        assert mailbox.address == "joe@example.test"
        assert mailbox.check_password(said.splitlines()[1].split()[-1])
        assert VirtualEntry.objects.get().destinations == ["joe@example.test"]
        assert Change.objects.first().actor == "admin"

    def test_a_second_time_it_does_nothing(self) -> None:
        run("first_start")
        Domain.objects.all().delete()
        assert run("first_start") == ""
        assert not Domain.objects.exists()

    def test_it_takes_the_password_given_and_does_not_print_it(self, settings) -> None:
        settings.WAYPOST_ADMIN_PASSWORD = "correct horse battery"
        assert "correct horse" not in run("first_start")
        assert User.objects.get().check_password("correct horse battery")


@pytest.mark.usefixtures("committed")
class TestPublish:
    def test_it_works(self) -> None:
        assert run("publish") == "Generation 1 is published.\n"
        assert Generation.objects.get().state == "published"

    def test_it_waits_until_it_is_live(self, home: Path) -> None:
        Node.objects.create(name="local")
        run("publish")
        with EngineTwin(home):
            activate("local")
            assert "live on every node" in run("publish", "--wait")

    def test_it_says_when_it_is_not_live_in_time(self) -> None:
        Node.objects.create(name="local")
        with pytest.raises(CommandError, match="not live"):
            run("publish", "--wait", "--timeout", "0.1")

    def test_the_diff_lists_what_is_pending_and_publishes_nothing(self) -> None:
        run("publish")
        Domain.objects.create(name="example.com")
        said = run("publish", "--diff")
        assert "domain:" in said
        assert "name: None -> 'example.com'" in said
        assert Generation.objects.count() == 1

    def test_it_fails_with_the_report(self) -> None:
        break_rows()
        with pytest.raises(CommandError, match="refused"):
            run("publish")


@pytest.mark.usefixtures("well_known")
class TestLint:
    def test_it_works(self) -> None:
        assert "0 errors" in run("lint")

    def test_it_counts_as_people_do(self) -> None:
        Table.objects.create(name="forgotten", type="hash", kind="text")
        assert run("lint").endswith("\n0 errors, 1 warning\n")

    def test_errors_make_it_fail(self) -> None:
        pk = break_rows()
        out = StringIO()
        with pytest.raises(SystemExit):
            call_command("lint", "--json", stdout=out)
        report = json.loads(out.getvalue())
        assert report["error_count"] == 1
        assert report["errors"][0]["row"] == f"entry:{pk}"


def break_rows() -> int:
    """An entry that no form lets through."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO panel_entry (table_id, key, lookup_key, value) "
            "VALUES (%s, 'joe@example.com', 'joe@example.com', '') RETURNING id",
            [Table.objects.get(name="virtual").pk],
        )
        return int(cursor.fetchone()[0])
