"""Restriction lists and classes become rows where every word of them can be read."""

from __future__ import annotations

from panel.models import Parameter, RestrictionList
from panel.services.importer.report import Level
from tests.panel.services.importer.conftest import Import, said

MODERN = "compatibility_level = 3.6\nalias_maps =\n"


def members(name: str) -> list[str]:
    return [member.text for member in RestrictionList.objects.get(name=name).members.all()]


def test_it_works(importing: Import) -> None:
    importing(
        MODERN + "smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = permit_mynetworks,\n"
        "  warn_if_reject check_sender_access hash:/etc/postfix/senders\n"
        "  reject_rbl_client list.example=127.0.0.2, local_only, reject_unauth_destination\n"
        "smtpd_restriction_classes = local_only\n"
        "local_only = check_recipient_access inline:{ {a = b} }, reject\n",
        {"senders": "joe@example.com OK\n"},
    )
    assert members("smtpd_relay_restrictions") == []
    assert members("smtpd_recipient_restrictions") == [
        "permit_mynetworks",
        "warn_if_reject check_sender_access hash:senders",
        "reject_rbl_client list.example=127.0.0.2",
        "local_only",
        "reject_unauth_destination",
    ]
    assert members("local_only") == ["check_recipient_access inline:{ {a = b} }", "reject"]
    assert RestrictionList.objects.get(name="local_only").is_class
    assert RestrictionList.objects.get(name="smtpd_recipient_restrictions").members.filter(
        table__name="senders"
    )
    assert not Parameter.objects.filter(name__contains="restriction").exists()


def test_words_of_2000_come_back_as_those_of_today(importing: Import) -> None:
    report = importing(
        "smtpd_sender_restrictions = hash:/etc/postfix/senders, reject_unknown_address\n"
        "restriction_classes = some\nsome = permit\n",
        {"senders": "joe@example.com OK\n"},
    )
    assert members("smtpd_sender_restrictions") == [
        "check_sender_access hash:senders",
        "reject_unknown_sender_domain",
    ]
    assert members("smtpd_recipient_restrictions") == ["permit_mynetworks", "check_relay_domains"]
    assert members("some") == ["permit"]
    assert any("reject_unknown_address is called" in t for t in said(report, "approximated"))


def test_a_list_with_references_stays_text(importing: Import) -> None:
    report = importing(MODERN + "smtpd_helo_restrictions = permit_mynetworks, $more\nmore =\n")
    assert Parameter.objects.get(name="smtpd_helo_restrictions").value.endswith("$more")
    assert any("stays as text" in text for text in said(report, Level.APPROXIMATED))


def test_classes_are_rows_all_or_none(importing: Import) -> None:
    importing(
        MODERN + "smtpd_restriction_classes = a, b\na = permit\nb = hash:/etc/postfix/x\n",
        {"x": "y OK\n"},
    )
    found = dict(Parameter.objects.values_list("name", "value"))
    assert (found["a"], found["b"]) == ("permit", "hash:x")
    assert found["smtpd_restriction_classes"] == "a, b"
    assert not RestrictionList.objects.exists()


def test_a_class_that_is_never_set_is_empty(importing: Import) -> None:
    importing(MODERN + "smtpd_restriction_classes = nothing\n")
    assert members("nothing") == []


def test_a_word_that_is_no_restriction_is_kept_for_the_publish_to_refuse(importing: Import) -> None:
    report = importing(MODERN + "smtpd_helo_restrictions = reject_everything_bad\n")
    assert Parameter.objects.get(name="smtpd_helo_restrictions").value == "reject_everything_bad"
    assert report.counts[Level.WRONG] == 1
