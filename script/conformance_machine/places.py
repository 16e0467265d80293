"""places - placeholders of the format, the paths that they stand for in a machine, and back.

SUMMARY      fill(text); Normal().text(text): queue ids, dates, paths ... become placeholders
SOURCE       FORMAT.md, Placeholders
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable

PLACES = {
    "{ETC}": "/etc/postfix",
    "{HOMES}": "/mnt/home",
    "{MAIL}": "/mnt/mail",
    "{DATA}": "/mnt/data",
    "{BIN}": "/mnt/bin",
    "{SPOOL}": "/var/spool/postfix",
    "{STATE}": "/var/lib/postfix",
    "{CERTS}": "/mnt/certs",
}
CENSORED = "_mnt_home_"  # a home directory after command_expansion_filter
DATE = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), +)\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [-+]\d{4}"
    r"(?: \([A-Z]+\))?"
)
_QUEUED_AS = re.compile(r"queued as ([0-9A-Za-z]{6,20})")
_CHALLENGE = re.compile(r"\bPD[0-9A-Za-z+/]{16,}=*")


def fill(text: str) -> str:
    """The text with paths for placeholders."""
    for name, path in PLACES.items():
        text = text.replace(name, path)
    return text


def unfill(text: str) -> str:
    """The text with placeholders for paths."""
    for name, path in PLACES.items():
        text = text.replace(path, name)
    return text.replace(CENSORED, "{CENSORED}_")


def readable(data: bytes) -> str:
    """UTF-8, or else each byte as U+0080 to U+00FF."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


class Normal:
    """Takes out what is another at each run; learns the queue ids of a case."""

    def __init__(self) -> None:
        self.queue_ids: set[str] = set()

    def learn(self, text: str) -> None:
        """Note the queue ids that a reply tells."""
        self.queue_ids.update(_QUEUED_AS.findall(text))

    def text(self, text: str, kept_dates: Iterable[str] = ()) -> str:
        """The text in its normal form; dates of the input stay."""
        for queue_id in sorted(self.queue_ids, key=len, reverse=True):
            text = re.sub(rf"(?<![0-9A-Za-z]){queue_id}(?![0-9A-Za-z])", "{QID}", text)
        text = re.sub(r"\d{14}\.\{QID\}", "{MSGID}", text)
        text = re.sub(r"\{QID\}\.\d{9,}/", "{QID}.{TIME}/", text)
        kept = {f"\0{number}\0": date for number, date in enumerate(kept_dates)}
        for mark, date in kept.items():
            text = text.replace(date, mark)
        text = DATE.sub("{DATE}", text)
        for mark, date in kept.items():
            text = text.replace(mark, date)
        text = re.sub(r"from userid \d+", "from userid {UID}", text)
        return unfill(_CHALLENGE.sub(_challenge, text))


def _challenge(match: re.Match[str]) -> str:
    """A CRAM-MD5 challenge holds a time and the name of this machine."""
    try:
        plain = base64.b64decode(match[0], validate=True)
    except ValueError:
        return match[0]
    return "{CHALLENGE}" if re.fullmatch(rb"<\d+\.\d+@[^>]*>", plain) else match[0]
