"""house - a Waypost of its own for a benchmark: as script/serve, on free ports, from outside.

SUMMARY      with House(folder) as house: house.api(...), .accepts(address), .run_rows(...)
RULES        embedded Postgres and broker, always: whatever DATABASE_URL says is not touched
"""

from __future__ import annotations

import contextlib
import json
import os
import smtplib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
READY_S = 120.0
LIVE_S = 180.0  # an edit that is not live by then is no figure but a failure
POLL_S = 0.004


class House:
    """One running Waypost."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.log = folder / "serve.log"
        self.http, self.smtp = free_port(), free_port()
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("WAYPOST_", "DATABASE_URL", "CELERY_", "DJANGO_"))
        } | {
            "WAYPOST_HOME": str(self.home),
            "WAYPOST_HTTP": f"127.0.0.1:{self.http}",
            "WAYPOST_SMTP": f"127.0.0.1:{self.smtp}",
            "WAYPOST_SUBMISSION": f"127.0.0.1:{free_port()}",
            "WAYPOST_SMTPS": f"127.0.0.1:{free_port()}",
            "DJANGO_SETTINGS_MODULE": "panel.settings",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'script'}",
        }
        self.token = ""

    def __enter__(self) -> House:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "script/machine/__main__.py"), "serve"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait(lambda: b"Waypost is running" in self.log.read_bytes(), READY_S, "the start")
        said = self.command(str(ROOT / "manage.py"), "create_token", "admin")
        self.token = said.strip().splitlines()[-1]
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(60)

    def command(self, *arguments: str) -> str:
        """What a program of the clone prints."""
        return subprocess.run(
            [sys.executable, *arguments],
            env=self.environment,
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def run_rows(self, *arguments: str) -> str:
        """What rows.py prints."""
        return self.command("-m", "bench_cases.rows", *arguments)

    def api(self, method: str, path: str, body: Any) -> Any:
        """One REST call; stops the benchmark when it is refused."""
        return self.send(method, path, json.dumps(body).encode(), "application/json")

    def send(self, method: str, path: str, body: bytes, content_type: str) -> Any:
        """The same with a body of any type."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http}/api/v1/{path}",
            data=body,
            method=method,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": content_type},
        )
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                raise SystemExit(f"{method} {path}: {error.code} {error.read()[:500]!r}") from error

    def accepts(self, address: str) -> bool:
        """What a client of the SMTP server is told about a recipient, in a session of its own."""
        with contextlib.closing(smtplib.SMTP("127.0.0.1", self.smtp, timeout=20)) as client:
            client.ehlo("client.test")
            client.mail("ann@sender.test")
            return client.rcpt(address)[0] == 250

    def wait_for(self, address: str) -> None:
        """Until a recipient is taken."""
        self._wait(lambda: self.accepts(address), LIVE_S, f"{address} to be live")

    def pid(self, name: str) -> int:
        """The process of one part."""
        state = json.loads((self.home / "run/serve.json").read_text())
        return int(state["pids"][name])

    def _wait(self, question: Callable[[], bool], within_s: float, what: str) -> None:
        deadline = time.monotonic() + within_s
        while not question():
            if self.process.poll() is not None or time.monotonic() > deadline:
                last = self.log.read_text(errors="replace").splitlines()[-20:]
                raise SystemExit("\n".join([*last, f"waited in vain for {what}"]))
            time.sleep(POLL_S)


def free_port() -> int:
    """A port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
