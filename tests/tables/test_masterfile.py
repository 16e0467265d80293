"""master.cf as a file."""

from __future__ import annotations

from tables.masterfile import parse_master, print_master
from tables.services import DEFAULT_MAXPROC

MASTER = """\
# service type  private unpriv  chroot  wakeup  maxproc command + args
smtp      inet  n       -       y       -       -       smtpd
587       inet  n       -       n       -       10      smtpd
  -o smtpd_tls_security_level=encrypt
  # a remark
  -o { smtpd_relay_restrictions = permit_sasl_authenticated, reject }
  -v

pickup    unix  n       -       n       60?     1       pickup
filter    unix  -       n       n       -       0       pipe
  flags=Rq user=filter null_sender=
  argv=/usr/bin/filter -f ${sender} -- ${recipient}
"""


def test_it_works() -> None:  # master(5)
    found = parse_master(MASTER)
    assert found.problems == ()
    services = {entry.line: entry.service for entry in found.entries}
    assert list(services) == [2, 3, 9, 10]
    assert services[3].overrides == {
        "smtpd_tls_security_level": "encrypt",
        "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
    }
    assert (services[3].command, services[3].maxproc) == ("smtpd -v", 10)
    assert services[2].chroot
    assert services[2].maxproc == DEFAULT_MAXPROC
    assert services[9].wakeup == "60?"
    assert services[10].daemon == "pipe"
    assert not services[10].unprivileged
    assert services[10].arguments[-2:] == ("--", "${recipient}")


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
