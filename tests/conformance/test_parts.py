"""The parts of a scenario's machine that need no machine."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from conformance_machine.configuration import services, write_configuration
from conformance_machine.dnsserver import Zone
from conformance_machine.message import describe, split_message
from conformance_machine.places import Normal, fill, unfill
from conformance_machine.suite import Scenario, find_scenarios


def test_places_are_filled_in_and_taken_out() -> None:
    text = "alias_maps = hash:{ETC}/aliases, {HOMES}/joe"
    assert fill(text) == "alias_maps = hash:/etc/postfix/aliases, /mnt/home/joe"
    assert unfill(fill(text)) == text


def test_what_changes_from_run_to_run_is_taken_out() -> None:
    normal = Normal()
    normal.learn("2.0.0 Ok: queued as 4RxYz1Abc")
    date = "Mon, 20 Nov 2000 10:00:00 +0000"
    assert normal.text("id 4RxYz1Abc; x4RxYz1Abc") == "id {QID}; x4RxYz1Abc"
    assert (
        normal.text(f"{date} Tue, 21 Nov 2000 10:00:00 +0000 (UTC)", [date]) == f"{date} {{DATE}}"
    )


def test_services_are_replaced_and_taken_away() -> None:
    usual = {line.split()[0] + line.split()[1] for line in services("")}
    own = services("#local unix - n n - - local\nfoo unix - n n - - pipe\n  user=x argv=y\n# a\n")
    assert usual - {line.split()[0] + line.split()[1] for line in own} == {"localunix"}
    assert "foo unix - n n - - pipe user=x argv=y" in own


def test_a_configuration_gets_what_every_machine_has(tmp_path: Path) -> None:
    given = tmp_path / "given" / "postfix"
    given.mkdir(parents=True)
    (given / "main.cf").write_text("inet_protocols = all\nvirtual_alias_maps = hash:{ETC}/v\n")
    scenario = Scenario(given.parent, "x", "x", legacy=False)
    text = (write_configuration(scenario, tmp_path / "root") / "main.cf").read_text()
    assert "hash:/etc/postfix/v\n" in text
    assert "inet_protocols = all" in text
    assert "inet_protocols = ipv4" not in text
    assert "alias_maps = hash:/etc/aliases" in text


def test_scenarios_are_found_by_what_is_in_them(tmp_path: Path) -> None:
    for name, about in (("a", '{"family": "f"}'), ("b", '{"family": "g", "batch": 2}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "scenario.json").write_text(about)
        (tmp_path / name / "cases.json").write_text(f'{{"scenario": "x/{name}", "cases": []}}')
    assert [each.name for each in find_scenarios(tmp_path)] == ["x/a", "x/b"]
    assert [each.name for each in find_scenarios(tmp_path, batch=1)] == ["x/a"]
    assert [each.name for each in find_scenarios(tmp_path, families=["g"])] == ["x/b"]
    assert find_scenarios(tmp_path, legacy=True) == []


def question(name: str, kind: int) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return (
        struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)
    )


@pytest.mark.parametrize(
    ("name", "kind", "code", "count"),
    [
        ("a.example", 1, 0, 1),
        ("A.EXAMPLE", 1, 0, 1),
        ("a.example", 15, 0, 0),  # there is such a name, without such a record
        ("example", 1, 0, 0),
        ("c.example", 1, 0, 2),  # the alias and what it leads to
        ("none.example", 1, 3, 0),
        ("x.broken.example", 1, 2, 0),
    ],
)
def test_the_dns_answers(name: str, kind: int, code: int, count: int) -> None:
    zone = Zone(
        {
            "records": [["a.example", "A", "192.0.2.1"], ["c.example", "CNAME", "a.example"]],
            "servfail": ["broken.example"],
        }
    )
    answer = zone.answer(question(name, kind))
    assert answer[:2] == b"\0\7"
    flags, _, answers = struct.unpack_from(">HHH", answer, 2)
    assert (flags & 0xF, answers) == (code, count)


def test_a_message_is_described() -> None:
    raw = b"Subject: a\r\n b\r\nX: \r\n\r\nHello\r\n"
    assert split_message(raw) == ([["Subject", "a\n b"], ["X", ""]], b"Hello\n")
    assert describe(raw, Normal(), [])["body"] == "Hello\n"
    long = describe(b"\n" + b"x" * 2000, Normal(), [])
    assert (long["body_length"], long["body_longest_line"]) == (2000, 2000)


def test_a_notification_is_described_by_its_fields() -> None:
    raw = b"""\
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

Sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
Arrival-Date: Mon, 20 Nov 2000 10:00:00 +0000

Final-Recipient: rfc822; joe@example.com
Action: failed
--b
Content-Type: message/rfc822

Subject: test

Hello.
--b--
"""
    report = describe(raw, Normal(), [])["report"]
    assert report["parts"] == ["text/plain", "message/delivery-status", "message/rfc822"]
    assert ["Arrival-Date", "{DATE}"] in report["per_message"]
    assert report["per_recipient"] == [
        {"Final-Recipient": "rfc822; joe@example.com", "Action": "failed"}
    ]
    assert (report["returned_body"], report["returned_headers"]) == (True, [["Subject", "test"]])
