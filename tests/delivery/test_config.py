"""What the engine reads from its environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from delivery.config import PROJECT, ConfigError, Endpoint, parse_endpoint, read_config


def test_it_works(tmp_path: Path) -> None:
    config = read_config(
        {
            "WAYPOST_HOME": str(tmp_path),
            "WAYPOST_SMTP": "0.0.0.0:25",
            "WAYPOST_RESOLVER": "[::1]:5353",
            "WAYPOST_SMTP_CLIENT_PORT": "2626",
            "WAYPOST_MAIL_SPOOLS": "/a:/b",
        }
    )
    assert config.home == tmp_path.resolve()
    assert config.listeners["smtp"] == Endpoint("0.0.0.0", 25)
    assert config.resolver == Endpoint("::1", 5353)
    assert config.smtp_client_port == 2626
    assert config.mail_spools == ("/a", "/b")
    assert config.control_socket == tmp_path.resolve() / "run" / "engine.sock"


def test_defaults() -> None:
    config = read_config({"WAYPOST_SMTP": ""})
    assert config.home == PROJECT / "var"
    assert str(config.listeners["smtp"]) == "127.0.0.1:2525"
    assert str(config.listeners["submission"]) == "127.0.0.1:2587"
    assert config.listeners["smtps"] == config.listeners["submissions"]
    assert config.resolver is None
    assert config.smtp_client_port == 25
    assert config.mail_spools == ()


@pytest.mark.parametrize(
    "text, endpoint",
    [
        ("127.0.0.1:25", Endpoint("127.0.0.1", 25)),
        ("mx.example.com:25", Endpoint("mx.example.com", 25)),
        ("[2001:db8::1]:25", Endpoint("2001:db8::1", 25)),
        (":25", Endpoint("", 25)),
        ("25", Endpoint("", 25)),
    ],
)
def test_endpoints(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint("WAYPOST_SMTP", text) == endpoint


@pytest.mark.parametrize(
    "text", ["", "x", "127.0.0.1", "127.0.0.1:", "h:0", "h:65536", "h:٢٥", "::1:25", "a b:25"]
)
def test_it_refuses_nonsense_and_names_the_variable(text: str) -> None:
    with pytest.raises(ConfigError, match="WAYPOST_SMTP"):
        parse_endpoint("WAYPOST_SMTP", text)


@pytest.mark.parametrize(
    "variable, value",
    [
        ("WAYPOST_RESOLVER", "dns.example.com:53"),
        ("WAYPOST_RESOLVER", "127.0.0.1"),
        ("WAYPOST_SMTP_CLIENT_PORT", "smtp"),
        ("WAYPOST_SMTP_CLIENT_PORT", "70000"),
        ("WAYPOST_SMTPS", "nowhere"),
    ],
)
def test_it_refuses_a_bad_variable(variable: str, value: str) -> None:
    with pytest.raises(ConfigError, match=variable):
        read_config({variable: value})


def test_an_endpoint_is_written_as_it_is_read() -> None:
    for text in ("127.0.0.1:25", "[::1]:25"):
        assert str(parse_endpoint("x", text)) == text
