"""program - give a message to a command: time, output and environment are bounded.

SUMMARY      run(order, parts, accounts, waits) -> Answer; becomes the user on the way
RULES        environment: PATH, the exported names, the variables; nothing else
             a plain line is split at blanks and run without a shell; a line with anything that a
             shell could take for its own, or whose first word is no program, goes to /bin/sh -c;
             with a `shell` of the administrator's the line is its last argument
             standard output and error are read to the end and forgotten beyond OUTPUT_LIMIT
             in another root directory no program brings rights with it, set-user-id or not: whoever
             may write there could lay down a program and the files of accounts that it trusts
             the command has a session of its own; when the time is over, or nobody waits for the
             answer any more, the whole process group is killed
             a command that does not read its input has not failed: its exit status says whether
ERRORS       a command that cannot be started is as one that ends with 75 (EX_TEMPFAIL)
SOURCE       Postfix pipe_command(3), exec_command(3); sysexits(3)
"""

from __future__ import annotations

import ctypes
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence

from delivery.courier.failures import text_of
from delivery.courier.identity import Accounts
from delivery.courier.message import Form, read_parts, shape
from delivery.courier.wire import Answer, Run

OUTPUT_LIMIT = 4096  # octets; Postfix VSTREAM_BUFSIZE
PATH = "/usr/bin:/bin"  # _PATH_DEFPATH
TEMPORARY = 75  # EX_TEMPFAIL
PR_SET_NO_NEW_PRIVS = 38
_PLAIN = re.compile(r"[0-9A-Za-z!@%_=+:,./ \t-]*[0-9A-Za-z!@%_=+:,./-][ \t]*")
_LOOK_S = 0.2  # so often it is looked whether the command has ended


def run(order: Run, parts: Sequence[int], accounts: Accounts, waits: Callable[[], bool]) -> Answer:
    """Carry out the order. `waits()`: somebody still wants the answer. Raises NoAccount."""
    account = accounts.user(order.user, order.group)
    if order.chroot:
        if not accounts.switches:
            return _not_started("cannot change the root directory without the rights of root")
        os.chroot(order.chroot)
        os.chdir("/")
    accounts.become(account)
    if order.chroot:
        gain_nothing()
    environment = make_environment(order)
    for argv in command_lines(order):
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=order.directory or None,
                env=environment,
                start_new_session=True,
                bufsize=0,
            )
        except FileNotFoundError as error:
            if error.filename == order.directory or "/" in argv[0] or argv[0] == "sh":
                return _not_started(f"cannot run {error.filename}: {text_of(error)}")
            continue  # a command of the shell's own, perhaps
        except (OSError, ValueError) as error:
            text = text_of(error) if isinstance(error, OSError) else str(error)
            return _not_started(f"cannot run {argv[0]}: {text}")
        return _Conversation(process, order, waits).hold(parts)
    name = order.argv[0] if order.argv else order.command
    return _not_started(f"cannot run {name}: No such file or directory")


def gain_nothing() -> None:
    """No program started from here gets more rights than this process. prctl(2)"""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def make_environment(order: Run) -> dict[str, str]:
    """What the command finds in its environment."""
    environment = {}
    for item in order.exported:
        name, given, value = item.partition("=")
        if not given and name in os.environ:
            value, given = os.environ[name], "="
        if name and given:
            environment[name] = value
    environment["PATH"] = PATH
    for item in order.variables:
        name, _, value = item.partition("=")
        environment[name] = value
    return environment


def command_lines(order: Run) -> Iterator[list[str]]:
    """What to run; a second one when the program of the first does not exist."""
    if order.argv:
        yield list(order.argv)
    elif order.shell:
        yield [*order.shell.split(), order.command]
    else:
        if _PLAIN.fullmatch(order.command):
            yield order.command.split()
        yield ["/bin/sh", "-c", order.command]


def _not_started(text: str) -> Answer:
    return Answer(dsn="4.3.0", exit_status=TEMPORARY, output=text)


class _Conversation:
    """One running command: input, output, time."""

    def __init__(
        self, process: subprocess.Popen[bytes], order: Run, waits: Callable[[], bool]
    ) -> None:
        self._process = process
        self._order = order
        self._waits = waits
        self._deadline = time.monotonic() + order.seconds
        self._output = b""
        self._late = False
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout

    def hold(self, parts: Sequence[int]) -> Answer:
        """Write the message, read what is said, wait for the end."""
        os.set_blocking(self._stdin.fileno(), False)
        os.set_blocking(self._stdout.fileno(), False)
        order = self._order
        form = Form(
            prefix=order.prefix.encode("utf-8", "surrogateescape"),
            eol=order.eol.encode("utf-8", "surrogateescape"),
            quotes_from=order.quotes_from,
            stuffs_dots=order.stuffs_dots,
            ends_blank=order.ends_blank,
        )
        try:
            self._talk(shape(read_parts(parts), form))
        except OSError as error:  # our side: the message cannot be read
            self._kill()
            return Answer(dsn="4.3.0", exit_status=TEMPORARY, output=text_of(error))
        return self._answer()

    def _talk(self, pieces: Iterator[bytes]) -> None:
        pending = b""
        writing = True
        while True:
            if writing and not pending:
                pending = next(pieces, b"")
                if not pending:
                    self._stdin.close()
                    writing = False
            ended = self._process.poll() is not None
            if ended and not self._read():
                break
            if time.monotonic() > self._deadline or not self._waits():
                self._late = True
                self._kill()
                break
            ready_to_write = self._wait(writing)
            self._read()
            if writing and ready_to_write:
                try:
                    pending = pending[os.write(self._stdin.fileno(), pending) :]
                except BlockingIOError:
                    pass
                except BrokenPipeError:  # it does not want to read: the exit status counts
                    self._stdin.close()
                    writing = False
        if writing:
            self._stdin.close()

    def _wait(self, writing: bool) -> bool:
        """Wait a moment; True when there is room for input."""
        seconds = max(0.0, min(_LOOK_S, self._deadline - time.monotonic()))
        poll = select.poll()
        if not self._stdout.closed:
            poll.register(self._stdout.fileno(), select.POLLIN)
        if writing:
            poll.register(self._stdin.fileno(), select.POLLOUT)
        elif self._stdout.closed:
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                return False
            return False
        events = poll.poll(seconds * 1000)
        return writing and any(number == self._stdin.fileno() for number, _ in events)

    def _read(self) -> bool:
        """Take what was said; False when there was nothing."""
        if self._stdout.closed:
            return False
        try:
            data = os.read(self._stdout.fileno(), 65536)
        except BlockingIOError:
            return False
        if not data:
            self._stdout.close()
            return False
        self._output = (self._output + data)[:OUTPUT_LIMIT]
        return True

    def _kill(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._process.kill()
        self._process.wait()

    def _answer(self) -> Answer:
        code = self._process.wait()
        self._stdout.close()
        return Answer(
            dsn="2.0.0" if code == 0 and not self._late else "5.3.0",
            exit_status=max(code, -1) if code >= 0 else -1,
            signal=-code if code < 0 else 0,
            timed_out=self._late,
            output=self._output.decode("utf-8", "replace"),
        )
