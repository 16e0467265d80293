"""privilege - whom the database server runs as, since Postgres refuses to run as root.

SUMMARY      choose_privilege(binary, home) -> Privilege; Privilege.enter() in the new process
RULES        An ordinary user: as that user. Root: as nobody in a user namespace, where root's files
             stay root's. Where the machine forbids that (Docker does): as postgres or nobody, with
             no right left but that of opening files: clone and WAYPOST_HOME may be root's alone.
             Each way is tried with `postgres --version` before it is taken.
ERRORS       MachineError when no way works
SOURCE       user_namespaces(7), capabilities(7); docs/decisions/0011
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from machine.errors import MachineError
from machine.linux import become_user_with_file_access, enter_user_namespace
from machine.program import nothing

ROOT = 0


@dataclass(frozen=True, slots=True)
class Privilege:
    """A way to run: what to do between fork and exec, and who then owns the files."""

    title: str
    enter: Callable[[], None]
    uid: int
    gid: int

    def own(self, folder: Path) -> None:
        """Make everything in a folder the property of this way's user."""
        if folder.lstat().st_uid == self.uid:
            return
        for here, folders, files in os.walk(folder, topdown=False):
            for name in (*folders, *files):
                os.lchown(os.path.join(here, name), self.uid, self.gid)
        os.lchown(folder, self.uid, self.gid)  # last: it tells that all is done

    def works(self, binary: Path, home: Path) -> bool:
        """Whether `binary` runs this way and can work in `home`."""

        def enter() -> None:
            self.enter()
            os.chdir(home)

        try:
            done = subprocess.run(
                (binary, "--version"),
                preexec_fn=enter,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        except (OSError, subprocess.SubprocessError):
            return False
        return done.returncode == 0


def plainly() -> Privilege:
    """As the user we are."""
    return Privilege("as this user", nothing, os.getuid(), os.getgid())


def in_user_namespace() -> Privilege:
    """As nobody in a user namespace: to the files that is the user we are."""
    nobody = _known_user("nobody")

    def enter() -> None:
        enter_user_namespace(nobody.pw_uid, nobody.pw_gid)

    return Privilege("in a user namespace", enter, os.getuid(), os.getgid())


def as_other_user() -> Privilege:
    """As postgres, or nobody, with the right to open files."""
    user = _known_user("postgres", "nobody")

    def enter() -> None:
        become_user_with_file_access(user.pw_uid, user.pw_gid)

    return Privilege(f"as {user.pw_name}", enter, user.pw_uid, user.pw_gid)


def choose_privilege(binary: Path, home: Path) -> Privilege:
    """The first way that works here."""
    if os.getuid() != ROOT:
        return plainly()
    for make in (in_user_namespace, as_other_user):
        privilege = make()
        if privilege.works(binary, home):
            return privilege
    raise MachineError(
        "Postgres refuses to run as root, and this machine lets root neither make user namespaces"
        " nor change users: run this as an ordinary user, or set DATABASE_URL"
    )


def _known_user(*names: str) -> pwd.struct_passwd:
    """The first of the users that exists, else any that is not root: initdb asks for its name."""
    return next(_candidates(names))


def _candidates(names: tuple[str, ...]) -> Iterator[pwd.struct_passwd]:
    for name in names:
        try:
            yield pwd.getpwnam(name)
        except KeyError:
            continue
    yield from (user for user in pwd.getpwall() if user.pw_uid != ROOT)
    raise MachineError("this machine knows no user but root, and Postgres refuses to run as root")
