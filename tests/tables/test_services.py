"""Lines of master.cf."""

from __future__ import annotations

import pytest

from tables.errors import EntryError
from tables.services import (
    DEFAULT_MAXPROC,
    Service,
    check_service,
    parse_service,
    parse_services,
    print_service,
)

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


def test_it_works() -> None:
    service = parse_service("smtp inet n - n - - smtpd -o smtpd_banner=hello")
    assert service == Service(
        name="smtp",
        type="inet",
        private=False,
        command="smtpd",
        overrides={"smtpd_banner": "hello"},
    )


def test_it_reads_a_file() -> None:  # master(5)
    services = dict(parse_services(MASTER))
    assert list(services) == [2, 3, 9, 10]
    submission = services[3]
    assert submission.overrides == {
        "smtpd_tls_security_level": "encrypt",
        "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
    }
    assert (submission.command, submission.maxproc) == ("smtpd -v", 10)
    assert services[2].chroot
    assert services[2].maxproc == DEFAULT_MAXPROC
    assert services[9].wakeup == "60?"
    assert services[10].daemon == "pipe"
    assert not services[10].unprivileged
    assert services[10].arguments[-2:] == ("--", "${recipient}")


def test_printing_and_reading_are_inverse() -> None:
    for _, service in parse_services(MASTER):
        assert parse_services(print_service(service)) == ((1, service),)


def test_overrides_with_blanks_are_printed_in_braces() -> None:
    service = Service(name="x", type="unix", command="smtp", overrides={"a": "b c", "d": ""})
    assert print_service(service) == "x unix y y n - - smtp\n  -o { a = b c }\n  -o { d =  }\n"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("smtp inet n", "eight fields"),
        ("smtp tcp n - n - - smtpd", "one of the types"),
        ("smtp inet maybe - n - - smtpd", "field private"),
        ("smtp inet n - n soon - smtpd", "wake-up"),
        ("smtp inet n - n - many smtpd", "maxproc"),
        ("a:b:c inet n - n - - smtpd", "port, host:port"),
        ("99999 inet n - n - - smtpd", "not a port"),
        ("smtp inet n - n - - smtpd -o", "must follow"),
        ("smtp inet n - n - - smtpd -o banner", "must follow"),
        ("smtp inet n - n - - smtpd -o { a = b", "closing"),
        ("smtp inet n - n - - smtpd -o a/b=c", "name of a parameter"),
    ],
)
def test_it_rejects_with_line_and_sentence(line: str, sentence: str) -> None:
    with pytest.raises(EntryError, match=f"line 2: .*{sentence}"):
        parse_services(f"# first\n{line}\n")


@pytest.mark.parametrize("name", ["25", "smtp", "127.0.0.1:2525", "[::1]:25", "host:smtp", ":25"])
def test_it_takes_endpoints(name: str) -> None:
    check_service(Service(name=name, type="inet", command="smtpd"))


def test_it_rejects_a_service_twice() -> None:
    with pytest.raises(EntryError, match="there already, in line 1"):
        parse_services("smtp unix - - n - - smtp\nsmtp unix - - n - - smtp\n")


def test_it_rejects_a_first_line_that_continues_nothing() -> None:
    with pytest.raises(EntryError, match="must not begin with a blank"):
        parse_services("  smtp unix - - n - - smtp\n")
