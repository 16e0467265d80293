"""message - the message as a file or a command gets it: line ends, From_ lines, final lines.

SUMMARY      read_parts(descriptors) -> pieces; shape(pieces, Form) -> pieces
RULES        CRLF becomes `eol`, also where a piece ends between the two; a last line without an end
             gets one
             ">" is put before lines that begin with "From ", "." before lines that begin with "."
MEMORY       pieces of at most 64 KiB
ERRORS       OSError when the message cannot be read
SOURCE       Postfix mail_copy(3); mbox(5)
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

PIECE_BYTES = 64 * 1024
_FROM = re.compile(rb"(?<=\n)From ")
_DOT = re.compile(rb"(?<=\n)\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How the message is written. `prefix` is written as it is, before the message."""

    prefix: bytes = b""
    eol: bytes = b"\n"
    quotes_from: bool = False
    stuffs_dots: bool = False
    ends_blank: bool = False


def read_parts(descriptors: Sequence[int]) -> Iterator[bytes]:
    """What these open files hold, one after the other, each from its beginning."""
    for descriptor in descriptors:
        place = 0
        while piece := os.pread(descriptor, PIECE_BYTES, place):
            place += len(piece)
            yield piece


def shape(pieces: Iterable[bytes], form: Form) -> Iterator[bytes]:
    """The whole text to be written."""
    if form.prefix:
        yield form.prefix
    held = b"\n"  # the end of the line before, which looking behind needs; not written again
    last = b"\n"
    for piece in pieces:
        text, held = _split(held + piece, form)
        if len(text) <= 1:
            continue
        text = text.replace(b"\r\n", b"\n")
        last = text[-1:]
        yield _marked(text, form)
        held = last + held
    if len(held) > 1:
        last = held[-1:]
        yield _marked(held, form)
    if last != b"\n":
        yield form.eol
    if form.ends_blank:
        yield form.eol


def _split(text: bytes, form: Form) -> tuple[bytes, bytes]:
    """(what can be written, what must wait for the next piece). The first byte is old."""
    keep = len(text)
    if text.endswith(b"\r"):
        keep -= 1
    elif form.quotes_from:
        start = text.rfind(b"\n") + 1
        if 0 < len(text) - start < 5 and b"From ".startswith(text[start:]):
            keep = start
    if keep <= 1:
        return b"", text
    return text[:keep], text[keep:]


def _marked(text: bytes, form: Form) -> bytes:
    """The text behind its first byte, quoted as wanted, with the line ends that are wanted."""
    if form.quotes_from:
        text = _FROM.sub(b">From ", text)
    if form.stuffs_dots:
        text = _DOT.sub(b"..", text)
    text = text[1:]
    return text if form.eol == b"\n" else text.replace(b"\n", form.eol)
