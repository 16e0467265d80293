"""Descriptors run out: who comes too late hears 421, and who is there is served."""

from __future__ import annotations

import contextlib
import sys

from tests.wire.engine import Home, Running
from tests.wire.polling import eventually
from tests.wire.talk import Talk

SERVE = (sys.executable, "-m", "delivery", "serve")


def test_it_serves_as_many_as_it_can(home: Home) -> None:
    home.publish(values={"smtpd_client_event_limit_exceptions": "127.0.0.0/8"})
    few = ("prlimit", "--nofile=200:200", "--", *SERVE)
    with Running(home, command=few) as engine, contextlib.ExitStack() as stack:
        processes = len(engine.pids()) - 1  # each has so many descriptors
        talks = [stack.enter_context(Talk(engine.port)) for _ in range(250 * processes)]
        greeted = []
        for talk in talks:
            if (greeting := talk.reply()[:3]) == "220":
                greeted.append(talk)
            else:
                assert greeting == "421"
        assert len(greeted) == 100 * processes
        for talk in greeted:
            talk.say("EHLO client.example", "250*CHUNKING")
        for talk in greeted[:50]:
            talk.begin("a@sender.example", "joe@example.com").message("Subject: x", "", "y")
        eventually(lambda: len(home.letters("joe@example.com")) == 50)
        stack.pop_all().close()
        eventually(lambda: engine.ask("status")["sessions"] == 0)
        with Talk(engine.port) as talk:
            talk.greet()
