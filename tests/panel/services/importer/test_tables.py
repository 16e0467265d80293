"""Sources of tables become tables with entries."""

from __future__ import annotations

import pytest

from panel.models import Entry, Parameter, Table
from panel.services.importer.entries import split_rule
from panel.services.importer.report import Level
from tests.panel.services.importer.conftest import Import, said

MODERN = "compatibility_level = 3.6\nalias_maps =\n"


def entries(name: str) -> list[tuple[str, str]]:
    rows = Entry.objects.filter(table__name=name).order_by("position", "id")
    return list(rows.values_list("key", "value"))


def value_of(name: str) -> str:
    return str(Parameter.objects.get(name=name).value)


def test_it_works(importing: Import) -> None:
    report = importing(
        MODERN + "virtual_alias_maps = hash:/etc/postfix/virtual regexp:/etc/postfix/patterns\n",
        {
            "virtual": "# who\nInfo@Example.com joe,\n  jane\n@example.org joe\n",
            "patterns": "if /example/\n/^(.*)@x\\.example$/ joe+$1\nendif\n",
        },
    )
    assert value_of("virtual_alias_maps") == "hash:virtual regexp:patterns"
    assert Table.objects.get(name="virtual").kind == "virtual"
    assert entries("virtual") == [("Info@Example.com", "joe,  jane"), ("@example.org", "joe")]
    assert Entry.objects.get(key="Info@Example.com").lookup_key == "info@example.com"
    assert entries("patterns") == [
        ("if /example/", ""),
        ("/^(.*)@x\\.example$/", "joe+$1"),
        ("endif", ""),
    ]
    assert report.rows["tables"] == 2


def test_bad_lines_are_left_out_as_postmap_does(importing: Import) -> None:
    report = importing(
        MODERN + "transport_maps = hash:/etc/postfix/transport\n",
        {"transport": "a.example smtp:\nb.example\nA.example local:\n\udcff.example x\n"},
    )
    assert entries("transport") == [("a.example", "smtp:")]
    left_out = said(report, Level.LEFT_OUT)
    assert "transport:2: left out: expected format: key whitespace value" in left_out
    assert 'transport:3: left out: duplicate entry: "a.example"' in left_out
    assert any("non-UTF-8" in text for text in left_out)


def test_alias_files_are_read_as_postalias_does(importing: Import) -> None:
    report = importing(
        "compatibility_level = 3.6\nalias_maps = hash:/etc/aliases\n"
        "local_recipient_maps = $alias_maps hash:/etc/aliases\n",
        {"../aliases": 'joe: "|/bin/cat x", jane\n"Jane Doe": :include:/etc/list\nbad\n'},
    )
    assert Table.objects.get(name="aliases").kind == "aliases"
    assert entries("aliases") == [
        ("joe", '"|/bin/cat x", jane'),
        ("Jane Doe", ":include:/etc/list"),
    ]
    expected = "aliases:2: left out: Jane Doe: /etc/list is not there: what it should hold bounces."
    assert any(text.endswith(expected) for text in said(report, Level.LEFT_OUT))


def test_files_of_aliases_stay_files(importing: Import) -> None:
    report = importing(
        "compatibility_level = 3.6\nalias_maps = hash:/etc/aliases\n",
        {"../aliases": "team: joe, :include:/etc/postfix/team\n", "team": "ann\n"},
    )
    assert entries("aliases") == [("team", "joe, :include:/etc/postfix/team")]
    assert any(
        "team: the engine reads /etc/postfix/team at each delivery, from there." in text
        for text in said(report, Level.APPROXIMATED)
    )


def test_two_files_of_one_name_are_two_tables(importing: Import) -> None:
    importing(
        MODERN + "canonical_maps = hash:/etc/postfix/a/map\nrelocated_maps = hash:$config_directory"
        "/b/map\n",
        {"a/map": "x y\n", "b/map": "x z\n"},
    )
    assert value_of("canonical_maps") == "hash:map"
    assert value_of("relocated_maps") == "hash:map-2"
    assert entries("map-2") == [("x", "z")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("cdb:/etc/postfix/x", "hash:x"),
        ("proxy:hash:/etc/postfix/x", "hash:x"),
        ("hash:${config_directory}/x", "hash:x"),
        ("$base/x, static:ok", "hash:x, static:ok"),
        ("unionmap:{hash:/etc/postfix/x, inline:{a=b}}", "unionmap:{hash:x, inline:{a=b}}"),
        ("${myorigin?{hash:/etc/postfix/x}:{}}", "${myorigin?{hash:x}:{}}"),
        ("texthash:/etc/postfix/x", "texthash:x"),
        ("hash:/etc/postfix/missing", "fail:hash_/etc/postfix/missing".replace("/", "_")),
        ("ldap:/etc/postfix/x", "fail:ldap__etc_postfix_x"),
    ],
)
def test_references_are_rewritten_wherever_they_stand(
    importing: Import, value: str, expected: str
) -> None:
    importing(MODERN + f"relocated_maps = {value}\nbase = hash:/etc/postfix\n", {"x": "a b\n"})
    assert value_of("relocated_maps") == expected


