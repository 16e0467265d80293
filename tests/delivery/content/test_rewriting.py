"""Which addresses of headers become what, for whose mail."""

from __future__ import annotations

import pytest

from delivery.content.contexts import Submitter
from delivery.errors import SmtpFailure
from tables.addresses import NULL, Address
from tables.errors import ParameterError
from tables.formats.base import FailMap
from tests.delivery.content.mail import (
    HERE,
    STRANGER,
    begin,
    incoming,
    lines,
    outgoing,
    run,
    tables,
)

COMPLETE = "Date: d\nMessage-Id: <m>\nFrom: f@x.test\n"


def rewritten(header: str, submitter: Submitter = HERE, **raw: str) -> str:
    """What becomes of one header; nothing is missing in the message."""
    message = lines(f"{COMPLETE}{header}\n\n")
    out, _ = run(begin(incoming(**raw), submitter), message)
    text = out.decode().replace("\r\n", "\n")
    assert text.startswith(COMPLETE)
    return text.removeprefix(COMPLETE).removesuffix("\n\n")


def client(address: str, name: str = "unknown", **more: bool) -> Submitter:
    return Submitter(address=address, name=name, **more)


def test_it_works() -> None:
    assert rewritten("To: jane, x@far.test") == "To: jane@mail.my.domain, x@far.test"


@pytest.mark.parametrize(
    ("header", "found"),
    [  # as Postfix was seen to do it
        ("To: jane@ws, bob", "To: jane@ws, bob@mail.my.domain"),
        (
            "Cc: a%b, c!d, e.f, <g@>, @h",
            'Cc: a@b, d@c, e.f@mail.my.domain, <g@>, ""@h',
        ),
        ("From: Joe Q. User <joe>", "From: Joe Q.User <joe@mail.my.domain>"),
        (
            "To: far: a@x, b;, undisclosed:;",
            "To: far: a@x, b@mail.my.domain;, undisclosed: ;",
        ),
        (
            "From: a@b@c, d e f",
            'From: "a@b"@c, d@mail.my.domain, e@mail.my.domain, f@mail.my.domain',
        ),
        ('To: "a%b"', "To: a%b@mail.my.domain"),  # quoted: no operator
        ("To: <@a,@b:c@d.test>", "To: <c@d.test>"),
        ("To: @", 'To: ""'),
        ("To: x@host.test.", "To: x@host.test"),
        ("TO :jane", "TO: jane@mail.my.domain"),
        ("To: (c) z@far.test (d), ;", "To: (c) z@far.test (d), ;"),  # nothing changes
        ("X-Other: joe", "X-Other: joe"),
        ("To: \xe9 <joe>", "To: \xe9 <joe@mail.my.domain>"),
        ("To: \xe9", "To: \xe9@mail.my.domain"),
    ],
)
def test_addresses_are_completed(header: str, found: str) -> None:
    assert rewritten(header) == found


def test_names_of_hosts_are_completed() -> None:
    assert rewritten("To: a@ws", append_dot_mydomain="yes") == "To: a@ws.my.domain"
    assert rewritten("To: a", append_at_myorigin="no") == "To: a"


def test_a_list_is_folded_when_it_is_written_anew() -> None:
    found = rewritten("To: a, " + ", ".join(f"user{n}@host{n}.test" for n in range(6)))
    assert found == (
        "To: a@mail.my.domain, user0@host0.test, user1@host1.test,\n"
        "\tuser2@host2.test, user3@host3.test, user4@host4.test,\n"
        "\tuser5@host5.test"
    )


def test_strangers_headers_stay() -> None:
    assert rewritten("To: jane", STRANGER) == "To: jane"
    assert rewritten("To: joe@my.domain", STRANGER, canonical_maps="hash:canonical") == (
        "To: joe@my.domain"
    )


def test_or_get_a_domain_that_shows_it() -> None:  # postconf(5) remote_header_rewrite_domain
    assert rewritten(
        "To: jane, a@ws",
        STRANGER,
        remote_header_rewrite_domain="domain.invalid",
        append_dot_mydomain="yes",
    ) == ("To: jane@domain.invalid, a@ws.domain.invalid")


@pytest.mark.parametrize(
    ("words", "submitter", "is_local"),
    [
        ("permit_inet_interfaces", client("192.0.2.10"), True),
        ("permit_inet_interfaces", client("192.0.2.11"), False),
        ("permit_mynetworks", client("192.0.2.11"), True),
        ("permit_mynetworks", client("198.51.100.7"), False),
        ("permit_sasl_authenticated", client("198.51.100.7", is_logged_in=True), True),
        ("permit_sasl_authenticated", client("198.51.100.7"), False),
        ("permit_tls_clientcerts", client("1.2.3.4", has_listed_certificate=True), True),
        ("permit_tls_all_clientcerts", client("1.2.3.4", has_trusted_certificate=True), True),
        ("check_address_map inline:{1.2.3.4=x}", client("1.2.3.4"), True),
        ("static:all", client("1.2.3.4"), True),
        ("", client("192.0.2.10"), False),
        ("", HERE, True),
    ],
)
def test_who_is_local(words: str, submitter: Submitter, is_local: bool) -> None:
    for _ in range(2):  # the second answer may be remembered
        found = rewritten("To: jane", submitter, local_header_rewrite_clients=words)
        assert found == ("To: jane@mail.my.domain" if is_local else "To: jane")


