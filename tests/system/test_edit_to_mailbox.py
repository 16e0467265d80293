"""An edit over REST changes what the mail server does."""

from __future__ import annotations

import shutil
import smtplib
import subprocess

import pytest

from tests.system.house import House, message

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("house")]


def with_mailbox(house: House, domain: str, local: str = "joe") -> str:
    """A hosted domain with one mailbox, live; gives its address."""
    house.live("POST", "domains/", {"name": domain, "kind": "virtual_mailbox"})
    house.live("POST", "mailboxes/", {"address": f"{local}@{domain}", "password": "s3cret-enough"})
    return f"{local}@{domain}"


def test_it_works(house: House) -> None:
    joe = with_mailbox(house, "works.test")
    house.live("POST", "virtual-entries/", {"pattern": "sales@works.test", "destinations": [joe]})

    house.send("ann@sender.test", "sales@works.test", "to the alias")

    arrived = house.arrived(joe, "to the alias")
    assert arrived["Return-Path"] == "<ann@sender.test>"
    assert arrived["X-Original-To"] == "sales@works.test"
    assert arrived["Delivered-To"] == joe
    assert "from client.test" in arrived["Received"]
    assert arrived.keys()[:3] == ["Return-Path", "X-Original-To", "Delivered-To"]
    assert arrived.get_content().strip() == "Hello."


def test_it_expands_an_alias_of_a_local_domain(house: House) -> None:
    joe = with_mailbox(house, "aliases.test")
    house.live("POST", "domains/", {"name": "office.test", "kind": "local"})
    house.live("POST", "aliases/", {"name": "staff", "destinations": [joe]})

    house.send("ann@sender.test", "staff@office.test", "to the staff")

    assert house.arrived(joe, "to the staff")["Delivered-To"] == joe


def test_it_accepts_mail_of_swaks(house: House) -> None:
    swaks = shutil.which("swaks")
    if swaks is None:
        pytest.skip("swaks is not installed: apt-get install swaks")
    joe = with_mailbox(house, "swaks.test")

    run = subprocess.run(
        [swaks, "--server", f"127.0.0.1:{house.smtp_port}", "--from", "ann@sender.test",
         "--to", joe, "--header", "Subject: from swaks", "--hide-all"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert run.returncode == 0, run.stdout + run.stderr
    assert house.arrived(joe, "from swaks")["Return-Path"] == "<ann@sender.test>"


def test_it_refuses_what_was_removed(house: House) -> None:
    joe = with_mailbox(house, "removed.test")
    entry = house.live(
        "POST", "virtual-entries/", {"pattern": "info@removed.test", "destinations": [joe]}
    ).json
    assert house.reply_to_rcpt("info@removed.test")[0] == 250

    house.live("DELETE", f"virtual-entries/{entry['id']}/")

    code, text = house.reply_to_rcpt("info@removed.test")
    assert code == 550
    assert text.startswith("5.1.1 <info@removed.test>: Recipient address rejected")
    assert house.reply_to_rcpt(joe)[0] == 250


def test_it_refuses_a_disabled_mailbox(house: House) -> None:
    joe = with_mailbox(house, "disabled.test")
    found = house.api("GET", f"mailboxes/?search={joe}").json["results"]
    assert len(found) == 1

    house.live("PATCH", f"mailboxes/{found[0]['id']}/", {"enabled": False})

    code, text = house.reply_to_rcpt(joe)
    assert code == 550
    assert text.startswith("5.2.1 ")


@pytest.mark.parametrize(
    "path, body, field",
    [
        ("domains/", {"name": "no spaces.test", "kind": "relay"}, "name"),
        ("domains/", {"name": "kind.test", "kind": "imaginary"}, "kind"),
        ("mailboxes/", {"address": "nobody", "password": "s3cret-enough"}, "address"),
        ("mailboxes/", {"address": "a/../b@bad.test", "password": "s3cret-enough"}, "address"),
        ("mailboxes/", {"address": "joe@not-hosted.test", "password": "s3cret-enough"}, "address"),
        ("aliases/", {"name": "crew", "destinations": ["two@@signs"]}, "destinations"),
        ("aliases/", {"name": "crew", "destinations": []}, "destinations"),
        ("virtual-entries/", {"pattern": "a b@c.test", "destinations": ["x@y.test"]}, "pattern"),
        ("transports/", {"pattern": "bad.test", "transport": "smtp:x\n", "nexthop": ""}, ""),
    ],
)
def test_it_names_the_field_of_bad_input_and_changes_nothing(
    house: House, path: str, body: dict[str, object], field: str
) -> None:
    before = house.api("GET", path).json["count"]

    response = house.api("POST", path, body)

    assert response.status == 400, response
    assert response.headers["Content-Type"] == "application/problem+json"
    assert field in response.text
    assert house.api("GET", path).json["count"] == before


@pytest.mark.parametrize(
    "command, code",
    [
        ("MAIL FROM:<unclosed@sender.test", 501),
        ("RCPT TO:<joe@works.test>", 503),
        ("DATA", 503),
        ("NONSENSE", 500),
        ("MAIL FROM:<ann@sender.test> SIZE=99999999999", 552),
        ("MAIL FROM:<ann@sender.test> NOT-A-PARAMETER=1", 555),
        ("x" * 5000, 500),
    ],
)
def test_it_answers_bad_smtp_and_goes_on(house: House, command: str, code: int) -> None:
    with house.smtp() as client:
        client.ehlo()
        assert client.docmd(command)[0] == code
        assert client.noop()[0] == 250


def test_it_does_not_relay_for_strangers(house: House) -> None:
    joe = with_mailbox(house, "strangers.test")
    with house.smtp(source="127.0.0.9") as client:
        client.ehlo()
        client.mail("ann@sender.test")
        code, text = client.rcpt("someone@elsewhere.test")
        assert (code, text.decode()) == (
            454,
            "4.7.1 <someone@elsewhere.test>: Relay access denied",
        )
        assert client.rcpt(joe)[0] == 250


def test_it_keeps_a_mailing_whole_or_not_at_all(house: House) -> None:
    joe = with_mailbox(house, "partly.test")
    with house.smtp() as client:
        refused = client.sendmail(
            "ann@sender.test",
            [joe, "nobody@partly.test"],
            message("ann@sender.test", joe, "partly"),
        )
    assert list(refused) == ["nobody@partly.test"]
    assert refused["nobody@partly.test"][0] == 550
    house.arrived(joe, "partly")


def test_it_says_unknown_user_for_a_refused_single_recipient(house: House) -> None:
    with_mailbox(house, "single.test")
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refusal:
        house.send("ann@sender.test", "nobody@single.test", "never")
    assert refusal.value.recipients["nobody@single.test"][0] == 550
