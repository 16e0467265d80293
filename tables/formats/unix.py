"""unix - the accounts and groups of this machine: unix:passwd.byname, unix:group.byname.

RULES        the key is folded; the result is the line of passwd(5) or group(5)
NOT DONE     shadow passwords: what getpwnam(3) shows is returned, "x" usually
SOURCE       DATABASE_README unix; Postfix dict_unix(3)
"""

from __future__ import annotations

import grp
import pwd
from collections.abc import Callable

from tables.errors import EntryError
from tables.formats.base import fold_key


class UnixMap:
    """One of the system's databases."""

    __slots__ = ("_line",)

    is_pattern = False
    changes = True  # accounts come and go

    def __init__(self, line: Callable[[str], str]) -> None:
        self._line = line

    def get(self, key: str, /) -> str | None:
        """Return the line of `key`, None when there is no such name."""
        try:
            return self._line(fold_key(key))
        except (KeyError, ValueError, UnicodeEncodeError):
            return None


def open_unix(name: str) -> UnixMap:
    """Return the table of unix:`name`."""
    if name == "passwd.byname":
        return UnixMap(_passwd_line)
    if name == "group.byname":
        return UnixMap(_group_line)
    raise EntryError(f"unknown table: unix:{name}")


def _passwd_line(name: str) -> str:
    return ":".join(str(part) for part in pwd.getpwnam(name))


def _group_line(name: str) -> str:
    found = grp.getgrnam(name)
    return f"{found.gr_name}:{found.gr_passwd}:{found.gr_gid}:{','.join(found.gr_mem)}"
