"""weights - how much there is to do about a header, by its name.

SUMMARY      Weights(...).weigh(name) -> Weighed: NOTHING, NAME, NOTE or WORK, and what is known of
             the name; .known: what it said before; .idle: names that weigh nothing;
             .everything: all of them are work
RULES        a name that is not written as it should be ("Name :") is work
             what was found out is remembered for the messages to come, up to a bound
"""

from __future__ import annotations

from typing import NamedTuple

from delivery.content.headers import Header, HeaderNames, name_length

_KEPT_NAMES = 2000  # header names whose weight is remembered,
_LONG_NAME = 80  # unless they are longer than this

_NOTED = ("content-transfer-encoding", "received")  # what they say is kept, or how many there are

# how much there is to do about a header: NAME, that it is there counts; NOTE, what it says too
NOTHING, NAME, NOTE, WORK = 0, 1, 2, 3


class Weighed(NamedTuple):
    """A name as written. `header`: what is known of it."""

    weight: int
    header: Header | None


class Weights:
    """How much there is to do about the headers of one kind of message; remembered by name."""

    def __init__(
        self,
        names: HeaderNames,
        *,
        rewrites: bool,
        completes: bool,
        everything: bool,
        mime: bool = False,
    ) -> None:
        self.names = names
        self.idle: set[bytes] = set()  # names that weigh nothing
        self.known: dict[bytes, Weighed] = {}
        self._rewrites = rewrites
        self._completes = completes
        self.everything = everything
        self._mime = mime
        #: that Received headers are only counted
        self.counts_received = self._weight(names.find(b"received")) == NOTE

    def weigh(self, name: bytes) -> Weighed | None:
        """The weight of a name as written; None when it cannot begin a header."""
        weighed = self.known.get(name)
        if weighed is not None:
            return weighed
        length = name_length(name + b":")
        if not length:
            return None
        header = self.names.find(name[:length])
        weighed = Weighed(self._weight(header) if length == len(name) else WORK, header)
        if len(name) <= _LONG_NAME:
            if len(self.known) >= _KEPT_NAMES:
                self.known.clear()
                self.idle.clear()
            self.known[name] = weighed
            if weighed.weight == NOTHING:
                self.idle.add(name)
        return weighed

    def _weight(self, header: Header | None) -> int:
        if self.everything:
            return WORK
        if header is None:
            return NOTHING
        if header.dropped or (self._rewrites and (header.sender or header.recipient)):
            return WORK
        if header.mime and self._mime:
            return WORK
        if header.name in _NOTED:
            return NOTE
        return NAME if self._completes and not header.mime else NOTHING