@pytest.mark.parametrize("base", ["hash:/etc/postfix", "proxy:hash:$config_directory/"])
def test_what_a_reference_begins_with_may_stand_before_it(importing: Import, base: str) -> None:
    report = importing(MODERN + f"base = {base}\nrelocated_maps = $base/x\n", {"x": "a b\n"})
    assert value_of("relocated_maps") == "hash:x"
    assert not any("is not there. Its look-ups" in text for text in said(report, Level.LEFT_OUT))


def test_a_source_outside_of_a_copy_is_not_taken_from_this_machine(importing: Import) -> None:
    report = importing(MODERN + "relocated_maps = texthash:/etc/passwd\n")
    assert value_of("relocated_maps") == "fail:texthash__etc_passwd"
    assert any("/etc/passwd is not there" in text for text in said(report, Level.LEFT_OUT))


def test_tables_inside_of_access_actions_are_found(importing: Import) -> None:
    importing(
        MODERN + "smtpd_client_restrictions = check_client_access hash:/etc/postfix/clients\n",
        {
            "clients": "192.0.2.1 check_sender_access hash:/etc/postfix/senders, reject\n",
            "senders": "joe@example.com OK\n",
        },
    )
    assert entries("clients") == [("192.0.2.1", "check_sender_access hash:senders, reject")]
    assert entries("senders") == [("joe@example.com", "OK")]
    assert Table.objects.get(name="senders").kind == "access"


def test_files_of_patterns_are_put_in_place(importing: Import) -> None:
    importing(
        MODERN + "mynetworks = 127.0.0.0/8 !/etc/postfix/out /etc/postfix/in\n",
        {"out": "10.1.1.1\n", "in": "10.0.0.0/8, # not a remark\n# a remark\n/etc/postfix/more\n",
         "more": "192.0.2.1\n"},
    )  # fmt: skip
    assert value_of("mynetworks") == "127.0.0.0/8, !10.1.1.1, 10.0.0.0/8, not, a, remark, 192.0.2.1"


def test_words_that_no_client_can_be_are_left_out(importing: Import) -> None:
    report = importing(MODERN + "mynetworks = 10.0.0.0/8 10.0.0.1/8 # [bad !# .lan\n")
    assert value_of("mynetworks") == "10.0.0.0/8, 10.0.0.1/8, [bad, .lan"
    assert any("# !#: no client can be called" in text for text in said(report, Level.LEFT_OUT))
    assert any("mynetworks" in text for text in said(report, Level.WRONG))


def test_a_table_with_entries_is_not_touched_without_replace(importing: Import) -> None:
    importing(MODERN + "relocated_maps = hash:/etc/postfix/x\n", {"x": "a b\n"})
    importing(MODERN + "relocated_maps = hash:/etc/postfix/x\n", {"x": "c d\n"}, replace=False)
    assert value_of("relocated_maps") == "hash:x-2"
    assert entries("x") == [("a", "b")]
    assert entries("x-2") == [("c", "d")]


@pytest.mark.parametrize(
    ("line", "pattern", "expected"),
    [
        ("/a b/ x y", True, ("/a b/", "x y")),
        ("/a\\/b/i  x", True, ("/a\\/b/i", "x")),
        ("!/a/ x", True, ("!/a/", "x")),
        ("! /a b/ x", True, ("! /a b/", "x")),
        ("if !/a b/", True, ("if !/a b/", "")),
        ("endif", True, ("endif", "")),
        ("/[/|]/ REJECT", True, ("/[/|]/", "REJECT")),
        ("/open x", True, ("/open x", "")),
        ("10.0.0.0/8 OK", False, ("10.0.0.0/8", "OK")),
        ("if !10.0.0.0/8", False, ("if !10.0.0.0/8", "")),
        ("!10.0.0.0/8 a b", False, ("!10.0.0.0/8", "a b")),
    ],
)
def test_rules_are_split_where_the_pattern_ends(
    line: str, pattern: bool, expected: tuple[str, str]
) -> None:
    assert split_rule(line, is_pattern=pattern) == expected


@pytest.mark.parametrize("also", ["", "smtp_tls_policy_maps = hash:/etc/postfix/secrets\n"])
def test_a_table_that_password_parameters_name_is_one_of_passwords(
    importing: Import, also: str
) -> None:
    report = importing(
        f"{MODERN}smtp_sasl_password_maps = hash:/etc/postfix/secrets\n{also}",
        {"secrets": "[mx.example]:587 joe:geheim\nmx.example\n[mx.example]:587 joe:geheim\n"},
    )
    assert Table.objects.get(name="secrets").kind == "passwords"
    assert entries("secrets") == [("[mx.example]:587", "joe:geheim")]
    assert not any("geheim" in text for level in Level for text in said(report, level))
