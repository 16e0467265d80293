"""state - which command is legal when, and where a positive reply leads; the table, nothing else.

SUMMARY      TRANSITIONS[state] maps a command to the next state, taken only after a positive reply;
             LEADS is the same with all states, those in which no command is read too
RULES        a command in ANYWHERE is legal in every state before content and changes nothing; a
             command in neither is out of order
             ORDER[state] maps every command to the 503 (or 554), with Postfix's words, for one that
             cannot come now, and to None when it can; HELO_FIRST is the same for
             smtpd_helo_required, where MAIL, AUTH and ETRN are out of order in START
EXCEPTIONS   XCLIENT: a refusal leads to REFUSED, as on connecting
             DATA: the reply must be 354, else the state stays; BDAT: a refused chunk leads to
             DISCARDING; content ends in READY whatever the reply is; STARTTLS 220 also forgets the
             buffer and the EHLO; AUTH 334 leads to AUTH, every other answer back to where it began
             (done by server.py)
NOT DONE     PIPELINING: commands are taken one at a time; the runtime joins the replies (RFC 2920
             3.2)
SOURCE       RFC 5321 4.1.4, RFC 3030 2, RFC 3207 4.2, RFC 4954 4; Postfix smtpd(8)
"""

from __future__ import annotations

from enum import Enum
from typing import get_args

from delivery.smtp import replies
from delivery.smtp.events import (
    Auth,
    Bdat,
    Command,
    Data,
    Ehlo,
    Etrn,
    Helo,
    Help,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    StartTls,
    Unknown,
    Vrfy,
    Xclient,
    Xforward,
)
from delivery.smtp.replies import Reply


class State(Enum):
    """Where a session stands."""

    __hash__ = object.__hash__  # asked for every command; that of Enum is Python

    CONNECT = "connect"  # the greeting is owed
    REFUSED = "refused"  # greeted with 554: only QUIT (RFC 5321 3.1)
    START = "start"  # greeted, no HELO yet
    READY = "ready"  # no transaction
    MAIL = "mail"  # a sender, no recipient
    RCPT = "rcpt"  # at least one recipient
    AUTH = "auth"  # between a 334 and the response to it
    CONTENT = "content"  # between 354 and the final dot
    CHUNK = "chunk"  # inside a BDAT chunk
    CHUNKS = "chunks"  # between the BDAT chunks of one message
    DISCARDING = "discarding"  # a chunk was refused: the others too, until BDAT LAST or RSET
    CLOSED = "closed"  # 221, 421 or 521 was sent


S = State
ANYWHERE = frozenset({Noop, Help, Vrfy, Quit, Unknown})  # RFC 5321 4.1.4

_OUTSIDE: dict[type, State] = {Ehlo: S.READY, Helo: S.READY}
_INSIDE: dict[type, State] = {**_OUTSIDE, Rset: S.READY, StartTls: S.START}

TRANSITIONS: dict[State, dict[type, State]] = {
    S.START: {
        **_OUTSIDE,
        Rset: S.START,
        StartTls: S.START,
        Mail: S.MAIL,
        Auth: S.START,
        Etrn: S.START,
        Xclient: S.START,
        Xforward: S.START,
    },
    S.READY: {
        **_INSIDE,
        Mail: S.MAIL,
        Auth: S.READY,
        Etrn: S.READY,
        Xclient: S.START,
        Xforward: S.READY,
    },
    S.MAIL: {**_INSIDE, Rcpt: S.RCPT},
    S.RCPT: {**_INSIDE, Rcpt: S.RCPT, Data: S.CONTENT, Bdat: S.CHUNK},
    S.CHUNKS: {**_INSIDE, Bdat: S.CHUNK},
    S.DISCARDING: {**_INSIDE},  # BDAT is answered 551 there, never accepted
    # no command is read in CONNECT, AUTH, CONTENT, CHUNK and CLOSED
}

_NEITHER = {Rcpt: replies.NEED_MAIL, Data: replies.NEED_RCPT, Bdat: replies.NEED_RCPT}
_NESTED = {
    Mail: replies.NESTED_MAIL,
    Auth: replies.IN_TRANSACTION,  # RFC 4954 4
    Etrn: replies.ETRN_IN_TRANSACTION,
    Xclient: replies.IN_TRANSACTION,
    Xforward: replies.IN_TRANSACTION,
}
_AFTER_BDAT = {**_NESTED, Rcpt: replies.RCPT_AFTER_BDAT, Data: replies.DATA_AFTER_BDAT}

_OUT_OF_ORDER: dict[State, dict[type, Reply]] = {
    S.START: _NEITHER,
    S.READY: _NEITHER,
    S.MAIL: {**_NESTED, Data: replies.NO_RECIPIENTS, Bdat: replies.NO_RECIPIENTS},
    S.RCPT: _NESTED,
    S.CHUNKS: _AFTER_BDAT,
    S.DISCARDING: {**_AFTER_BDAT, Mail: replies.MAIL_AFTER_BDAT},
}


LEADS = {state: TRANSITIONS.get(state, {}) for state in State}

IN_TRANSACTION = frozenset({S.MAIL, S.RCPT, S.CONTENT, S.CHUNK, S.CHUNKS, S.DISCARDING})


ORDER: dict[State, dict[type, Reply | None]] = {
    state: {
        **dict.fromkeys(get_args(Command), replies.BAD_SEQUENCE),
        **_OUT_OF_ORDER.get(state, {}),
        **dict.fromkeys((*legal, *ANYWHERE)),
    }
    for state, legal in {**TRANSITIONS, S.REFUSED: {}}.items()
}
HELO_FIRST: dict[State, dict[type, Reply | None]] = {
    **ORDER,
    S.START: {
        **ORDER[S.START],
        Mail: replies.SEND_HELO,
        Auth: replies.SEND_HELO,
        Etrn: replies.ETRN_SEND_HELO,
    },
}