def test_an_unknown_word_is_refused() -> None:
    with pytest.raises(ParameterError, match="permit_all"):
        incoming(local_header_rewrite_clients="permit_all")


def test_canonical_maps_change_senders_and_recipients() -> None:
    raw = {"canonical_maps": "hash:canonical"}
    assert rewritten("From: J <joe@my.domain>", **raw) == "From: J <Joe.User@my.domain>"
    assert rewritten("To: x@old.test", **raw) == "To: x@new.test"
    assert rewritten("Reply-To: joe@my.domain", **raw) == "Reply-To: Joe.User@my.domain"
    assert rewritten("Resent-To: x@old.test", **raw).startswith("Resent-To: x@new.test\n")


def test_only_of_the_wanted_kind() -> None:
    one = {"sender_canonical_maps": "hash:canonical"}
    assert rewritten("To: joe@my.domain", **one) == "To: joe@my.domain"
    assert rewritten("Sender: joe@my.domain", **one) == "Sender: Joe.User@my.domain"
    two = {"canonical_maps": "hash:canonical", "canonical_classes": "header_recipient"}
    assert rewritten("To: joe@my.domain", **two) == "To: Joe.User@my.domain"
    assert rewritten("Sender: joe@my.domain", **two) == "Sender: joe@my.domain"


def test_masquerading() -> None:
    raw = {"masquerade_domains": "!keep.my.domain my.domain", "masquerade_exceptions": "root"}
    found = rewritten("To: a@ws.my.domain, root@ws.my.domain, b@keep.my.domain", **raw)
    assert found == "To: a@my.domain, root@ws.my.domain, b@keep.my.domain"
    raw["masquerade_classes"] = "header_sender"
    assert rewritten("To: a@ws.my.domain", **raw) == "To: a@ws.my.domain"


def test_mailer_daemon_stays_in_headers() -> None:
    raw = {"canonical_maps": "hash:canonical"}
    assert rewritten("Sender: MAILER-DAEMON", **raw) == "Sender: MAILER-DAEMON@mail.my.domain"


def test_without_address_mappings_addresses_are_only_completed() -> None:
    rules = incoming(canonical_maps="hash:canonical")
    out, _ = run(begin(rules, HERE, is_mapped=False), b"To: joe@my.domain, a\r\n\r\n")
    assert out.startswith(b"To: joe@my.domain, a@mail.my.domain\r\n")


def test_a_table_that_cannot_be_asked_refuses_for_now() -> None:
    made = tables()
    made.tables["hash:canonical"] = FailMap("down")
    _, cleaned = run(begin(incoming(made, canonical_maps="hash:canonical"), HERE), b"To: a@b\r\n")
    assert isinstance(cleaned.refusal, SmtpFailure)
    assert (cleaned.refusal.code, cleaned.refusal.enhanced) == (451, "4.3.0")


def test_generic_maps_on_the_way_out() -> None:
    cleaner = outgoing(smtp_generic_maps="hash:generic").begin()
    assert cleaner is not None
    message = (
        "From: J <joe@my.domain>\nTo: x, @h, joe@my.domain\nX-A: joe@my.domain\n\njoe@my.domain\n"
    )
    out, cleaned = run(cleaner, lines(message))
    assert out == lines(
        'From: J <me@isp.test>\nTo: x, ""@h, me@isp.test\nX-A: joe@my.domain\n\njoe@my.domain\n'
    )
    assert cleaned.refusal is None


def test_a_generic_address_that_stays_is_written_anew() -> None:  # smtp_map11(3)
    cleaner = outgoing(smtp_generic_maps="hash:generic").begin()
    assert cleaner is not None
    out, _ = run(cleaner, b"To: <same@my.domain> (c)\r\n\r\n")
    assert out == b"To: <same@my.domain>(c)\r\n\r\n"


def test_generic_maps_change_the_envelope_too() -> None:
    rules = outgoing(smtp_generic_maps="hash:generic")
    assert rules.address(Address("joe", "my.domain")) == Address("me", "isp.test")
    assert rules.address(Address("x", "my.domain")) == Address("x", "my.domain")
    assert rules.address(NULL) == NULL


def test_nothing_to_do_on_the_way_out() -> None:
    rules = outgoing()
    assert not rules.renames
    assert rules.begin() is None
