r"""escapes - \t, \040 and the like in the values of a few parameters.

SUMMARY      unescape(text)
SOURCE       Postfix unescape(3)
"""

from __future__ import annotations

import codecs
import re

_ESCAPE = re.compile(r"\\([0-7]{1,3}|.)", re.DOTALL)


def unescape(text: str) -> str:
    r"""\a \b \f \n \r \t \v \nnn and backslash anything."""

    def replaced(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "01234567":
            return chr(int(code, 8) & 0xFF)
        if code in "abfnrtv":
            return codecs.decode(f"\\{code}", "unicode_escape")
        return code

    return _ESCAPE.sub(replaced, text)
