"""master.cf as a file."""

from __future__ import annotations

from tables.masterfile import parse_master, print_master

MASTER = """\
# service type  private unpriv  chroot  wakeup  maxproc command + args
smtp      inet  n       -       n       -       -       smtpd
587       inet  n       -       n       -       -       smtpd
  -o smtpd_tls_security_level=encrypt
  -o { smtpd_relay_restrictions = permit_sasl_authenticated, reject }
uucp      unix  -       n       n       -       -       pipe
  flags=F user=nobody argv=/usr/bin/uux -r -n -z -a$sender - $nexthop!rmail ($recipient)
"""


def test_it_works() -> None:
    found = parse_master(MASTER)
    assert [(entry.line, entry.service.name) for entry in found.entries] == [
        (2, "smtp"),
        (3, "587"),
        (6, "uucp"),
    ]
    assert found.problems == ()
    assert found.entries[1].service.overrides["smtpd_relay_restrictions"].endswith("reject")
    assert found.entries[2].service.command.endswith("$nexthop!rmail ($recipient)")


def test_a_line_that_is_no_service_is_a_problem() -> None:
    found = parse_master("smtp inet n\nrelay unix - - n - - smtp\n")
    assert [entry.service.name for entry in found.entries] == ["relay"]
    assert [problem.line for problem in found.problems] == [1]


def test_a_service_that_is_there_again_replaces_the_first() -> None:
    found = parse_master("x unix - - n - - smtp\ny unix - - n - - smtp\nx unix - - n - - lmtp\n")
    assert [(e.service.name, e.service.daemon) for e in found.entries] == [
        ("y", "smtp"),
        ("x", "lmtp"),
    ]
    assert [problem.line for problem in found.problems] == [1]


def test_what_was_printed_reads_the_same() -> None:
    services = {entry.service.name: entry.service for entry in parse_master(MASTER).entries}
    again = parse_master(print_master(services.values()))
    assert {entry.service.name: entry.service for entry in again.entries} == services
    assert again.problems == ()
