"""linux - the few system calls that the standard library of Python 3.11 does not offer.

SUMMARY      die_with_parent, become_subreaper, set_process_name   prctl(2)
             enter_user_namespace                                  unshare(2), user_namespaces(7)
             become_user_with_file_access                          capabilities(7)
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

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_SET_NAME = 1, 8, 15
PR_SET_CHILD_SUBREAPER, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 36, 47, 2
CLONE_NEWUSER = 0x10000000
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _call(function: str, *arguments: object) -> None:
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def _prctl(option: int, *values: int) -> None:
    padded = [*values, 0, 0, 0, 0][:4]
    _call("prctl", ctypes.c_int(option), *(ctypes.c_ulong(value) for value in padded))


def die_with_parent(sent: signal.Signals, parent: int) -> None:
    """Have the kernel send a signal to this process when its parent ends, however it ends.

    `parent` is the parent's process id, read before the fork: it may have ended meanwhile. Changing
    users clears the wish, so this comes last before exec.
    """
    _prctl(PR_SET_PDEATHSIG, sent)
    if os.getppid() != parent:
        os._exit(128 + sent)


def become_subreaper() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def set_process_name(name: str) -> None:
    """The name that ps and top show, 15 bytes."""
    _call("prctl", ctypes.c_int(PR_SET_NAME), ctypes.c_char_p(name.encode()[:15]), 0, 0, 0)


def enter_user_namespace(uid: int, gid: int) -> None:
    """Be `uid` and `gid` in a namespace of one's own, and still oneself to every file."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    _call("unshare", ctypes.c_int(CLONE_NEWUSER))
    for name, text in (
        ("setgroups", "deny"),  # user_namespaces(7): before gid_map
        ("uid_map", f"{uid} {outer_uid} 1"),
        ("gid_map", f"{gid} {outer_gid} 1"),
    ):
        target = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(target, text.encode())
        os.close(target)


class _CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapabilitySet(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def become_user_with_file_access(uid: int, gid: int) -> None:
    """Give up root for another user, keeping of all its rights only the one to open files."""
    _prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    bit = 1 << CAP_DAC_OVERRIDE
    sets = (_CapabilitySet * 2)(_CapabilitySet(bit, bit, bit), _CapabilitySet(0, 0, 0))
    header = _CapabilityHeader(CAPABILITY_VERSION_3, 0)
    _call("capset", ctypes.byref(header), ctypes.byref(sets))
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE)  # survives exec


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
