"""namespaces - a machine of its own for one program: users, mounts, network, processes.

SUMMARY      way = choose_way(); way.command(words) is to be started instead of `words`
             enter_network(descriptor), new_network() -> descriptor
RULES        root uses mount, network and process namespaces, and all user ids are real. Anybody
             else begins with a user namespace: with the helpers of the Debian package uidmap it has
             as many user ids as the system allots (/etc/subuid), without them only one, and then
             all users of the machine are one: what a scenario says of owners cannot be seen.
             Inside, the program is root and process 1: when it ends, all of it ends.
ERRORS       NoNamespaces, with what to do about it
SOURCE       unshare(1), namespaces(7), user_namespaces(7)
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass

CLONE_NEWNET = 0x40000000
ONE_UID = 5001  # of everybody, where there is only one
_BASE = ("--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
_ROOT = (_BASE,)
_WITH_USERS = (
    ("--user", "--map-root-user", "--map-auto", *_BASE),
    ("--user", f"--map-user={ONE_UID}", f"--map-group={ONE_UID}", "--keep-caps", *_BASE),
)

_libc = ctypes.CDLL(None, use_errno=True)


class NoNamespaces(Exception):
    """This system does not allow machines of our own; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Way:
    """How namespaces are made here."""

    options: tuple[str, ...]

    @property
    def has_users(self) -> bool:
        """True when users of the machine have user ids of their own."""
        return "--user" not in self.options or "--map-auto" in self.options

    def command(self, words: Sequence[str]) -> list[str]:
        """The command line that starts `words` in a machine of its own."""
        return ["unshare", *self.options, *words]


def choose_way() -> Way:
    """The best way that works here. Raises NoNamespaces."""
    for program, package in (("unshare", "util-linux"), ("ip", "iproute2")):
        if shutil.which(program) is None:
            raise NoNamespaces(f"the program {program} is missing: install the package {package}")
    trouble = ""
    for options in (*(_ROOT if os.geteuid() == 0 else ()), *_WITH_USERS):
        way = Way(options)
        done = subprocess.run(
            way.command(["ip", "link", "set", "lo", "up"]),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return way
        trouble = done.stderr.strip()
    raise NoNamespaces(
        f"no namespaces for this user ({trouble}): allow unprivileged user namespaces "
        "(kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns), "
        "or run it as root"
    )


def new_network() -> int:
    """A descriptor of a new network namespace."""
    found: list[int] = []

    def make() -> None:
        _call("unshare", CLONE_NEWNET)  # of this thread alone
        found.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if not found:
        raise NoNamespaces("a network namespace could not be made")
    return found[0]


def enter_network(descriptor: int) -> None:
    """Put this thread, or the process that is about to be, into a network namespace."""
    _call("setns", descriptor, CLONE_NEWNET)


def _call(function: str, *arguments: int) -> None:
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")
