"""house - the real thing for tests: script/serve on free ports with a home of its own.

SUMMARY      House(home).start() runs script/serve as a user would
             api(), smtp(), messages() ... use it from outside
RULES        nothing is imported from the product: its commands, ports, REST and files are used
"""

from __future__ import annotations

import contextlib
import email
import email.message
import email.policy
import json
import os
import signal
import smtplib
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery staple"
T = TypeVar("T")


def eventually(question: Callable[[], T], *, within_s: float = 30, what: str = "") -> T:
    """The first true answer; the question is asked again until `within_s` have passed."""
    deadline = time.monotonic() + within_s
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what or question}; last: {answer!r}")
        time.sleep(0.05)


class Response:
    """An HTTP answer: status, headers and the decoded JSON body (None when empty)."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.text = body.decode()
        is_json = "json" in (headers.get("Content-Type") or "")
        self.json: Any = json.loads(body) if body and is_json else None

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.text[:2000]}>"


class House:
    """One running Waypost. Use as a context manager, or call start() and stop()."""

    def __init__(self, home: Path, **extra: str) -> None:
        self.home = home
        self.http_port, self.smtp_port = free_port(), free_port()
        self.sink_port = free_port()
        self.env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("WAYPOST_", "DATABASE_URL", "CELERY_", "DJANGO_"))
        } | {
            "WAYPOST_HOME": str(home),
            "WAYPOST_HTTP": f"127.0.0.1:{self.http_port}",
            "WAYPOST_SMTP": f"127.0.0.1:{self.smtp_port}",
            "WAYPOST_SMTP_CLIENT_PORT": str(self.sink_port),
            "WAYPOST_ADMIN_PASSWORD": PASSWORD,
            **extra,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.log = home.with_name(home.name + ".log")
        self.token = ""

    # -- life ---------------------------------------------------------------------------------

    def start(self, *arguments: str, ready_within_s: float = 90) -> House:
        """Run script/serve and wait until what it runs answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(ROOT / "script/serve"), *arguments],
                env=self.env, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        only = arguments[1].split(",") if arguments[:1] == ("--only",) else None
        if only is None or "panel" in only:
            self._until(self._panel_answers, ready_within_s)
        if only is None or "engine" in only:
            self._until(self._engine_answers, ready_within_s)
        if only is None and not self.token:
            self.token = self.manage("create_token", "admin").strip().splitlines()[-1]
        return self

    def stop(self, how: int = signal.SIGTERM, within_s: float = 30) -> int:
        """Signal the supervisor and give its exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(how)
        status = self.process.wait(within_s)
        self.process = None
        return status

    def __enter__(self) -> House:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _until(self, question: Callable[[], bool], within_s: float) -> None:
        assert self.process is not None
        process = self.process

        def ready() -> bool:
            if process.poll() is not None:
                raise AssertionError(
                    f"script/serve ended with {process.returncode}:\n{self.tail()}"
                )
            return question()

        try:
            eventually(ready, within_s=within_s, what="ready")
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{self.tail()}") from problem

    def _panel_answers(self) -> bool:
        try:
            return self.get_page("/admin/login/").status == 200
        except (OSError, urllib.error.URLError):
            return False

    def _engine_answers(self) -> bool:
        with contextlib.suppress(OSError), self.smtp() as client:
            return client.noop()[0] == 250
        return False

    def tail(self, lines: int = 60) -> str:
        """The last lines that script/serve printed."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def pids(self) -> dict[str, int]:
        """Process ids of the parts, by name, from run/serve.json."""
        state = json.loads((self.home / "run/serve.json").read_text())
        return {str(name): int(pid) for name, pid in state["pids"].items()}

    # -- commands ---------------------------------------------------------------------------------

    def command(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program of the clone's venv with the house's environment."""
        python = ROOT / ".venv/bin/python"
        return subprocess.run(
            [str(python), *argv], cwd=ROOT, env=self.env, capture_output=True, text=True,
            check=check, timeout=60,
        )  # fmt: skip

    def manage(self, *argv: str) -> str:
        """Output of one manage.py command."""
        return self.command("manage.py", *argv).stdout

    # -- HTTP -------------------------------------------------------------------------------------

    @property
    def base(self) -> str:
        """Where the panel is."""
        return f"http://127.0.0.1:{self.http_port}"

    def get_page(self, path: str) -> Response:
        """A page without a token."""
        return self._ask("GET", path, None, {})

    def api(self, method: str, path: str, body: Any = None, **headers: str) -> Response:
        """One REST call; path is below /api/v1/."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._ask(
            method, f"/api/v1/{path}", body, {"Authorization": f"Bearer {self.token}", **names}
        )

    def live(self, method: str, path: str, body: Any = None) -> Response:
        """A REST write that answers once it is live on every node."""
        response = self.api(method, path, body, Prefer="wait=live")
        assert response.status < 300, response
        assert response.headers.get("Preference-Applied") == "wait=live", dict(response.headers)
        return response

    def _ask(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Response:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method)
        for name, value in headers.items():
            request.add_header(name, value)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Response(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Response(error.code, error.headers, error.read())

    # -- mail -------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def smtp(self, source: str = "127.0.0.1") -> Iterator[smtplib.SMTP]:
        """A connected client; any 127.x.y.z but 127.0.0.1 is a stranger to mynetworks."""
        client = smtplib.SMTP(
            "127.0.0.1",
            self.smtp_port,
            local_hostname="client.test",
            timeout=20,
            source_address=(source, 0),
        )
        try:
            yield client
        finally:
            client.close()

    def send(self, sender: str, recipient: str, subject: str) -> None:
        """Send one small message; raises what smtplib raises on a refusal."""
        with self.smtp() as client:
            client.sendmail(sender, [recipient], message(sender, recipient, subject))
            client.quit()

    def reply_to_rcpt(self, recipient: str, sender: str = "ann@sender.test") -> tuple[int, str]:
        """Code and text of the reply to RCPT."""
        with self.smtp() as client:
            client.ehlo()
            client.mail(sender)
            code, text = client.rcpt(recipient)
            client.quit()
            return code, text.decode()

    def maildir(self, address: str) -> Path:
        """The Maildir of a mailbox, as the contract places it."""
        local, domain = address.rsplit("@", 1)
        return self.home / "mail" / domain / local / "Maildir"

    def messages(self, address: str) -> list[email.message.EmailMessage]:
        """What is in new/ of a mailbox."""
        new = self.maildir(address) / "new"
        files = sorted(new.iterdir()) if new.is_dir() else []
        return [
            email.message_from_bytes(file.read_bytes(), policy=email.policy.default)  # type: ignore[misc]
            for file in files
        ]

    def arrived(self, address: str, subject: str, within_s: float = 30) -> Any:
        """The message with that subject, once it is in the mailbox."""
        return eventually(
            lambda: next((m for m in self.messages(address) if m["Subject"] == subject), None),
            within_s=within_s,
            what=f"{subject!r} for {address}\n{self.tail()}",
        )


def message(sender: str, recipient: str, subject: str, body: str = "Hello.") -> bytes:
    """A small message with CRLF line ends."""
    return (
        f"From: <{sender}>\r\nTo: <{recipient}>\r\nSubject: {subject}\r\n"
        f"Message-ID: <{subject.replace(' ', '.')}@sender.test>\r\n"
        f"Date: Sun, 22 Nov 2026 12:00:00 +0000\r\n\r\n{body}\r\n"
    ).encode()
