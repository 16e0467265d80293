"""The state table: every state against every command, and the protocol agrees with the table."""

from __future__ import annotations

import pytest

from delivery.smtp.commands import PARSERS
from delivery.smtp.events import Bdat, ChunkEnd, SyntaxProblem
from delivery.smtp.state import ANYWHERE, ORDER, TRANSITIONS, State
from tests.delivery.smtp.sessions import Session

EXTENSIONS = ("STARTTLS", "AUTH PLAIN", "XCLIENT NAME", "XFORWARD NAME")
OPENING: dict[State, bytes] = {
    State.START: b"",
    State.READY: b"EHLO c.example\r\n",
    State.MAIL: b"EHLO c.example\r\nMAIL FROM:<>\r\n",
    State.RCPT: b"EHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<joe@example.net>\r\n",
    State.CHUNKS: b"MAIL FROM:<>\r\nRCPT TO:<joe@example.net>\r\nBDAT 1\r\nx",
    State.DISCARDING: b"EHLO c.example\r\nBDAT 1\r\nx",
}
LINES: dict[str, bytes] = {
    "HELO": b"HELO c.example",
    "EHLO": b"EHLO c.example",
    "MAIL": b"MAIL FROM:<alice@c.example>",
    "RCPT": b"RCPT TO:<joe@example.net>",
    "DATA": b"DATA",
    "BDAT": b"BDAT 1\r\nx",
    "RSET": b"RSET",
    "NOOP": b"NOOP",
    "HELP": b"HELP",
    "VRFY": b"VRFY joe",
    "ETRN": b"ETRN example.net",
    "STARTTLS": b"STARTTLS",
    "AUTH": b"AUTH PLAIN",
    "XCLIENT": b"XCLIENT NAME=c.example",
    "XFORWARD": b"XFORWARD NAME=c.example",
    "QUIT": b"QUIT",
}


def opened(state: State) -> Session:
    session = Session(extensions=EXTENSIONS)
    session.talk(OPENING[state])
    assert session.protocol.state is state
    session.events.clear()
    return session


def test_the_table_covers_every_state_in_which_commands_are_read() -> None:
    assert set(TRANSITIONS) == set(OPENING)
    assert set(LINES) == set(PARSERS)


@pytest.mark.parametrize("verb", LINES)
@pytest.mark.parametrize("state", OPENING)
def test_every_command_in_every_state(state: State, verb: str) -> None:
    session = opened(state)
    kind = PARSERS[verb][0]
    session.talk(LINES[verb] + (b"" if verb == "BDAT" else b"\r\n"))
    event = session.events[0]
    if verb == "BDAT":
        _check_bdat(session, state)
        return
    assert len(session.events) == 1, session.events
    if kind in ANYWHERE:
        assert isinstance(event, kind)
        assert session.protocol.state is (State.CLOSED if verb == "QUIT" else state)
    elif kind in TRANSITIONS[state]:
        assert isinstance(event, kind)
        # ETRN and AUTH are refused by the session: the state stays
        refused = verb in ("ETRN", "AUTH")
        assert session.protocol.state is (state if refused else TRANSITIONS[state][kind])
    else:
        assert isinstance(event, SyntaxProblem)
        assert event.reply == ORDER[state][kind]
        assert event.reply.code in (503, 554)
        assert session.protocol.state is state


def _check_bdat(session: Session, state: State) -> None:
    """BDAT 1, not the last: it is taken, or it is skipped and all the others will be."""
    if state in (State.RCPT, State.CHUNKS):
        first = [Bdat(1, last=False)] if state is State.RCPT else []
        assert session.events == [*first, ChunkEnd(1)]
        assert session.protocol.state is State.CHUNKS
    else:
        (problem,) = session.events
        assert isinstance(problem, SyntaxProblem)
        assert problem.reply.code in (503, 551, 554)
        assert session.protocol.state is State.DISCARDING


@pytest.mark.parametrize("verb", [verb for verb in LINES if verb not in ("BDAT", "QUIT")])
@pytest.mark.parametrize("state", OPENING)
def test_a_wrong_argument_changes_no_state(state: State, verb: str) -> None:
    session = opened(state)
    session.talk(verb.encode() + b" \x01<\r\n")
    if verb not in ("HELO", "EHLO", "NOOP", "HELP"):
        assert isinstance(session.events[0], SyntaxProblem)
        assert session.protocol.state is state
