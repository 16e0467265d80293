"""accounts - the places, users and system files of a machine.

SUMMARY      make_places(job) in a mount namespace of one's own; Account(name, uid, gid)
RULES        /mnt is an empty file system with homes, mail spool, data, commands; /etc is that of
             the system with other accounts, hosts, resolver and configuration put over it
SOURCE       FORMAT.md, The machine of a scenario; mount(8), passwd(5), hosts(5)
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance_machine.places import fill

MNT = Path("/mnt")
ETC = MNT / "etc"
FIRST_UID = 5001
DUMPS = MNT / "dump"
_SYSTEM_USERS = (
    *(("root", 0), ("daemon", 1), ("nobody", 65534), ("postfix", 104)),
    ("waypost", 106),  # the engine's (privilege/account.py): it gets no mail of its own
)
_SYSTEM_GROUPS = (
    *(("root", 0), ("daemon", 1), ("mail", 8), ("nogroup", 65534)),
    *(("postfix", 104), ("postdrop", 105)),
)

# Stores how it was called: arguments, environment, identity, directory, standard input.
_DUMP = f"""#!/bin/sh
d=$(mktemp -d {DUMPS}/XXXXXXXX) || exit 75
printf '%s\\0' "$0" "$@" > "$d/argv"
env -0 > "$d/env"
id -un > "$d/user"
id -gn > "$d/group"
pwd > "$d/cwd"
cat > "$d/stdin"
chmod -R a+rX "$d"
case $0 in
*/exit[0-9]*) status=${{0##*/exit}}; echo "exit status $status requested"; exit "$status" ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the machine."""

    name: str
    uid: int
    gid: int


def make_places(
    root: Path,
    about: Mapping[str, Any],
    users: Sequence[Mapping[str, Any]],
    hosts: Sequence[Sequence[str]],
    certificates: Path,
    *,
    has_users: bool,
) -> dict[str, Account]:
    """Make /mnt and /etc of this mount namespace; return the accounts by name."""
    _run("mount", "--make-rprivate", "/")
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(MNT))
    accounts = {name: Account(name, uid, uid) for name, uid in _SYSTEM_USERS}
    for number, user in enumerate(users):
        uid = FIRST_UID + number
        accounts[user["name"]] = Account(user["name"], uid, uid)
    if not has_users:
        accounts = {name: Account(name, os.geteuid(), os.getegid()) for name in accounts}
    _make_etc(root, accounts, hosts)
    for name in ("home", "mail", "data", "bin", "dump", "certs"):
        (MNT / name).mkdir()
    for name in ("mail", "data", "dump"):
        (MNT / name).chmod(0o1777)
    _make_commands(about.get("dump_names", []))
    for source in certificates.glob("*") if certificates.is_dir() else ():
        shutil.copy(source, MNT / "certs")
    (MNT / "home" / "root").mkdir()
    for user in users:
        _make_home(user, accounts[user["name"]])
    for name, content in about.get("data_files", {}).items():
        (MNT / "data" / name).write_text(fill(content), encoding="utf-8")
    return accounts


def _make_etc(root: Path, accounts: Mapping[str, Account], hosts: Sequence[Sequence[str]]) -> None:
    real = MNT / ".etc"
    real.mkdir()
    _run("mount", "--rbind", "/etc", str(real))
    ETC.mkdir()
    shutil.copytree(root / "etc" / "postfix", ETC / "postfix")
    shutil.copy(root / "etc" / "aliases", ETC / "aliases")
    files = {
        "passwd": "".join(_passwd_line(account) for account in accounts.values()),
        "group": "".join(_group_lines(accounts)),
        "resolv.conf": "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n",
        "hosts": "127.0.0.1 localhost\n" + "".join(f"{' '.join(each)}\n" for each in hosts),
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    }
    for name, text in files.items():
        (ETC / name).write_text(text, encoding="utf-8")
    for entry in os.listdir(real):
        if not (ETC / entry).exists() and not entry.startswith(("shadow", "gshadow")):
            (ETC / entry).symlink_to(real / entry)
    _run("mount", "--bind", str(ETC), "/etc")


def _passwd_line(account: Account) -> str:
    system = dict(_SYSTEM_USERS)
    if account.name in system and account.name != "root":
        return f"{account.name}:x:{account.uid}:{account.gid}::/nonexistent:/usr/sbin/nologin\n"
    home = MNT / "home" / account.name
    return f"{account.name}:x:{account.uid}:{account.gid}::{home}:/bin/sh\n"


def _group_lines(accounts: Mapping[str, Account]) -> list[str]:
    groups = dict(_SYSTEM_GROUPS)
    for account in accounts.values():
        if account.gid >= FIRST_UID and account.gid not in groups.values():
            groups[account.name] = account.gid
    return [f"{name}:x:{gid}:\n" for name, gid in groups.items()]


def _make_commands(names: Sequence[str]) -> None:
    dump = MNT / "bin" / "dump"
    dump.write_text(_DUMP)
    dump.chmod(0o755)
    for name in names:
        (MNT / "bin" / name).symlink_to("dump")


def _make_home(user: Mapping[str, Any], account: Account) -> None:
    home = MNT / "home" / account.name
    home.mkdir()
    files = dict(user.get("files", {}))
    if user.get("forward") is not None:
        files[".forward"] = user["forward"]
    for name, content in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(fill(content), encoding="utf-8")
    for path in (home, *home.rglob("*")):
        os.chown(path, account.uid, account.gid)


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(words)}: {done.stderr.strip()}")
