"""Words, paths and xtext; the paths are those of Postfix's recorded answers."""

from __future__ import annotations

import random

import pytest

from delivery.smtp.grammar import neuter, parse_path, split_words
from delivery.smtp.settings import ServerSettings
from delivery.xtext import xtext_decode, xtext_encode
from tables.addresses import Address
from tables.errors import AddressSyntaxError

SETTINGS = ServerSettings()


def path(text: str, settings: ServerSettings = SETTINGS, *, smtputf8: bool = False) -> Address:
    return parse_path(text, settings, smtputf8=smtputf8)


@pytest.mark.parametrize(
    ("text", "local", "domain"),
    [
        ("<joe@example.net>", "joe", "example.net"),
        ("<>", "", ""),
        ("joe@example.net", "joe", "example.net"),
        ("joe@example.net>", "joe", "example.net"),
        ("<joe>", "joe", ""),
        ("<<joe>>", "joe", ""),
        ("<Joe@EXAMPLE.net>", "Joe", "EXAMPLE.net"),
        ("<joe@x@y.example>", "joe@x", "y.example"),
        ("<joe@example.net.>", "joe", "example.net."),
        ("<joe@>", "joe@", ""),
        ("<@example.net>", "", "example.net"),
        ("<-joe@-a.example>", "-joe", "-a.example"),
        ('<"joe smith"@example.net>', "joe smith", "example.net"),
        ('<"a\\"b"@example.net>', 'a"b', "example.net"),
        ("<\\joe@example.net>", "joe", "example.net"),
        ("<.joe..x.@example.net>", ".joe..x.", "example.net"),
        ("<joe:x@example.net>", "joe:x", "example.net"),
        ("<[x]@example.net>", "[x]", "example.net"),
        ('<""@example.net>', "", "example.net"),
        ("<(c)joe(d) @ example.net>", "joe", "example.net"),
        ("<@one.example,@two.example:joe@example.net>", "joe", "example.net"),
        ("<joe@[192.0.2.1]>", "joe", "[192.0.2.1]"),
        ("<jörg@example.net>", "jörg", "example.net"),
    ],
)
def test_it_takes_what_postfix_takes(text: str, local: str, domain: str) -> None:
    assert path(text) == Address(local, domain)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<joe smith@example.net>",
        "<joe,x@example.net>",
        "<joe;x@example.net>",
        "<joe@bücher.example>",
        "<joe\x00@example.net>",
        "<joe\n@example.net>",
    ],
)
def test_it_rejects_what_postfix_rejects(text: str) -> None:
    with pytest.raises(AddressSyntaxError):
        path(text)


def test_smtputf8_opens_the_domain() -> None:
    """RFC 6531 3.3."""
    address = path("<jörg@bücher.example>", smtputf8=True)
    assert address == Address("jörg", "bücher.example")


def test_settings_close_more() -> None:
    strict = ServerSettings(strict_rfc821_envelopes=True)
    assert path("<joe@example.net>", strict) == Address("joe", "example.net")
    for text in (
        "joe@example.net",
        "<@example.net>",
        "Joe <joe@example.net>",
        "<(c)joe@example.net>",
    ):
        with pytest.raises(AddressSyntaxError):
            path(text, strict)
    with pytest.raises(AddressSyntaxError):
        path("<jörg@example.net>", ServerSettings(strict_smtputf8=True))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  a \t b ", ["a", "b"]),
        ("FROM:<a@b> SIZE=1", ["FROM:", "<a@b>", "SIZE=1"]),
        ("to:  joe", ["to:", "joe"]),
        ("FROM:<a <b> c> d", ["FROM:", "<a <b> c>", "d"]),
        ('FROM:<"a> b"@c> d', ["FROM:", '<"a> b"@c>', "d"]),
        ("FROM:a\\ b c", ["FROM:", "a\\ b", "c"]),
        ("X:Y ORCPT=rfc822;a:b", ["X:Y", "ORCPT=rfc822;a:b"]),
        ("FROM:<a", None),
        ('FROM:"a', None),
        ("FROM:<a\\>", None),
    ],
)
def test_words_are_cut_as_postfix_cuts_them(text: str, words: list[str] | None) -> None:
    assert split_words(text) == words


def test_xtext_goes_round() -> None:
    """RFC 3461 4."""
    assert xtext_encode("a+b=c d") == "a+2Bb+3Dc+20d"
    for text in ("", "QQ314159", "a+b=c d", "jörg"):
        assert xtext_decode(xtext_encode(text)) == text
    assert xtext_decode("j\\x{F6}rg\\x{1F600}", utf8=True) == "jörg\U0001f600"
    assert xtext_encode("jö\\r=\U0001f600", utf8=True) == "j\\x{F6}\\x{5C}r\\x{3D}\\x{1F600}"
    for text in ("", "a+b=c d", "jörg", "\\x{F6}"):
        assert xtext_decode(xtext_encode(text, utf8=True), utf8=True) == text


@pytest.mark.parametrize("text", ["+", "+4", "+zz", "+2b", "a b", "a=b", "jörg", "+0A", "+FF"])
def test_it_rejects_what_is_no_xtext(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        xtext_decode(text)


@pytest.mark.parametrize("text", ["\\x{D800}", "\\x{110000}", "\\x{0A}", "\x7f"])
def test_it_rejects_what_is_no_unicode(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        xtext_decode(text, utf8=True)


def test_a_helo_name_is_made_harmless() -> None:
    assert neuter("client.example") == "client.example"
    assert neuter("[192.0.2.1]") == "[192.0.2.1]"
    assert neuter('<a> (b) c;d@"e"\\\x00\u00e9') == "?a???b??c?d??e????"


@pytest.mark.parametrize("seed", range(20))
def test_any_text_is_an_address_or_an_address_error(seed: int) -> None:
    randomly = random.Random(seed)
    alphabet = '<>@@..:,;"\\()[] \t\x00\r\n-_%!aé1\u200b\U0001f600'
    for _ in range(200):
        text = "".join(randomly.choices(alphabet, k=randomly.randrange(30)))
        for smtputf8 in (False, True):
            try:
                address = path(text, smtputf8=smtputf8)
            except AddressSyntaxError:
                continue
            assert not any(c in address.text for c in "\x00\r\n"), f"seed {seed}: {text!r}"
            assert smtputf8 or address.domain.isascii(), f"seed {seed}: {text!r}"
            split_words(text)
