"""callers - which user of this machine a process belongs to.

SUMMARY      await name_of(uid) -> login name; UNKNOWN for a user without one
ERRORS       OSError: the system's databases cannot be asked
SOURCE       postconf(5) authorized_submit_users, authorized_flush_users, authorized_mailq_users
"""

from __future__ import annotations

import asyncio
import pwd

UNKNOWN = "unknown"


async def name_of(uid: int) -> str:
    """The name that lists of users hold. It is asked for in a thread: that may take a while."""
    try:
        return (await asyncio.to_thread(pwd.getpwuid, uid)).pw_name
    except KeyError:
        return UNKNOWN
