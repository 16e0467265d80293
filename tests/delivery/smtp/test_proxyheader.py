"""The header of the PROXY protocol, in both versions, whole and in pieces."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.smtp.proxyheader import LINE_LIMIT, SIGNATURE, Header, ProxyHeaderError, read

BOTH = ("ipv4", "ipv6")
LINE = b"PROXY TCP4 198.51.100.7 192.0.2.10 4567 25\r\n"
BLOCK = base64.b64decode("DQoNCgANClFVSVQKIREADMYzZAfAAAIKEVwAGQ==")
ENDS = ("198.51.100.7", 4444), ("192.0.2.10", 25)


def test_a_line_names_both_ends() -> None:
    found = read(LINE + b"EHLO x\r\n", BOTH)
    assert found == Header(len(LINE), ("198.51.100.7", 4567), ("192.0.2.10", 25))


@pytest.mark.parametrize(
    "line",
    [
        b"PROXY TCP4 198.51.100.7 192.0.2.10 4567 25\n",
        b"PROXY TCP4 1.2.3.4 2.3.4.5 1 25 extra\r\n",
        b"PROXY TCP4 1.2.3.4 192.0.2.10 0 0\r\n",
        b"PROXY TCP6 2001:db8::8 2001:db8::25 4567 25\r\n",
    ],
)
def test_forms_that_are_taken(line: bytes) -> None:
    found = read(line, BOTH)
    assert found is not None
    assert found.length == len(line)


@pytest.mark.parametrize(
    "line",
    [
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN 1.1.1.1 2.2.2.2 1 2\r\n",
        b"PROXY TCP4 bad 192.0.2.10 1 25\r\n",
        b"PROXY TCP4 1.2.3.4\r\n",
        b"PROXY TCP5 1.2.3.4 192.0.2.10 1 25\r\n",
        b"PROXY TCP4 1.2.3.4 192.0.2.10 99999 25\r\n",
        b"PROXY \r\n",
        b"PROXY\r\n",
        b"EHLO x\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"proxy tcp4 1.2.3.4 192.0.2.10 1 25\r\n",
        b"PROXY " + b"x" * LINE_LIMIT,
        SIGNATURE + b"\x22\x11\x00\x0c" + bytes(12),  # an unknown command
        SIGNATURE + b"\x21\x00\x00\x00",  # no family
        SIGNATURE + b"\x21\x11\x00\x04" + bytes(4),  # too short for addresses
        SIGNATURE + b"\x21\x11\xff\xff",  # a header without end
        b"\r\n\r\nQUIT",
    ],
)
def test_what_is_no_header(line: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        read(line, BOTH)


def test_a_family_that_is_not_spoken_is_refused() -> None:
    with pytest.raises(ProxyHeaderError):
        read(b"PROXY TCP6 2001:db8::8 2001:db8::25 4567 25\r\n", ("ipv4",))
    with pytest.raises(ProxyHeaderError):
        read(LINE, ("ipv6",))


def test_a_block_names_both_ends_and_may_say_more() -> None:
    assert read(BLOCK + b"EHLO x\r\n", BOTH) == Header(len(BLOCK), *ENDS)
    more = base64.b64decode("DQoNCgANClFVSVQKIREAE8YzZAfAAAIKEVwAGQMABGFiY2Q=")
    assert read(more, BOTH) == Header(len(more), *ENDS)
    six = (
        SIGNATURE + b"\x21\x21\x00\x24" + bytes(15) + b"\x01" + bytes(15) + b"\x02\x00\x05\x00\x19"
    )
    assert read(six, BOTH) == Header(len(six), ("::1", 5), ("::2", 25))


def test_a_health_check_names_nobody() -> None:
    assert read(SIGNATURE + b"\x20\x00\x00\x00", BOTH) == Header(16)


@given(data=st.sampled_from([LINE, BLOCK]), cut=st.integers(0, 60))
def test_pieces_are_waited_for(data: bytes, cut: int) -> None:
    found = read(data[:cut], BOTH)
    assert (found is None) == (cut < len(data))


@given(data=st.binary(max_size=700))
def test_whatever_comes_is_a_header_or_refused(data: bytes) -> None:
    try:
        found = read(data, BOTH)
    except ProxyHeaderError:
        return
    assert found is not None or len(data) < 536
