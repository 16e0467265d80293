"""lint: one test for each thing that can be wrong with a configuration as a whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tables.writing.lint import CHECKS

from .records import Compiled, domain, restrictions, rows, service, table

GUARDED = ("permit_mynetworks", "reject_unauth_destination")


def test_it_works(tmp_path: Path) -> None:
    """A usual configuration gives neither errors nor warnings."""
    compiled = Compiled(
        tmp_path,
        rows(
            tables=[
                table("virtual", {"a@hosted.example": "b@hosted.example"}),
                table("aliases", {"root": "joe"}, kind="aliases"),
                table("transport", {"far.example": "smtp:[gw.example]"}, kind="transport"),
                table("clients", {"192.0.2": "REJECT"}, kind="access"),
            ],
            values={
                "myhostname": "mx.hosted.example",
                "mynetworks": "127.0.0.0/8, 192.0.2.0/24, [::1]/128",
                "virtual_alias_maps": "hash:virtual",
                "alias_maps": "hash:aliases",
                "transport_maps": "hash:transport",
                "site": "hosted.example",
                "mydomain": "$site",
                "message_size_limit": "20000000",
                "slow_destination_concurrency_limit": "2",
            },
            lists=[
                restrictions(
                    "smtpd_recipient_restrictions",
                    "check_client_access hash:clients",
                    "check_policy_service unix:private/policy",
                    "reject_rbl_client list.example",
                    "known",
                    *GUARDED,
                ),
                restrictions("known", "permit_sasl_authenticated", "reject", is_class=True),
            ],
            services=[
                service("smtp inet n - n - - smtpd"),
                service("slow unix - - n - - smtp"),
                service("587 inet n - n - - smtpd -o smtpd_client_restrictions=permit_mynetworks"),
            ],
            domains=[domain("hosted.example"), domain("local.example", "local")],
        ),
    )
    assert compiled.errors == []
    assert compiled.warnings == []


def test_every_check_says_in_a_sentence_what_it_looks_for() -> None:
    for check in CHECKS:
        assert check.__doc__, check
        assert check.__doc__.endswith("."), check
        assert "\n" not in check.__doc__, check


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("message_size_limit", "much", "Write a whole number"),
        ("queue_run_delay", "soon", "Write a time like 30s"),
        ("smtpd_helo_required", "maybe", 'Write "yes" or "no"'),
        ("mynetworks", "192.0.2.1/24", "is not a network"),
        ("virtual_alias_maps", "virtual", "Name a table as type:name"),
        ("virtual_alias_maps", "ldap:virtual", "not supported"),
        ("myhostname", "${mydomain", ""),
    ],
)
def test_it_refuses_a_value_of_the_wrong_form(
    tmp_path: Path, name: str, value: str, words: str
) -> None:
    compiled = Compiled(tmp_path, rows(values={name: value}))
    finding = compiled.only_error
    assert (finding.check, finding.row) == ("parameter", f"parameter:{name}")
    assert finding.message.startswith(f"{name}: ")
    assert words in finding.message


def test_it_reads_a_value_with_its_references(tmp_path: Path) -> None:
    """The limit is that of another parameter; only together they make sense."""
    values = {"own_limit": "5000", "message_size_limit": "$own_limit"}
    assert Compiled(tmp_path / "good", rows(values=values)).errors == []
    values["own_limit"] = "much"
    compiled = Compiled(tmp_path / "bad", rows(values=values))
    assert compiled.errors == [("parameter", "parameter:message_size_limit")]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("virtual_alias_map", "Did you mean virtual_alias_maps?"),
        ("restriction_classes", "use smtpd_restriction_classes"),
        ("nosuch_destination_rate_delay", "begin with the name of its service"),
    ],
)
def test_it_warns_of_a_parameter_without_effect(tmp_path: Path, name: str, words: str) -> None:
    """As Postfix does: "unused parameter"."""
    compiled = Compiled(tmp_path, rows(values={name: "1s"}))
    assert compiled.errors == []
    warning = compiled.only_warning
    assert (warning.check, warning.row) == ("parameter-name", f"parameter:{name}")
    assert words in warning.message


def test_it_looks_at_overrides_of_services(tmp_path: Path) -> None:
    compiled = Compiled(
        tmp_path,
        rows(services=[service("smtp inet n - n - - smtpd -o smtpd_helo_required=maybe")]),
    )
    assert compiled.only_error.row == "service:smtp"
    assert compiled.only_error.message.startswith("Service smtp/inet: smtpd_helo_required: ")


@pytest.mark.parametrize(
    ("member", "words"),
    [
        ("reject_unknown_sender_domian", "Did you mean reject_unknown_sender_domain?"),
        ("check_client_access", "a table (type:name) must follow"),
        ("reject_rbl_client", "a DNS list such as list.example.com must follow"),
        ("nosuch_class", "There is no restriction nosuch_class"),
    ],
)
def test_it_refuses_an_unknown_restriction(tmp_path: Path, member: str, words: str) -> None:
    compiled = Compiled(tmp_path, rows(lists=[restrictions("smtpd_sender_restrictions", member)]))
    error = compiled.only_error
    assert (error.check, error.row) == (
        "restriction",
        "restrictionlist:smtpd_sender_restrictions",
    )
    assert words in error.message


def test_it_refuses_an_unknown_restriction_in_a_class(tmp_path: Path) -> None:
    compiled = Compiled(tmp_path, rows(lists=[restrictions("mine", "rejekt", is_class=True)]))
    assert compiled.errors == [("restriction", "restrictionlist:mine")]


def test_it_refuses_a_class_without_a_value(tmp_path: Path) -> None:
    compiled = Compiled(tmp_path, rows(values={"smtpd_restriction_classes": "nothing"}))
    assert compiled.errors == [("restriction", "parameter:smtpd_restriction_classes")]


def test_it_takes_classes_that_were_written_as_parameters(tmp_path: Path) -> None:
    values = {"smtpd_restriction_classes": "mine", "mine": "reject"}
    compiled = Compiled(
        tmp_path, rows(values=values, lists=[restrictions("smtpd_sender_restrictions", "mine")])
    )
    assert compiled.errors == compiled.warnings == []


def test_it_refuses_classes_that_lead_back_to_themselves(tmp_path: Path) -> None:
    compiled = Compiled(
        tmp_path,
        rows(
            lists=[
                restrictions("first", "second", is_class=True),
                restrictions("second", "permit_mynetworks", "first", is_class=True),
                restrictions("third", "first", is_class=True),
            ]
        ),
    )
    assert compiled.errors == [
        ("class-loop", "restrictionlist:first"),
        ("class-loop", "restrictionlist:second"),
    ]


@pytest.mark.parametrize(
    "value",
    ["hash:gone", "static:x, hash:gone", "unionmap:{hash:virtual, hash:gone}", "proxy:hash:gone"],
)
def test_it_refuses_a_table_that_does_not_exist(tmp_path: Path, value: str) -> None:
    compiled = Compiled(
        tmp_path,
        rows(tables=[table("virtual", {})], values={"virtual_alias_maps": f"hash:virtual {value}"}),
    )
    error = compiled.only_error
    assert (error.check, error.row) == ("missing-table", "parameter:virtual_alias_maps")
    assert error.message == (
        "virtual_alias_maps names the table hash:gone, which does not exist. Make a table with the "
        "name gone, or take it out."
    )


def test_it_refuses_a_missing_table_wherever_it_is_named(tmp_path: Path) -> None:
    compiled = Compiled(
        tmp_path,
        rows(
            tables=[table("rules", {"x.example": "check_sender_access hash:b"}, kind="access")],
            values={"mydestination": "localhost, hash:a", "mynetworks": "!cidr:e"},
            lists=[
                restrictions("smtpd_client_restrictions", "check_client_access hash:rules"),
                restrictions("mine", "check_client_access hash:c", is_class=True),
            ],
            services=[
                service("smtp inet n - n - - smtpd -o smtpd_sender_restrictions=hash:d"),
            ],
        ),
    )
    assert sorted(compiled.errors) == [
        ("missing-table", "parameter:mydestination"),
        ("missing-table", "parameter:mynetworks"),
        ("missing-table", "restrictionlist:mine"),
        ("missing-table", "rules:1"),
        ("missing-table", "service:smtp"),
    ]


def test_it_refuses_a_table_named_with_another_type(tmp_path: Path) -> None:
    def compiled(name: str, value: str) -> Compiled:
        tables = [table("t", {}, type="hash"), table("r", {}, type="regexp")]
        values = {"virtual_alias_maps": f"{value}, hash:t regexp:r"}
        return Compiled(tmp_path / name, rows(tables=tables, values=values))

    assert compiled("alias", "lmdb:t").errors == []
    error = compiled("wrong", "regexp:t").only_error
    assert error.message.endswith("t is a table of the type hash. Write hash:t.")
    assert compiled("braces", "regexp:{{/x/ y}}").errors == []


@pytest.mark.parametrize("value", ["unionmap:{static}", "inline:{a}", "randmap:{}"])
def test_it_refuses_a_table_in_place_that_cannot_be_read(tmp_path: Path, value: str) -> None:
    compiled = Compiled(tmp_path, rows(values={"virtual_alias_maps": value}))
    assert compiled.errors == [("table-reference", "parameter:virtual_alias_maps")]


@pytest.mark.parametrize("name", ["virtual_alias_maps", "lmtp_generic_maps", "sender_bcc_maps"])
def test_it_warns_of_a_table_in_the_wrong_place(tmp_path: Path, name: str) -> None:
    compiled = Compiled(
        tmp_path,
        rows(
            tables=[table("aliases", {"root": "joe"}, kind="aliases")],
            values={name: "hash:aliases"},
        ),
    )
    assert compiled.errors == []
    assert compiled.only_warning.check == "table-kind"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("smtp_generic_maps", "canonical"),
        ("canonical_maps", "generic"),
        ("virtual_alias_maps", "text"),
        ("virtual_mailbox_maps", "virtual"),
        ("relay_domains", "transport"),
    ],
)
def test_a_table_that_means_the_same_is_in_its_place(tmp_path: Path, name: str, kind: str) -> None:
    made = table("made", {"one@b.example": "two@c.example"}, kind=kind)
    if kind == "transport":
        made = table("made", {"b.example": "smtp:[c.example]"}, kind=kind)
    compiled = Compiled(tmp_path, rows(tables=[made], values={name: "hash:made"}))
    assert (compiled.errors, compiled.warnings) == ([], [])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("hash:secrets", "names hash:secrets, a table of the kind text"),
        ("unionmap:{hash:secrets, hash:good}", "names hash:secrets, a table of the kind text"),
        ("hash:good, static:joe:geheim", "holds passwords itself"),
        ("inline:{ { mx = joe:geheim } }", "holds passwords itself"),
    ],
)
def test_it_warns_of_passwords_that_are_shown(tmp_path: Path, value: str, words: str) -> None:
    tables = [
        table("secrets", {"mx.example": "joe:geheim"}, kind="text"),
        table("good", {"mx.example": "joe:geheim"}, kind="passwords"),
    ]
    named = [each for each in tables if f"hash:{each.name}" in value]
    compiled = Compiled(tmp_path, rows(tables=named, values={"smtp_sasl_password_maps": value}))
    assert compiled.errors == []
    finding = compiled.only_warning
    assert finding.check == "open-password"
    assert words in finding.message
    assert "geheim" not in finding.message


@pytest.mark.parametrize(
    "value",
    [
        "inline:{ { mx = joe:geheim } ",
        "inline:{ mx joe:geheim }",
        "inline:mx=joe:geheim",
        "static:{joe:geheim",
        "randmap:joe:geheim",
        "unionmap:{inline:{ mx joe:geheim }, hash:gone}",
        "regexp:{geheim}",
        "mx.example:joe:geheim",
        "!inline:{x geheim}",
        "${geheim",
        "$made_up",
        "geheim",
    ],
)
def test_a_finding_shows_no_password(tmp_path: Path, value: str) -> None:
    made_up = "inline:{ mx joe:geheim }"
    values = {"smtp_sasl_password_maps": value, "made_up": made_up}
    lmtp = service("lmtp unix - - n - - lmtp")
    overrides = {"lmtp_sasl_password_maps": value}
    lmtp = replace(lmtp, service=replace(lmtp.service, overrides=overrides))
    compiled = Compiled(tmp_path, rows(values=values, services=[lmtp]))
    assert compiled.errors
    found = [*compiled.report.errors, *compiled.report.warnings]
    assert not [each.message for each in found if "geheim" in each.message]


def test_a_finding_about_a_table_of_passwords_shows_none(tmp_path: Path) -> None:
    lines = {"/mx/": "joe:$geheim", "if /x/": "joe:geheim", "endif": ""}
    secrets = table("secrets", lines, type="pcre", kind="passwords")
    maps = {"smtp_sasl_password_maps": "pcre:secrets"}
    compiled = Compiled(tmp_path, rows(tables=[secrets], values=maps))
    assert [check for check, _ in compiled.warnings] == ["entry-pattern"] * 2
    assert not [each for each in compiled.report.warnings if "geheim" in each.message]


def test_it_says_nothing_of_passwords_that_are_not_shown(tmp_path: Path) -> None:
    secrets = table("secrets", {"mx.example": "joe:geheim"}, kind="passwords")
    maps = {"smtp_sasl_password_maps": "hash:secrets"}
    compiled = Compiled(tmp_path, rows(tables=[secrets], values=maps))
    assert (compiled.errors, compiled.warnings) == ([], [])


def test_it_warns_of_a_table_that_nothing_asks(tmp_path: Path) -> None:
    compiled = Compiled(tmp_path, rows(tables=[table("forgotten", {})]))
    assert compiled.errors == []
    assert compiled.warnings == [("unused-table", "table:forgotten")]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"mailbox_size_limit": "1000"}, ["parameter:mailbox_size_limit"]),
        ({"message_size_limit": "60000000"}, ["parameter:message_size_limit"] * 2),
        ({"message_size_limit": "0", "mailbox_size_limit": "0"}, ["parameter:message_size_limit"]),
        ({"message_size_limit": "1000", "mailbox_size_limit": "1000"}, []),
        (dict.fromkeys(("mailbox_size_limit", "virtual_mailbox_limit"), "0"), []),
    ],
)
def test_it_warns_of_a_mailbox_that_takes_less_than_the_server(
    tmp_path: Path, values: dict[str, str], found: list[str]
) -> None:
    compiled = Compiled(tmp_path, rows(values=values))
    assert compiled.errors == []
    assert compiled.warnings == [("size-limit", row) for row in found]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"smtpd_sasl_auth_enable": "yes"}, ["parameter:smtpd_sasl_auth_enable"]),
        ({"smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot"}, []),
        ({"smtpd_sasl_type": "other"}, []),
    ],
)
def test_it_warns_of_logins_that_nobody_can_check(
    tmp_path: Path, values: dict[str, str], found: list[str]
) -> None:
    compiled = Compiled(tmp_path, rows(values=values))
    assert compiled.errors == []
    assert compiled.warnings == [("closed-logins", row) for row in found]


@pytest.mark.parametrize(
    ("override", "number"), [("smtpd_sasl_auth_enable=yes", 1), ("smtpd_sasl_auth_enable=no", 0)]
)
def test_it_warns_of_a_service_that_lets_nobody_log_in(
    tmp_path: Path, override: str, number: int
) -> None:
    services = [
        service(f"587 inet n - n - - smtpd -o {override}"),
        service("x unix - - n - - smtp"),
    ]
    compiled = Compiled(tmp_path, rows(services=services))
    assert compiled.errors == []
    assert [each[0] for each in compiled.warnings] == ["closed-logins"] * number


def test_it_warns_of_a_service_whose_mailboxes_take_less(tmp_path: Path) -> None:
    services = [service("small unix - n n - - local -o mailbox_size_limit=5000")]
    compiled = Compiled(tmp_path, rows(services=services))
    assert compiled.errors == []
    assert compiled.only_warning.check == "size-limit"


@pytest.mark.parametrize(
    ("relay", "recipient"),
    [
        (["permit_mynetworks"], []),
        ([], ["permit"]),
        (["permit", "reject_unauth_destination"], []),
        (["warn_if_reject reject_unauth_destination"], ["permit_mynetworks"]),
        (["reject_unknown_client_hostname"], ["warn_if_reject strict"]),
        (["loose", "reject_unauth_destination"], []),
    ],
)
def test_it_refuses_an_open_relay(tmp_path: Path, relay: list[str], recipient: list[str]) -> None:
    lists = [
        restrictions("smtpd_relay_restrictions", *relay),
        restrictions("smtpd_recipient_restrictions", *recipient),
        restrictions("strict", "reject", is_class=True),
        restrictions("loose", "permit_mynetworks", "permit", is_class=True),
    ]
    compiled = Compiled(tmp_path, rows(lists=lists, guard=False))
    error = compiled.only_error
    assert (error.check, error.row) == (
        "open-relay",
        "restrictionlist:smtpd_relay_restrictions",
    )
    assert "Put reject_unauth_destination into smtpd_relay_restrictions" in error.message


@pytest.mark.parametrize(
    ("relay", "recipient"),
    [
        (["permit_mynetworks", "reject_unauth_destination"], ["permit"]),
        ([], ["permit_mynetworks", "check_relay_domains"]),
        (["permit_mynetworks", "strict"], []),
        ([], ["defer_unauth_destination", "permit"]),
    ],
)
def test_it_takes_any_guard(tmp_path: Path, relay: list[str], recipient: list[str]) -> None:
    lists = [
        restrictions("smtpd_relay_restrictions", *relay),
        restrictions("smtpd_recipient_restrictions", *recipient),
        restrictions("strict", "permit_sasl_authenticated", "reject", is_class=True),
    ]
    assert Compiled(tmp_path, rows(lists=lists, guard=False)).errors == []


def test_it_takes_the_defaults(tmp_path: Path) -> None:
    """postconf(5): smtpd_relay_restrictions guards by default."""
    assert Compiled(tmp_path, rows(guard=False)).errors == []


def test_it_refuses_a_service_that_is_an_open_relay(tmp_path: Path) -> None:
    line = "2526 inet n - n - - smtpd -o smtpd_relay_restrictions=permit"
    error = Compiled(tmp_path, rows(services=[service(line)])).only_error
    assert (error.check, error.row) == ("open-relay", "service:2526")
    assert error.message.startswith("Service 2526/inet: Anybody could send mail")


@pytest.mark.parametrize("network", ["0.0.0.0/0", "[::]/0", "127.0.0.1 0.0.0.0/0"])
def test_it_refuses_to_trust_the_whole_internet(tmp_path: Path, network: str) -> None:
    compiled = Compiled(tmp_path, rows(values={"mynetworks": network}))
    assert compiled.errors == [("trusted-world", "parameter:mynetworks")]
    assert Compiled(tmp_path, rows(values={"mynetworks": "!0.0.0.0/0"})).errors == []


@pytest.mark.parametrize(
    ("kind", "values", "parameter"),
    [
        ("virtual_mailbox", {"mydestination": "x.example"}, "mydestination"),
        ("virtual_mailbox", {"mydestination": "$mydomain", "mydomain": "X.example"}, "mydest"),
        ("local", {"virtual_alias_domains": "x.example"}, "virtual_alias_domains"),
        ("relay", {"virtual_alias_maps": "hash:t"}, "virtual_alias_domains"),
        ("virtual_alias", {"relay_domains": "hash:t"}, "relay_domains"),
    ],
)
def test_it_refuses_a_hosted_domain_of_another_class(
    tmp_path: Path, kind: str, values: dict[str, str], parameter: str
) -> None:
    compiled = Compiled(
        tmp_path,
        rows(
            tables=[table("t", {"x.example": "anything"}, kind="text")],
            values=values,
            domains=[domain("x.example", kind)],
        ),
    )
    error = compiled.only_error
    assert (error.check, error.row) == ("domain-class", "domain:x.example")
    assert parameter in error.message


def test_it_takes_a_domain_that_is_local_and_relayed(tmp_path: Path) -> None:
    """Postfix's own default before compatibility level 2: relay_domains = $mydestination."""
    source = rows(
        values={"relay_domains": "$mydestination"}, domains=[domain("x.example", "local")]
    )
    compiled = Compiled(tmp_path, source)
    assert compiled.errors == compiled.warnings == []


