"""rootless - the engine gives up root, and only its courier keeps it.

SUMMARY      give_up_root(config) -> the courier that was started as root, or None
RULES        before anything is read, bound or started. An ordinary user has nothing to give up, and
             its courier starts with the first order. Of root only the right to ports below 1024 is
             kept; the account is that of WAYPOST_USER or WAYPOST_HOME (privilege/account.py), and
             the courier never becomes it.
             Where the account cannot reach the code or WAYPOST_HOME, and the system allows no
             private mounts, it may read every file, and a line says so.
ERRORS       DeliveryError: root cannot be given up; then nothing is run at all
SOURCE       docs/decisions/0014 and 0020
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from delivery import log
from delivery.agents.courier import PROJECT, Courier
from delivery.config import Config
from delivery.errors import DeliveryError
from privilege import PrivilegeError, become, choose_account, own, reach


def give_up_root(config: Config) -> Courier | None:
    """Become the account that the engine runs as. Raises DeliveryError."""
    try:
        account = choose_account(config.home, config.user)
        if account is None:
            return None
        own(config.home, account)
        courier = Courier(
            directory=str(config.home), refused=[account.uid], spools=config.mail_spools
        )
        courier.start()
        paths = (PROJECT, Path(sys.prefix), Path(sys.base_prefix), config.home)
        reached = reach(account, paths)
        become(account, file_access=not reached)
        os.chdir(PROJECT)
    except (PrivilegeError, OSError) as error:
        raise DeliveryError(f"root cannot be given up: {error}") from error
    if not reached:
        problem = f"{account.name} may not enter the folders above {PROJECT}: it reads every file"
        log.event("engine", problem=problem)
    log.event("engine", state="rootless", user=account.name)
    return courier
