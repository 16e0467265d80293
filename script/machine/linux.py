"""linux - the few system calls that the standard library of Python 3.11 does not offer.

SUMMARY      die_with_parent, become_subreaper, set_process_name   prctl(2)
             descendants, started_at                               proc(5)
RULES        What runs between fork and exec calls nothing but the kernel: no lock, no allocation of
             another thread can be in the way, because this program has one thread.
ERRORS       OSError
"""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

from privilege.linux import PR_SET_PDEATHSIG, call, prctl

PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 15, 36


def die_with_parent(sent: signal.Signals, parent: int) -> None:
    """Have the kernel send a signal to this process when its parent ends, however it ends.

    `parent` is the parent's process id, read before the fork: it may have ended meanwhile. Changing
    users clears the wish, so this comes last before exec.
    """
    prctl(PR_SET_PDEATHSIG, sent)
    if os.getppid() != parent:
        os._exit(128 + sent)


def become_subreaper() -> None:
    """Become the parent of every descendant whose own parent ends."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def set_process_name(name: str) -> None:
    """The name that ps and top show, 15 bytes."""
    call("prctl", ctypes.c_int(PR_SET_NAME), ctypes.c_char_p(name.encode()[:15]), 0, 0, 0)


def _stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name, from "state" on; None: no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def started_at(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None: it has ended (a zombie has, too).

    Process id and start time together name a process for good: ids are used again.
    """
    fields = _stat_fields(pid)
    return None if fields is None or fields[0] in "ZX" else int(fields[19])


def descendants(pid: int) -> set[int]:
    """The processes below a process that have not ended."""
    children: dict[int, list[int]] = {}
    ended = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat_fields(int(entry))) is not None:
            children.setdefault(int(fields[1]), []).append(int(entry))
            if fields[0] in "ZX":
                ended.add(int(entry))
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found.update(below)
        waiting.extend(below)
    return found - ended
