"""xtext - text in a form that holds neither blanks nor control characters.

SUMMARY      xtext_encode(text), xtext_decode(text); `utf8`: of an address of the type utf-8
ERRORS       ValueError: what is no xtext
SOURCE       RFC 3461 4, RFC 6533 3
"""

from __future__ import annotations

import re

# RFC 3461 4:  xtext = *( xchar / hexchar );  hexchar = "+" 2(%x30-39 / %x41-46)
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*\Z")
_HEXCHAR = re.compile(rb"\+([0-9A-F]{2})")
# RFC 6533 3:  EmbeddedUnicodeChar = %x5C.78 "{" HEXPOINT "}"
_EMBEDDED = re.compile(r"\\x\{([0-9A-F]{2,6})\}")
# RFC 6533 3:  QCHAR = %x21-2a / %x2c-3c / %x3e-5b / %x5d-7e
_NOT_QCHAR = re.compile(r"[^!-*,-<>-\[\]-~]")
_NOT_XCHAR = re.compile(rb"[^!-*,-<>-~]")


def xtext_decode(text: str, *, utf8: bool = False) -> str:
    r"""The text that an xtext stands for; with `utf8` also \x{20AC} and plain non-ASCII (RFC 6533).

    ValueError: not xtext, not UTF-8, or with control characters, which belong in no report.
    """
    if utf8:
        decoded = _EMBEDDED.sub(lambda match: chr(int(match[1], 16)), text)
    elif _XTEXT.match(text) is None:
        raise ValueError("not xtext")
    else:
        raw = _HEXCHAR.sub(lambda match: bytes.fromhex(match[1].decode()), text.encode())
        decoded = raw.decode("utf-8")
    if any((c < " " and c != "\t") or c == "\x7f" for c in decoded):
        raise ValueError("control character")
    decoded.encode("utf-8")  # an escaped surrogate is a ValueError too
    return decoded


def xtext_encode(text: str, *, utf8: bool = False) -> str:
    r"""RFC 3461 4; non-ASCII as the hexadecimal octets of its UTF-8, or as \x{20AC} (RFC 6533)."""
    if utf8:
        return _NOT_QCHAR.sub(lambda match: f"\\x{{{ord(match[0]):02X}}}", text)
    return _NOT_XCHAR.sub(lambda match: b"+%02X" % ord(match[0]), text.encode()).decode("ascii")
