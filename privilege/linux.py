"""linux - the system calls of this room that the standard library of Python 3.11 does not offer.

SUMMARY      call, prctl; keep_capabilities, set_capabilities, raise_ambient     capabilities(7)
             set_file_user                                                       setfsuid(2)
             new_mounts, enter_mounts, mount                                     mount(2)
RULES        Safe between fork and exec of a program with one thread: nothing is imported or locked.
ERRORS       OSError
"""

from __future__ import annotations

import ctypes
import os

PR_GET_PDEATHSIG, PR_SET_PDEATHSIG, PR_SET_KEEPCAPS = 2, 1, 8
PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP = 28, 1 << 2
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 38, 47, 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_READ_SEARCH, CAP_NET_BIND_SERVICE = 2, 10
CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_SLAVE, MS_NOSUID, MS_NODEV = 0x1000, 0x4000, 0x80000, 2, 4

_libc = ctypes.CDLL(None, use_errno=True)


def call(function: str, *arguments: object) -> None:
    """Call a function of libc that returns 0. Raises OSError."""
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def prctl(option: int, *values: int) -> None:
    """prctl(2) with numbers."""
    padded = [*values, 0, 0, 0, 0][:4]
    call("prctl", ctypes.c_int(option), *(ctypes.c_ulong(value) for value in padded))


def death_signal() -> int:
    """The signal that this process gets when its parent ends; 0: none. Changing users clears it."""
    found = ctypes.c_int()
    call("prctl", ctypes.c_int(PR_GET_PDEATHSIG), ctypes.byref(found), 0, 0, 0)
    return found.value


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Set(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def capabilities() -> tuple[int, int, int]:
    """The low 32 of this thread's effective, permitted and inheritable capabilities."""
    sets = (_Set * 2)()
    call("capget", ctypes.byref(_Header(CAPABILITY_VERSION_3, 0)), ctypes.byref(sets))
    return sets[0].effective, sets[0].permitted, sets[0].inheritable


def set_capabilities(effective: int, permitted: int, inheritable: int) -> None:
    """Have these capabilities and no others; none above the first 32."""
    sets = (_Set * 2)(_Set(effective, permitted, inheritable), _Set(0, 0, 0))
    call("capset", ctypes.byref(_Header(CAPABILITY_VERSION_3, 0)), ctypes.byref(sets))


def add_effective(capability: int) -> None:
    """Use a capability that is permitted; those above the first 32 stay as they are."""
    sets = (_Set * 2)()
    header = _Header(CAPABILITY_VERSION_3, 0)
    call("capget", ctypes.byref(header), ctypes.byref(sets))
    sets[0].effective |= 1 << capability
    call("capset", ctypes.byref(header), ctypes.byref(sets))


def set_file_user(uid: int, gid: int) -> None:
    """Be somebody else to the file system, and oneself to everything else. Raises OSError."""
    wish = death_signal()
    for function, number in (("setfsgid", gid), ("setfsuid", uid)):
        change = getattr(_libc, function)
        change(ctypes.c_uint32(number))
        if change(ctypes.c_uint32(0xFFFFFFFF)) != number:  # changes nothing, tells what is
            raise OSError(1, f"{function}: {os.strerror(1)}")
    prctl(PR_SET_PDEATHSIG, wish)


def new_mounts() -> None:
    """Have mounts of one's own: later ones of the system appear, ours stay ours."""
    call("unshare", ctypes.c_int(CLONE_NEWNS))
    mount("none", "/", "", MS_REC | MS_SLAVE)


def enter_mounts(descriptor: int) -> None:
    """Go to the mounts that an open /proc/PID/ns/mnt stands for."""
    call("setns", ctypes.c_int(descriptor), ctypes.c_int(CLONE_NEWNS))


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """mount(2)."""
    words = [os.fsencode(word) for word in (source, target, kind)]
    data = os.fsencode(options) if options else None
    call("mount", *words, ctypes.c_ulong(flags), data)
