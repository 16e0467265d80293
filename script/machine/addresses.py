"""addresses - ports that must be free, and paths short enough for a Unix socket.

SUMMARY      check_free(listener)
             socket_folder(run, variables) -> where sockets are made; forget_socket_folder(...)
RULES        A socket's path holds 107 bytes at most, and stands in URLs: below a deep WAYPOST_HOME,
             or one with blanks in its name, sockets go to a private folder of their own in
             XDG_RUNTIME_DIR or /tmp, named after WAYPOST_HOME: each start finds the same.
ERRORS       MachineError naming the port and the variable to set, or the folder
SOURCE       unix(7), sun_path
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

from machine.environment import Listener
from machine.errors import MachineError
from privilege import Account

SUN_PATH = 107  # bytes, without the closing NUL
LONGEST_NAME = "/.s.PGSQL.5432.lock"
SHORT = Path("/tmp")  # noqa: S108 - what is made in it is checked
PLAIN_PATH = re.compile(r"[A-Za-z0-9._/@+-]+")


def check_free(listener: Listener) -> None:
    """Make sure that this user can listen there; port 0 is always free."""
    text, variable = listener.text, listener.variable
    try:
        found = socket.getaddrinfo(
            listener.host or None, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        reasons = {
            errno.EADDRINUSE: f"port {listener.port} is taken: stop what listens on {text}",
            errno.EACCES: f"port {listener.port} needs CAP_NET_BIND_SERVICE (see docs/systemd)",
            errno.EADDRNOTAVAIL: f"{listener.host} is no address of this machine",
        }
        reason = reasons.get(error.errno or 0, f"cannot listen on {text} ({error})")
        raise MachineError(f"{reason}, or set {variable} to another address") from error


def socket_folder(run: Path, variables: Mapping[str, str], account: Account | None = None) -> Path:
    """The folder for Unix sockets, made if it is not `run` itself; the account's, if there is one.

    XDG_RUNTIME_DIR is the user's who started this, and no account's.
    """
    if _will_do(run):
        return run
    uid = os.getuid() if account is None else account.uid
    name = f"waypost-{uid}-{hashlib.sha256(os.fsencode(run)).hexdigest()[:16]}"
    base = Path(variables.get("XDG_RUNTIME_DIR") or SHORT) if account is None else SHORT
    if not (os.access(base, os.W_OK | os.X_OK) and _will_do(base / name)):
        base = SHORT
    folder = base / name
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if account is not None and found.st_uid == os.geteuid():  # just made by root
        os.lchown(folder, account.uid, account.gid)
        found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
        raise MachineError(f"{folder} is not a private folder of this user: remove it")
    return folder


def _will_do(folder: Path) -> bool:
    """Whether the path of a socket in a folder is short and plain enough."""
    path = os.fspath(folder)
    fits = len(os.fsencode(path + LONGEST_NAME)) <= SUN_PATH
    return fits and PLAIN_PATH.fullmatch(path) is not None


def forget_socket_folder(folder: Path, run: Path) -> None:
    """Remove what socket_folder made."""
    if folder != run:
        shutil.rmtree(folder, ignore_errors=True)
