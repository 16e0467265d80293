"""Parameters and restriction lists: the registry decides, with a suggestion."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from panel.models import AccessTable, Parameter, Restriction, RestrictionList, Table

pytestmark = pytest.mark.django_db


def make(model, **fields):
    row = model(**fields)
    row.full_clean()
    row.save()
    return row


def test_it_works() -> None:
    make(Parameter, name="myhostname", value=" mx.example.com ")
    make(Parameter, name="message_size_limit", value="1000000")
    assert Parameter.objects.get(name="myhostname").value == "mx.example.com"


@pytest.mark.parametrize(
    ("name", "value", "field", "words"),
    [
        ("myhostnam", "x", "name", "myhostname"),
        ("restriction_classes", "x", "name", "smtpd_restriction_classes"),
        ("message_size_limit", "big", "value", ""),
        ("smtpd_helo_required", "perhaps", "value", ""),
    ],
)
def test_it_rejects_a_parameter(name: str, value: str, field: str, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        make(Parameter, name=name, value=value)
    assert words in str(caught.value.message_dict[field])


def test_a_restriction_list() -> None:
    each = make(RestrictionList, name="smtpd_recipient_restrictions")
    table = AccessTable.objects.create(name="protected")
    make(Restriction, list=each, position=2, name="reject_unauth_destination")
    make(Restriction, list=each, position=1, name="permit_mynetworks")
    make(Restriction, list=each, position=3, name="check_recipient_access", table=table)
    member = make(
        Restriction, list=each, position=4, name="reject_rbl_client", argument="zen.example.org"
    )
    assert [row.text for row in each.members.all()] == [
        "permit_mynetworks",
        "reject_unauth_destination",
        "check_recipient_access hash:protected",
        "reject_rbl_client zen.example.org",
    ]
    member.warn_if_reject = True
    assert member.text == "warn_if_reject reject_rbl_client zen.example.org"


def test_a_class_can_be_named_in_a_list() -> None:
    make(RestrictionList, name="insiders_only", is_class=True)
    each = make(RestrictionList, name="smtpd_recipient_restrictions")
    make(Restriction, list=each, name="insiders_only")


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("reject_unauth_destinations", ""),
        ("check_recipient_access", ""),
        ("permit_mynetworks", "reject"),
        ("check_recipient_access", "nonsense"),
        ("insiders_only", ""),
    ],
)
def test_it_rejects_a_member(name: str, argument: str) -> None:
    each = make(RestrictionList, name="smtpd_recipient_restrictions")
    with pytest.raises(ValidationError):
        make(Restriction, list=each, name=name, argument=argument)


def test_a_member_has_a_table_or_an_argument() -> None:
    each = make(RestrictionList, name="smtpd_recipient_restrictions")
    table = AccessTable.objects.create(name="protected")
    fields = {"list": each, "name": "check_sender_access", "table": table, "argument": "hash:x"}
    with pytest.raises(ValidationError):
        make(Restriction, **fields)
    with pytest.raises(IntegrityError), transaction.atomic():
        Restriction.objects.create(**fields)


@pytest.mark.parametrize(
    ("name", "is_class"),
    [("smtpd_recipients", False), ("reject", True), ("myhostname", True), ("a b", True)],
)
def test_it_rejects_a_list(name: str, is_class: bool) -> None:
    with pytest.raises(ValidationError):
        make(RestrictionList, name=name, is_class=is_class)


def test_a_list_and_a_parameter_do_not_both_set_the_same() -> None:
    make(RestrictionList, name="smtpd_recipient_restrictions")
    with pytest.raises(ValidationError, match="restriction list"):
        make(Parameter, name="smtpd_recipient_restrictions", value="reject")
    make(Parameter, name="smtpd_sender_restrictions", value="reject")
    with pytest.raises(ValidationError, match="parameter"):
        make(RestrictionList, name="smtpd_sender_restrictions")


def test_passwords_are_asked_of_tables_that_show_them_to_nobody() -> None:
    Table.objects.create(name="shown", kind="text")
    Table.objects.create(name="secrets", kind="passwords")
    make(Parameter, name="smtp_sasl_password_maps", value="hash:secrets, hash:not_yet_there")
    with pytest.raises(ValidationError, match="kind text") as caught:
        make(Parameter, name="lmtp_sasl_password_maps", value="hash:secrets, hash:shown")
    assert set(caught.value.message_dict) == {"value"}
    make(Parameter, name="relocated_maps", value="hash:shown")


def test_a_mailbox_takes_what_the_server_takes() -> None:
    with pytest.raises(ValidationError, match="would deliver nothing"):
        make(Parameter, name="mailbox_size_limit", value="1000")
    for name in ("mailbox_size_limit", "virtual_mailbox_limit"):
        with pytest.raises(ValidationError, match="smaller than message_size_limit"):
            make(Parameter, name="message_size_limit", value="60000000")
        make(Parameter, name=name, value="0")
    make(Parameter, name="message_size_limit", value="60000000")