def test_it_warns_of_a_domain_in_two_parameters(tmp_path: Path) -> None:
    values = {
        "mydestination": "x.example, y.example",
        "virtual_mailbox_domains": "x.example",
    }
    warning = Compiled(tmp_path, rows(values=values)).only_warning
    assert (warning.check, warning.row) == ("domain-class", "parameter:mydestination")
    assert warning.message.startswith(
        "x.example is in mydestination and in virtual_mailbox_domains."
    )


def test_it_warns_of_an_alias_to_itself_where_nobody_lives(tmp_path: Path) -> None:
    compiled = Compiled(
        tmp_path,
        rows(
            tables=[
                table(
                    "virtual",
                    {
                        "joe@alias.example": "Joe@alias.example",
                        "ann@hosted.example": "ann@hosted.example",
                        "bob@alias.example": "bob@alias.example, ann@hosted.example",
                    },
                )
            ],
            values={"virtual_alias_maps": "hash:virtual"},
            domains=[domain("alias.example", "virtual_alias"), domain("hosted.example")],
        ),
    )
    assert compiled.errors == []
    warning = compiled.only_warning
    assert (warning.check, warning.row) == ("own-alias", "virtual:1")
    assert warning.message == (
        "joe@alias.example has only itself as its destination, and alias.example has no mailboxes: "
        "all its mail bounces. Give it an address elsewhere, or remove the entry."
    )
