"""weights - how much there is to do about a header, by its name.

SUMMARY      Weights(...).weigh(name) -> NOTHING, NOTE or WORK; .idle: names that weigh nothing
RULES        a name that is not written as it should be ("Name :") is work
             what was found out is remembered for the messages to come, up to a bound
"""

from __future__ import annotations

from delivery.content.headers import Header, HeaderNames, name_length

_KEPT_NAMES = 2000  # header names whose weight is remembered,
_LONG_NAME = 80  # unless they are longer than this

_NOTED = ("content-transfer-encoding", "received")  # of these something is kept

# how much there is to do about a header
NOTHING, NOTE, WORK = 0, 1, 2


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
        self._known: dict[bytes, int] = {}
        self._rewrites = rewrites
        self._completes = completes
        self._everything = everything
        self._mime = mime

    def weigh(self, name: bytes) -> int | None:
        """The weight of a name as written; None when it cannot begin a header."""
        weight = self._known.get(name)
        if weight is not None:
            return weight
        length = name_length(name + b":")
        if not length:
            return None
        weight = self._weight(self.names.find(name)) if length == len(name) else WORK
        if len(name) <= _LONG_NAME:
            if len(self._known) >= _KEPT_NAMES:
                self._known.clear()
                self.idle.clear()
            self._known[name] = weight
            if weight == NOTHING:
                self.idle.add(name)
        return weight

    def _weight(self, header: Header | None) -> int:
        if self._everything:
            return WORK
        if header is None:
            return NOTHING
        if header.dropped or (self._rewrites and (header.sender or header.recipient)):
            return WORK
        if header.mime and self._mime:
            return WORK
        if self._completes or header.name in _NOTED:
            return NOTE
        return NOTHING
