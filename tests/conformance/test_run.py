"""A scenario from its files to its verdict: imported, published, spoken to, compared."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conformance_machine.namespaces import NoNamespaces, choose_way

ROOT = Path(__file__).resolve().parents[2]
MAIN = """\
compatibility_level = 3.6
myhostname = mx.example.com
mydestination =
mynetworks = 192.0.2.0/24
smtpd_client_restrictions = check_client_access hash:{ETC}/clients
"""
MESSAGE = ["From: <a@far.example>", "Subject: test", "", "Hello.", ".dot"]


def has_namespaces() -> bool:
    try:
        choose_way()
    except NoNamespaces:
        return False
    return True


pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not has_namespaces(), reason="needs namespaces, unshare and ip"),
]


def replies(*codes: tuple[int, str | None]) -> dict[str, Any]:
    said = [{"code": code, "enhanced": enhanced, "text": []} for code, enhanced in codes]
    return {"greeting": said[:1], "replies": said[1:]}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """One scenario with three cases, of which the last was recorded wrongly."""
    scenario = tmp_path / "suite" / "one"
    (scenario / "postfix").mkdir(parents=True)
    (scenario / "postfix" / "main.cf").write_text(MAIN)
    (scenario / "postfix" / "clients").write_text("198.51.100.7 REJECT go away\n")
    hello = [(220, None), (250, None), (250, "2.1.0")]
    dialogue = ["EHLO client.example", "MAIL FROM:<a@far.example>", "RCPT TO:<b@next.example>"]
    files: dict[str, Any] = {
        "scenario.json": {"title": "One", "family": "example"},
        "dns.json": {"records": [["next.example", "A", "203.0.113.9"]]},
        "sinks.json": {"behaviour": {"203.0.113.9": {"ehlo": ["PIPELINING"]}}},
        "cases.json": {
            "scenario": "suite/one",
            "cases": [
                {
                    "id": "refused",
                    "input": {"client": "198.51.100.7", "steps": [*dialogue, "QUIT"]},
                    "observed": replies(*hello, (554, "5.7.1"), (221, "2.0.0")),
                },
                {
                    "id": "relayed",
                    "input": {
                        "client": "192.0.2.77",
                        "steps": [*dialogue, "DATA", {"message": MESSAGE}, "QUIT"],
                    },
                    "observed": {},
                },
                {
                    "id": "wrong",
                    "input": {"client": "203.0.113.5", "steps": [*dialogue, "QUIT"]},
                    "observed": replies(*hello, (250, "2.1.5"), (221, "2.0.0")),
                },
            ],
        },
    }
    for name, content in files.items():
        (scenario / name).write_text(json.dumps(content))
    return tmp_path / "suite"


def test_it_works(suite: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "script" / "conformance_machine" / "__main__.py")),
            *(str(suite), "--level", "exact", "--out", str(tmp_path / "out"), "-v"),
        ],
        env={**os.environ, "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "1 passed, 2 failed", done.stdout + done.stderr
    assert done.returncode == 1
    assert "suite/one/wrong" in done.stdout
    assert "suite/one/refused" not in done.stdout
    written = json.loads((tmp_path / "out" / "suite" / "one" / "cases.json").read_text())
    observed = {case["id"]: case["observed"] for case in written["cases"]}
    (sent,) = observed["relayed"]["smtp_out"]
    assert (sent["address"], sent["mail_from"]) == ("203.0.113.9", "a@far.example")
    assert sent["rcpt_to"] == [["b@next.example"]]
    assert sent["body"] == "Hello.\n.dot\n"
    assert ["Subject", "test"] in sent["headers"]
    assert [reply["code"] for reply in observed["wrong"]["replies"]] == [250, 250, 454, 221]


def test_it_leaves_nothing_behind_when_it_is_stopped(suite: Path, tmp_path: Path) -> None:
    run = subprocess.Popen(
        [
            *(sys.executable, str(ROOT / "script" / "conformance_machine" / "__main__.py")),
            *(str(suite), "--keep", str(tmp_path / "kept"), "-j", "1"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not list((tmp_path / "kept").glob("s-*/engine.log")):
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.05)
    run.send_signal(signal.SIGTERM)
    assert run.wait(30) == 128 + signal.SIGTERM
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        left = connection.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE %s",
            [f"waypost_conformance_{run.pid}_%"],
        ).fetchall()
    assert left == []
    mark = str(tmp_path).encode()
    processes = [path for path in Path("/proc").glob("[0-9]*/cmdline") if mark in _read(path)]
    assert processes == []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # it has ended meanwhile
