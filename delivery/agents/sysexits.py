"""sysexits - what a command that ended means for the message.

SUMMARY      judge(answer, command) -> (status code, reason)
RULES        exit status 0: delivered. A status of sysexits(3) has its own code; any other is 5.3.0
             output that begins with a status code of class 4 or 5 says more than the exit status
             a signal: 4.3.0; out of time: 5.3.0
             output comes from outside: blanks for line ends, "_" for anything not printable
SOURCE       sysexits(3); Postfix sys_exits(3), pipe_command(3), dsn_util(3)
"""

from __future__ import annotations

import re

from delivery.courier.wire import Answer
from delivery.printable import printable

_DETAILS = {
    64: ("5.3.0", "command line usage error"),
    65: ("5.6.0", "data format error"),
    66: ("5.3.0", "cannot open input"),
    67: ("5.1.1", "user unknown"),
    68: ("5.1.2", "host name unknown"),
    69: ("5.3.0", "service unavailable"),
    70: ("5.3.0", "internal software error"),
    71: ("4.3.0", "system resource problem"),
    72: ("5.3.0", "critical OS file missing"),
    73: ("5.2.0", "can't create user output file"),
    74: ("5.3.0", "input/output error"),
    75: ("4.3.0", "temporary failure"),
    76: ("5.5.0", "remote error in protocol"),
    77: ("5.7.0", "permission denied"),
    78: ("5.3.5", "local configuration error"),
}
_STATUS = re.compile(r"\s*([45]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s+|$)(.*)")  # RFC 3463 2


def _shown(output: str) -> str:
    """Output of a command as it may be logged and reported."""
    return printable(re.sub(r"[\t\n]", " ", output), "_")


def judge(answer: Answer, command: str) -> tuple[str, str]:
    """(status code, reason); a status of class 2 means delivered, the reason is then its output."""
    output = _shown(answer.output)
    shown = f'"{command}"'
    said = f". Command output: {output}" if output else ""
    if answer.timed_out:
        return "5.3.0", f"Command time limit exceeded: {shown}{said}"
    if answer.signal:
        return "4.3.0", f"Command died with signal {answer.signal}: {shown}{said}"
    if answer.exit_status == 0:
        return "2.0.0", output.strip()
    if answer.exit_status < 0:  # it was never run
        return answer.dsn, answer.reason
    if match := _STATUS.match(output):
        return match[1], match[2].strip() or output.strip()
    if answer.exit_status in _DETAILS:
        dsn, text = _DETAILS[answer.exit_status]
        return dsn, text + said
    return "5.3.0", f"Command died with status {answer.exit_status}: {shown}{said}"
