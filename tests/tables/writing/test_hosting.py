"""compile_hosting: domains and mailboxes become tables, named by parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from tables.addresses import Address
from tables.writing.hosting import DISABLED, TABLES, mailbox_path

from .records import Compiled, domain, mailbox, rows, table

DOMAINS = [
    domain("local.example", "local"),
    domain("alias.example", "virtual_alias"),
    domain("hosted.example", "virtual_mailbox"),
    domain("relay.example", "relay"),
]


def test_it_works(tmp_path: Path) -> None:
    compiled = Compiled(
        tmp_path,
        rows(
            domains=DOMAINS,
            mailboxes=[
                mailbox("ann@hosted.example", quota=5000),
                mailbox("bob@hosted.example", enabled=False),
                mailbox("cat@local.example", "local"),
            ],
        ),
    )
    assert compiled.errors == compiled.warnings == []
    answers = {
        ("mydestination", "local.example"): "local",
        ("mydestination", "hosted.example"): None,
        ("virtual_alias_domains", "alias.example"): "virtual_alias",
        ("virtual_mailbox_domains", "hosted.example"): "virtual_mailbox",
        ("relay_domains", "relay.example"): "relay",
        ("virtual_mailbox_maps", "ann@hosted.example"): "hosted.example/ann/Maildir/",
        ("virtual_mailbox_maps", "bob@hosted.example"): "hosted.example/bob/Maildir/",
        ("virtual_mailbox_maps", "cat@local.example"): "local.example/cat/Maildir/",
        ("virtual_mailbox_limit_maps", "ann@hosted.example"): "5000",
        ("virtual_mailbox_limit_maps", "bob@hosted.example"): None,
        ("local_recipient_maps", "cat@local.example"): "local.example/cat/Maildir/",
        ("local_recipient_maps", "ann@hosted.example"): None,
        ("mailbox_transport_maps", "cat"): "virtual:",
        ("mailbox_transport_maps", "ann"): None,
        ("transport_maps", "bob@hosted.example"): DISABLED,
        ("transport_maps", "ann@hosted.example"): None,
    }
    found = {
        (name, key): compiled.snapshot.maps(f"hash:{table_of(name)}").get(key)
        for name, key in answers
    }
    assert found == answers
    for name, (parameter, _) in TABLES.items():
        assert f"hash:{name}" in compiled.snapshot.parameters.items(parameter), parameter


def table_of(parameter: str) -> str:
    return next(name for name, (named, _) in TABLES.items() if named == parameter)


def test_it_stands_behind_what_is_there(tmp_path: Path) -> None:
    """The defaults hold on, so do the administrator's tables; a refusal comes first."""
    compiled = Compiled(
        tmp_path,
        rows(
            tables=[
                table("transport", {}, kind="transport"),
                table("aliases", {}, kind="aliases"),
                table("own", {}, kind="recipients"),
            ],
            values={
                "transport_maps": "hash:transport",
                "alias_maps": "hash:aliases",
                "virtual_mailbox_maps": "hash:own",
            },
            domains=DOMAINS,
            mailboxes=[mailbox("cat@local.example", "local", enabled=False)],
        ),
    )
    assert compiled.errors == compiled.warnings == []
    written = compiled.content.parameters
    assert written["transport_maps"] == "hash:hosting-transport, hash:transport"
    assert written["virtual_mailbox_maps"] == "hash:own, hash:hosting-mailboxes"
    assert written["local_recipient_maps"] == "$alias_maps, hash:hosting-local-recipients"
    assert written["mydestination"] == (
        "$myhostname, localhost.$mydomain, localhost, hash:hosting-local-domains"
    )


def test_it_leaves_recipients_unchecked_when_that_was_asked_for(tmp_path: Path) -> None:
    """postconf(5): an empty local_recipient_maps turns the check off."""
    compiled = Compiled(
        tmp_path,
        rows(
            values={"local_recipient_maps": ""},
            domains=DOMAINS,
            mailboxes=[mailbox("cat@local.example", "local")],
        ),
    )
    assert compiled.content.parameters["local_recipient_maps"] == ""


