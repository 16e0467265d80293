"""What the control socket can be asked to do."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from delivery.runtime import commands
from delivery.runtime.commands import Commands
from tests.delivery.runtime.asynchronous import asynchronous
from tests.delivery.runtime.rig import queue
from tests.delivery.spool.messages import envelope


@asynchronous
async def test_a_page_of_the_queue_is_bounded_by_its_recipients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "LISTED_TOTAL", 4)
    async with queue(tmp_path) as made:
        ids = [await made.enter(envelope("joe@far.example", "ann@far.example")) for _ in range(5)]
        asked = Commands()
        asked.attach(SimpleNamespace(spool=made.spool))  # type: ignore[arg-type]
        pages: list[dict[str, Any]] = []
        after, more = "", True
        while more:
            request = {"after": after, "limit": 100, "recipients": 2}
            pages.append(await asked.table()["queue"](request))
            after, more = pages[-1]["messages"][-1]["id"], pages[-1]["more"]
        assert [each["id"] for page in pages for each in page["messages"]] == ids
        assert [len(page["messages"]) for page in pages] == [2, 2, 1]
        await made.spool.operator.remove(None)
