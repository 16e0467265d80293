"""The client of the control socket: answers, refusals, and everything that can be wrong."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from panel.constants import ENGINE_REPLY_LIMIT
from panel.services.engine import EngineControl, EngineRefused, EngineUnreachable
from tests.panel.twins import EngineTwin


@pytest.fixture
def engine(home: Path):
    with EngineTwin(home) as twin:
        yield twin


def test_it_works(engine: EngineTwin) -> None:
    control = EngineControl(engine.path)
    assert control.status()["pid"] == 1
    assert control.flush() == 3
    assert control.queue(limit=5, after="A1") == {"ok": True, "messages": [], "more": False}
    assert engine.requests[-1] == {"command": "queue", "limit": 5, "after": "A1"}


def test_it_hands_on_a_refusal(engine: EngineTwin) -> None:
    with pytest.raises(EngineRefused, match="unknown command dance"):
        EngineControl(engine.path).ask({"command": "dance"})


def test_it_handles_an_engine_that_is_away(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachable, match="does not answer"):
        EngineControl(tmp_path / "engine.sock").status()


@pytest.mark.parametrize(
    "reply", [b"not json\n", b"[1]\n", b"half a line", b"", b"x" * (ENGINE_REPLY_LIMIT + 1)]
)
def test_it_handles_garbage(engine: EngineTwin, reply: bytes) -> None:
    engine.raw_reply = reply or b"\n"
    with pytest.raises(EngineUnreachable):
        EngineControl(engine.path).status()


def test_it_does_not_wait_for_long(engine: EngineTwin) -> None:
    engine.silent = True
    began = time.monotonic()
    with pytest.raises(EngineUnreachable, match="timed out"):
        EngineControl(engine.path, timeout_s=0.2).status()
    assert time.monotonic() - began < 2


def test_it_reaches_a_socket_in_a_deep_directory(tmp_path: Path, monkeypatch) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)  # so that the twin can bind by a short path
    with EngineTwin(Path()) as twin:
        assert EngineControl(deep / twin.path).status()["ok"] is True
