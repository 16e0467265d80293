"""What sendmail -v and -bv show."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.wire.engine import Home, Running
from tests.wire.polling import eventually


@pytest.mark.parametrize(
    ("option", "action", "letters"), [("-v", "delivered", 1), ("-bv", "deliverable", 0)]
)
def test_what_comes_of_a_message(home: Home, option: str, action: str, letters: int) -> None:
    home.publish(mailboxes=["ann@example.com", "joe@example.com"])
    with Running(home) as engine:
        command = [sys.executable, "-m", "delivery", "sendmail", option]
        subprocess.run(
            [*command, "-f", "joe@example.com", "ann@example.com"],
            env={**os.environ, "WAYPOST_HOME": str(home.path)},
            input=b"Subject: x\n\ny\n",
            timeout=30,
            check=True,
        )
        report = home.letter("joe@example.com").decode()
        eventually(engine.is_idle)
    assert f"\nAction: {action}\n" in report
    assert "\nFinal-Recipient: rfc822; ann@example.com\n" in report
    assert len(home.letters("ann@example.com")) == letters