def test_it_compiles_nothing_for_nothing(tmp_path: Path) -> None:
    compiled = Compiled(tmp_path, rows())
    assert compiled.content.tables == {}
    assert set(compiled.content.parameters) == {"smtpd_relay_restrictions"}
    assert not list(tmp_path.rglob("objects/*"))


@pytest.mark.parametrize(
    ("local", "path"),
    [
        ("joe", "d.example/joe/Maildir/"),
        ("joe.smith+x", "d.example/joe.smith+x/Maildir/"),
        ("..", "d.example/%2E./Maildir/"),
        (".", "d.example/%2E/Maildir/"),
        ("../../etc", "d.example/%2E.%2F..%2Fetc/Maildir/"),
        ("/etc/passwd", "d.example/%2Fetc%2Fpasswd/Maildir/"),
        ("%2E", "d.example/%252E/Maildir/"),
        ("a b", "d.example/a b/Maildir/"),
        ("jürgen", "d.example/jürgen/Maildir/"),
    ],
)
def test_it_keeps_every_mailbox_inside_its_domain(local: str, path: str) -> None:
    assert mailbox_path(Address(local, "d.example")) == path


def test_it_stores_addresses_as_they_are_looked_up(tmp_path: Path) -> None:
    compiled = Compiled(
        tmp_path,
        rows(
            domains=[domain("HOSTED.example"), domain("xn--mller-kva.example")],
            mailboxes=[
                mailbox("Joe Smith@hosted.example"),
                mailbox("ann@müller.example"),
                mailbox("JOE@Hosted.Example"),
            ],
        ),
    )
    assert compiled.errors == []
    maps = compiled.maps("virtual_mailbox_maps")
    assert maps.get('"joe smith"@hosted.example') == "hosted.example/joe smith/Maildir/"
    assert maps.get("ann@xn--mller-kva.example") == "xn--mller-kva.example/ann/Maildir/"
    assert maps.get("joe@hosted.example") == "hosted.example/joe/Maildir/"


def test_it_takes_one_name_in_two_local_domains(tmp_path: Path) -> None:
    compiled = Compiled(
        tmp_path,
        rows(
            domains=[domain("a.example", "local"), domain("b.example", "local")],
            mailboxes=[mailbox("joe@a.example", "local"), mailbox("joe@b.example", "local")],
        ),
    )
    assert compiled.errors == compiled.warnings == []
    assert compiled.report.counts["hosting-local-mailboxes"] == 1


def test_it_refuses_a_domain_of_two_kinds(tmp_path: Path) -> None:
    compiled = Compiled(
        tmp_path,
        rows(domains=[domain("a.example", "local"), domain("A.example", "relay", "domain:2")]),
    )
    assert ("domain-class", "domain:2") in compiled.errors
    assert compiled.report.errors[0].message == (
        "Domain a.example is hosted twice, as local (domain:a.example) and as relay. "
        "A domain has one kind only: remove one of the two."
    )


@pytest.mark.parametrize("kind", ["virtual_alias", "relay"])
def test_it_refuses_a_mailbox_where_none_can_be(tmp_path: Path, kind: str) -> None:
    compiled = Compiled(
        tmp_path,
        rows(domains=[domain("a.example", kind)], mailboxes=[mailbox("joe@a.example", kind)]),
    )
    error = compiled.only_error
    assert (error.check, error.row) == ("mailbox-domain", "mailbox:joe@a.example")
    assert "Change the kind to virtual_mailbox or local" in error.message


def test_it_refuses_two_mailboxes_in_one_place(tmp_path: Path) -> None:
    mailboxes = [mailbox("joe@a.example", quota=1), mailbox("Joe@a.example", quota=2)]
    compiled = Compiled(tmp_path, rows(domains=[domain("a.example")], mailboxes=mailboxes))
    assert compiled.only_error.check == "conflict"
