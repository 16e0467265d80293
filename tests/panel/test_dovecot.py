"""docs/DOVECOT.md: the statements that it gives a Dovecot see what they need, and no more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.db import ProgrammingError, connection, transaction

from panel.models import Domain, Mailbox
from panel.models.mailbox import HASHER

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "DOVECOT.md").read_text()
pytestmark = pytest.mark.django_db


def statement(name: str, login: str) -> str:
    """One query, with Dovecot's variables filled in: %Lu, %Ln and %Ld are in lower case."""
    [text] = re.findall(rf"^{name} = (.+)$", PAGE, flags=re.MULTILINE)
    user = login.lower()
    name, _, domain = user.partition("@")
    return text.replace("%Lu", user).replace("%Ln", name).replace("%Ld", domain)


def rows(name: str, login: str) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement(name, login))
        return cursor.fetchall()


def mailbox(domain: Domain, local_part: str, *, password: str, enabled: bool = True) -> None:
    hashed = HASHER.hash(password) if password else ""
    Mailbox.objects.create(domain=domain, local_part=local_part, password=hashed, enabled=enabled)


@pytest.fixture(autouse=True)
def dovecot() -> None:
    """The role that the page makes, with the rights that it is given there."""
    used = Domain.objects.create(name="used.example", kind="virtual_mailbox")
    unused = Domain.objects.create(name="unused.example", kind="virtual_mailbox", enabled=False)
    mailbox(used, "ann", password="correct horse")
    mailbox(used, "off", password="correct horse", enabled=False)
    mailbox(used, "open", password="")
    mailbox(unused, "ann", password="correct horse")
    [grants] = re.findall(r"```sql\n(.+?)```", PAGE, flags=re.DOTALL)
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE dovecot")
        cursor.execute(grants)
        cursor.execute("SET LOCAL ROLE dovecot")


def test_it_works() -> None:
    [(user, password)] = rows("password_query", "Ann@Used.example")
    assert user == "ann@used.example"
    assert HASHER.verify(password.removeprefix("{ARGON2ID}"), "correct horse")
    [(home,)] = rows("user_query", "Ann@Used.example")
    assert home == "/var/lib/waypost/mail/used.example/ann"


@pytest.mark.parametrize(
    "login", ["off@used.example", "open@used.example", "ann@unused.example", "no@used.example"]
)
def test_others_do_not_get_in(login: str) -> None:
    assert rows("password_query", login) == []


@pytest.mark.parametrize("table", ["panel_change", "auth_user", "panel_apitoken", "panel_mailbox"])
def test_it_sees_nothing_else(table: str) -> None:
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"SELECT * FROM {table}")
