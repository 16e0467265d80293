"""envelope_text - the lines before a message that is written to a file or given to a command.

SUMMARY      envelope_text(...) -> "From sender date", Return-Path, X-Original-To, Delivered-To
RULES        MAILER-DAEMON stands for the null sender in the From_ line; addresses in external form,
             without anything that could end a line
             without an original recipient there is no X-Original-To
SOURCE       Postfix mail_copy(3); mbox(5)
"""

from __future__ import annotations

import time

from delivery.trace import header_address
from tables.addresses import Address


def envelope_text(
    sender: Address,
    *,
    from_line: bool = False,
    return_path: bool = False,
    original: Address | None = None,
    delivered: Address | None = None,
    null_sender: str = "",
    eol: str = "\n",
    now: float | None = None,
) -> str:
    """The lines that are wanted, each with its end; `now` is for tests."""
    shown = header_address(sender, smtputf8=True) or null_sender
    lines = []
    if from_line:
        date = time.asctime(time.localtime(now))
        lines.append(f"From {shown or 'MAILER-DAEMON'}  {date}")
    if return_path:
        lines.append(f"Return-Path: <{shown}>")
    if original:
        lines.append(f"X-Original-To: {header_address(original, smtputf8=True)}")
    if delivered:
        lines.append(f"Delivered-To: {header_address(delivered, smtputf8=True)}")
    return "".join(f"{line}{eol}" for line in lines)
