"""compile_rows: rows of every sort become a generation that answers, in any order, or a report."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from tables.errors import TableUnavailable
from tables.manifest import Content
from tables.specs import TYPES
from tables.writing.rows import Rows, TableRecord

from .records import Compiled, domain, mailbox, restrictions, rows, service, table

T = TypeVar("T")

VIRTUAL = table("virtual", {"Joe@Example.com": "joe@example.net", "@example.org": "a@b.example"})
ACCESS = table("protected", {"192.0.2": "REJECT", "example.com": "insiders_only"}, kind="access")
SOURCE = rows(
    tables=[VIRTUAL, ACCESS],
    values={"virtual_alias_maps": "hash:virtual", "queue_run_delay": "10m"},
    lists=[
        restrictions(
            "smtpd_recipient_restrictions",
            "permit_mynetworks",
            "warn_if_reject reject_unknown_client_hostname",
            "check_recipient_access hash:protected",
            "reject_unauth_destination",
        ),
        restrictions(
            "insiders_only", "check_sender_access hash:protected", "reject", is_class=True
        ),
    ],
    services=[service("smtp inet n - n - - smtpd"), service("587 inet n - n - - smtpd -o x=y")],
    domains=[domain("hosted.example"), domain("alias.example", "virtual_alias")],
    mailboxes=[mailbox("ann@hosted.example"), mailbox("bob@hosted.example", quota=5000)],
)


def test_it_works(tmp_path: Path) -> None:
    compiled = Compiled(tmp_path, SOURCE)
    assert compiled.errors == []
    assert compiled.warnings == [("parameter-name", "service:587")]
    assert compiled.content.parameters == {
        "queue_run_delay": "10m",
        "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
        "smtpd_recipient_restrictions": (
            "permit_mynetworks, warn_if_reject reject_unknown_client_hostname, "
            "check_recipient_access hash:protected, reject_unauth_destination"
        ),
        "smtpd_restriction_classes": "insiders_only",
        "insiders_only": "check_sender_access hash:protected, reject",
        "virtual_alias_maps": "hash:virtual",
        "virtual_alias_domains": "$virtual_alias_maps, hash:hosting-virtual-alias-domains",
        "virtual_mailbox_domains": "$virtual_mailbox_maps, hash:hosting-virtual-mailbox-domains",
        "virtual_mailbox_maps": "hash:hosting-mailboxes",
        "virtual_mailbox_limit_maps": "hash:hosting-mailbox-limits",
    }
    assert [item.name for item in compiled.content.services] == ["587", "smtp"]
    assert compiled.maps("virtual_alias_maps").get("joe@example.com") == "joe@example.net"
    assert compiled.report.counts == {
        "virtual": 2,
        "protected": 2,
        "hosting-virtual-alias-domains": 1,
        "hosting-virtual-mailbox-domains": 1,
        "hosting-mailboxes": 2,
        "hosting-mailbox-limits": 1,
    }


def test_it_compiles_nothing_to_nothing(tmp_path: Path) -> None:
    compiled = Compiled(tmp_path, Rows())
    assert compiled.content == Content()
    assert compiled.report.errors == []


def shuffled(source: Rows, random_: random.Random) -> Rows:
    """The same rows in another order."""

    def turned(items: Iterable[T]) -> tuple[T, ...]:
        found = list(items)
        random_.shuffle(found)
        return tuple(found)

    tables = tuple(
        replace(item, entries=partial(turned, item.entries())) for item in turned(source.tables)
    )
    return Rows(
        parameters=turned(source.parameters),
        services=turned(source.services),
        tables=tables,
        restriction_lists=turned(source.restriction_lists),
        domains=lambda: turned(source.domains()),
        mailboxes=lambda: turned(source.mailboxes()),
    )


@pytest.mark.parametrize("seed", range(10))
def test_it_gives_the_same_generation_for_the_same_rows(tmp_path: Path, seed: int) -> None:
    first = Compiled(tmp_path, SOURCE)
    second = Compiled(tmp_path, shuffled(SOURCE, random.Random(seed)))
    assert second.content.digest == first.content.digest
    assert second.report == first.report


@pytest.mark.parametrize("name", [name for name in TYPES if TYPES[name].indexed])
def test_it_compiles_every_indexed_type(tmp_path: Path, name: str) -> None:
    source = rows(
        tables=[table("t", {"a@b.example": "c@d.example"}, type=name)],
        values={"virtual_alias_maps": f"{name}:t"},
    )
    compiled = Compiled(tmp_path, source)
    assert compiled.report.errors == []
    assert compiled.maps("virtual_alias_maps").get("a@b.example") == "c@d.example"


def test_it_keeps_the_order_of_ordered_tables(tmp_path: Path) -> None:
    entries = [
        ("if /@example\\.com$/", ""),
        ("/^joe@/", "REJECT no joe"),
        ("endif", ""),
        ("/^(.*)@/", "REJECT no $1"),
        ("/^joe/", "OK"),
    ]
    source = rows(
        tables=[
            table("patterns", entries, type="regexp", kind="access"),
            table(
                "nets", {"192.0.2.0/24": "REJECT", "0.0.0.0/0": "OK"}, type="cidr", kind="access"
            ),
        ],
        lists=[
            restrictions("smtpd_sender_restrictions", "check_sender_access regexp:patterns"),
            restrictions("smtpd_client_restrictions", "check_client_access cidr:nets"),
        ],
    )
    compiled = Compiled(tmp_path, source)
    assert compiled.errors == compiled.warnings == []
    maps = compiled.snapshot.maps("regexp:patterns")
    assert maps.get("joe@example.com") == "REJECT no joe"
    assert maps.get("joe@example.org") == "REJECT no joe"
    assert maps.get("ann@example.com") == "REJECT no ann"
    assert compiled.snapshot.maps("cidr:nets").get("192.0.2.1") == "REJECT"
    assert compiled.report.counts == {"patterns": 5, "nets": 2}


def test_it_refuses_two_values_for_one_key(tmp_path: Path) -> None:
    source = rows(
        tables=[
            table("virtual", [("Joe@b.example", "x@b.example"), ("joe@b.example", "y@b.example")])
        ],
        values={"virtual_alias_maps": "hash:virtual"},
    )
    compiled = Compiled(tmp_path, source)
    error = compiled.only_error
    assert (error.check, error.row) == ("conflict", "virtual:2")
    assert error.message == (
        "Table virtual: joe@b.example has two different values, 'x@b.example' (virtual:1) and "
        "'y@b.example'. Remove one of the two."
    )
    assert not compiled.report.is_publishable


def test_it_takes_the_same_entry_twice_as_one(tmp_path: Path) -> None:
    source = rows(
        tables=[table("virtual", [("A@b.example", "x@b.example"), ("a@b.example", "x@b.example")])],
        values={"virtual_alias_maps": "hash:virtual"},
    )
    compiled = Compiled(tmp_path, source)
    assert compiled.errors == compiled.warnings == []
    assert compiled.report.counts["virtual"] == 1


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (("", "x@b.example"), "the key is empty. Fill it in"),
        (("  ", "x@b.example"), "the key is empty. Fill it in"),
        (("a@b.example", ""), "the value is empty. Fill it in"),
        (("a@b.example", " \t"), "the value is empty. Fill it in"),
        (("a@b.example", "x@b.example\ny@b.example"), "a line break in it. Write it on one line"),
    ],
)
def test_it_refuses_what_no_map_may_hold(
    tmp_path: Path, entry: tuple[str, str], words: str
) -> None:
    """postmap -q crashes on an empty value in a CDB file: it must never be written."""
    source = rows(
        tables=[table("virtual", [("good@b.example", "x@b.example"), entry])],
        values={"virtual_alias_maps": "hash:virtual"},
    )
    compiled = Compiled(tmp_path, source)
    assert (compiled.only_error.check, compiled.only_error.row) == ("entry", "virtual:2")
    assert words in compiled.only_error.message
    assert compiled.report.counts["virtual"] == 1


def test_it_keeps_a_rule_without_a_result_as_postfix_does(tmp_path: Path) -> None:
    """pcre_table(5): it has an empty result, which every look-up treats as an error."""
    source = rows(
        tables=[table("p", [("/x/", ""), ("/y/", "OK")], type="pcre", kind="access")],
        values={"smtpd_client_restrictions": "check_client_access pcre:p"},
    )
    compiled = Compiled(tmp_path, source)
    assert compiled.errors == []
    assert compiled.warnings == [("entry-pattern", "p:1")]
    with pytest.raises(TableUnavailable):
        compiled.snapshot.maps("pcre:p").get("x")
    assert compiled.snapshot.maps("pcre:p").get("y") == "OK"


def test_it_gives_postfix_outcome_to_what_came_past_the_forms(tmp_path: Path) -> None:
    source = rows(
        tables=[
            table("t", [("10.1.2.", "REJECT"), ("10.1.3", "250 welcome")], kind="access"),
            table(
                "p",
                [("/[/|]/", "REJECT"), ("#x#", "OK"), ("/x/", "OK")],
                type="regexp",
                kind="access",
            ),
        ],
        lists=[
            restrictions(
                "smtpd_client_restrictions",
                "check_client_access hash:t",
                "check_client_access regexp:p",
            )
        ],
    )
    compiled = Compiled(tmp_path, source)
    assert compiled.errors == []
    assert sorted(compiled.warnings) == [
        ("entry-key", "p:2"),
        ("entry-key", "t:1"),
        ("entry-pattern", "p:1"),
        ("entry-value", "t:2"),
    ]
    assert compiled.snapshot.maps("hash:t").get("10.1.2.") is None
    assert compiled.snapshot.maps("hash:t").get("10.1.3") == "250 welcome"
    assert compiled.snapshot.maps("regexp:p").get("x") == "OK"


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (table("t", {}, type="static"), "type static, which cannot have entries"),
        (table("t", {}, type="quark"), "type quark, which cannot have entries"),
        (table("t", {}, kind="quark"), "kind quark, which does not exist"),
        (table("t", {}, kind="header_checks"), "needs one of regexp, pcre"),
        (table("hosting-mailboxes", {}), "kept for hosting rows"),
    ],
)
def test_it_refuses_a_table_that_cannot_be(tmp_path: Path, record: TableRecord, words: str) -> None:
    source = rows(tables=[record])
    error = Compiled(tmp_path, source).only_error
    assert error.check == "table"
    assert words in error.message


def test_it_refuses_what_is_there_twice(tmp_path: Path) -> None:
    source = rows(
        tables=[table("t", {}), table("t", {})],
        values={"virtual_alias_maps": "hash:t", "smtpd_client_restrictions": "permit"},
        lists=[restrictions("smtpd_client_restrictions", "permit_mynetworks")],
        services=[service("smtp inet n - n - - smtpd"), service("smtp inet n - n - 5 smtpd")],
    )
    assert Compiled(tmp_path, source).errors == [
        ("conflict", "parameter:smtpd_client_restrictions"),
        ("table", "table:t"),
        ("conflict", "service:smtp"),
    ]


def test_it_refuses_lists_under_wrong_names(tmp_path: Path) -> None:
    source = rows(
        lists=[
            restrictions("smtpd_recipent_restrictions", "permit_mynetworks"),
            restrictions("reject", "permit", is_class=True),
            restrictions("mynetworks", "permit", is_class=True),
        ]
    )
    compiled = Compiled(tmp_path, source)
    assert ("restriction-list", "restrictionlist:smtpd_recipent_restrictions") in compiled.errors
    assert ("restriction-class", "restrictionlist:reject") in compiled.errors
    assert ("restriction-class", "restrictionlist:mynetworks") in compiled.errors


def test_it_refuses_a_service_that_cannot_be(tmp_path: Path) -> None:
    good = service("smtp inet n - n - - smtpd")
    bad = replace(good, service=replace(good.service, name="99999"))
    error = Compiled(tmp_path, rows(services=[bad])).only_error
    assert error.message == "Service 99999/inet: 99999 is not a port number."


def test_it_keeps_only_so_many_findings(tmp_path: Path) -> None:
    source = rows(
        tables=[table("t", [(f"{n}@b.example", "") for n in range(2000)])],
        values={"virtual_alias_maps": "hash:t"},
    )
    report = Compiled(tmp_path, source).report
    assert (len(report.errors), report.error_count) == (500, 2000)
