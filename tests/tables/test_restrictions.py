"""Restriction lists: every word of postconf(5), in order, with what follows it."""

from __future__ import annotations

import pytest

from tables.errors import EntryError
from tables.restrictions import (
    RESTRICTIONS,
    STAGES,
    SYNONYMS,
    Argument,
    RestrictionCall,
    bare_name,
    parse_restrictions,
)


def written(text: str, *classes: str, stage: str = "") -> list[str]:
    return [call.text for call in parse_restrictions(text, classes, stage=stage)]


def test_it_works() -> None:
    calls = parse_restrictions("permit_mynetworks, reject_unauth_destination")
    assert calls == (
        RestrictionCall("permit_mynetworks"),
        RestrictionCall("reject_unauth_destination"),
    )


def test_every_restriction_reads_itself_back() -> None:
    arguments = {
        Argument.NONE: "",
        Argument.TABLE: "hash:x",
        Argument.DOMAIN: "list.example=127.0.0.[2..4]",
        Argument.SERVICE: "{ inet:127.0.0.1:9, timeout=10 }",
        Argument.NUMBER: "5",
    }
    for name, restriction in RESTRICTIONS.items():
        call = RestrictionCall(name, arguments[restriction.argument])
        assert parse_restrictions(f"permit {call.text}, permit") == (
            RestrictionCall("permit"),
            call,
            RestrictionCall("permit"),
        )
        assert restriction.help.endswith(".")
        assert set(restriction.stages) <= set(STAGES)
    assert set(SYNONYMS.values()) <= set(RESTRICTIONS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("PERMIT_MyNetworks reject", ["permit_mynetworks", "reject"]),
        ("check_client_access hash:x reject", ["check_client_access hash:x", "reject"]),
        ("check_client_access\n  inline:{ a=b }", ["check_client_access inline:{ a=b }"]),
        ("check_ccert_access { hash:x, { search_order = cert_fingerprint } }", None),
        ("reject_rbl_client zen.example=127.0.0.2", ["reject_rbl_client zen.example=127.0.0.2"]),
        ("check_policy_service inet:127.0.0.1:10023", None),
        ("check_policy_service { unix:private/x, timeout = 10s }", None),
        ("warn_if_reject reject_unknown_client", ["warn_if_reject reject_unknown_client_hostname"]),
        ("sleep 1, reject", ["sleep 1", "reject"]),
        ("hash:x, permit", ["hash:x", "permit"]),
        ("insiders reject", ["insiders", "reject"]),
        ("reject_unknown_hostname", ["reject_unknown_helo_hostname"]),
    ],
)
def test_it_reads(text: str, expected: list[str] | None) -> None:
    assert written(text, "insiders") == ([text] if expected is None else expected)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("reject_unauth_destinaton", "Did you mean reject_unauth_destination"),
        ("insidrs", "Did you mean insiders"),
        ("xyzzy", "no restriction xyzzy"),
        ("check_client_access", "a table"),
        ("check_client_access reject", "type:name"),
        ("check_client_access ldap:x", "not supported"),
        ("reject_rbl_client", "a DNS list"),
        ("reject_rbl_client reject", "a DNS list"),
        ("sleep long", "number of seconds"),
        ("check_policy_service nowhere", "policy service"),
        ("permit warn_if_reject", "must follow"),
        ("bogus:table", "no restriction bogus:table"),
    ],
)
def test_it_rejects_and_names_the_word(text: str, sentence: str) -> None:
    with pytest.raises(EntryError, match=sentence):
        parse_restrictions(text, ("insiders",))


def test_a_bare_table_is_asked_for_what_the_list_is_about() -> None:  # smtpd_check(3)
    assert written("hash:x", stage="recipient") == ["check_recipient_access hash:x"]
    assert written("hash:x", stage="client") == ["check_client_access hash:x"]
    assert bare_name("relay") == "check_recipient_access"
    with pytest.raises(EntryError, match="needs a restriction"):
        parse_restrictions("hash:x", stage="data")
