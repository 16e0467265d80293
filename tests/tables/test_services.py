"""Lines of master.cf."""

from __future__ import annotations

import pytest

from tables.errors import EntryError
from tables.services import (
    Service,
    check_service,
    parse_service,
    print_service,
)


def test_it_works() -> None:
    service = parse_service("smtp inet n - n - - smtpd -o smtpd_banner=hello")
    assert service == Service(
        name="smtp",
        type="inet",
        private=False,
        command="smtpd",
        overrides={"smtpd_banner": "hello"},
    )


@pytest.mark.parametrize(
    "service",
    [
        Service(name="25", type="inet", private=False, chroot=True, maxproc=10, command="smtpd -v"),
        Service(name="pickup", type="unix", wakeup="60?", maxproc=1, command="pickup"),
        Service(name="x", type="unix", overrides={"a": "b c, d", "e": ""}, command="pipe argv=y"),
    ],
)
def test_printing_and_reading_are_inverse(service: Service) -> None:
    assert parse_service(" ".join(print_service(service).split("\n"))) == service


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
def test_it_rejects_with_a_sentence(line: str, sentence: str) -> None:
    with pytest.raises(EntryError, match=sentence):
        parse_service(line)


@pytest.mark.parametrize("name", ["25", "smtp", "127.0.0.1:2525", "[::1]:25", "host:smtp", ":25"])
def test_it_takes_endpoints(name: str) -> None:
    check_service(Service(name=name, type="inet", command="smtpd"))
