"""Starting, stopping, dying, and changing the rules while mail moves."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import psutil
import pytest

from privilege import files_of
from tables.manifest import read_manifest
from tests.wire.engine import Home, Running
from tests.wire.polling import eventually
from tests.wire.talk import Talk, mail


def test_a_session_keeps_the_rules_it_began_with(home: Home) -> None:
    home.publish(virtual={"info@example.com": "joe@example.com"})
    with Running(home) as engine, Talk(engine.port) as old:
        old.greet().begin("a@sender.example", "info@example.com")
        home.publish(virtual={})
        assert engine.reload()["generation"] == 2
        old.say("RCPT TO:<info@example.com>", "250 *")
        old.message("Subject: old", "", "x")
        with Talk(engine.port) as new:
            new.greet().say("MAIL FROM:<>", "250 *")
            new.say("RCPT TO:<info@example.com>", "550 5.1.1 *")
        home.letter("joe@example.com")


def test_a_lost_hint_costs_a_moment(home: Home) -> None:
    home.publish()
    with Running(home) as engine:
        home.publish()
        eventually(lambda: engine.ask("status")["generation"] == 2, within_s=10)


def test_it_answers_later_while_there_is_no_generation(home: Home) -> None:
    with Running(home) as engine:
        with Talk(engine.port) as talk:
            talk.expect("421 4.3.2 Service not yet configured*")
            talk.expect_end()
        assert engine.ask("status")["generation"] is None
        home.publish()
        engine.reload()
        mail(engine.port, "a@sender.example", "joe@example.com")
        home.letter("joe@example.com")


def test_it_takes_no_mail_where_no_service_does(home: Home) -> None:  # a null client
    home.publish(services=["smtp unix - - n - - smtp"])
    with Running(home) as engine:
        assert engine.ask("status")["listeners"] == []
        home.publish()
        assert len(engine.reload()["listeners"]) == 1
        mail(engine.port, "a@sender.example", "joe@example.com")


def test_a_bad_generation_leaves_the_old_one_in_force(home: Home) -> None:
    home.publish()
    with Running(home) as engine:
        _publish_unchecked(home, {"smtpd_timeout": "soon"})
        status = engine.reload()
        assert status["generation"] == 1
        assert "generation 2 cannot be used" in status["generation_error"]
        assert "smtpd_timeout" in status["generation_error"]
        mail(engine.port, "a@sender.example", "joe@example.com")
        home.publish(values={"smtpd_timeout": "100s"})
        status = engine.reload()
        assert (status["generation"], status["generation_error"]) == (3, None)


def test_a_bad_generation_at_start_means_the_one_before(home: Home) -> None:
    home.publish()
    _publish_unchecked(home, {"smtpd_timeout": "soon"})
    with Running(home) as engine:
        status = engine.ask("status")
        assert status["generation"] == 1
        assert "generation 1 stays in force" in status["generation_error"]
        mail(engine.port, "a@sender.example", "joe@example.com")
        home.letter("joe@example.com")


def test_what_was_acknowledged_survives_kill_9(home: Home) -> None:
    home.publish()
    engine = Running(home)
    with engine:
        for round_ in range(3):
            with Talk(engine.port) as talk:
                talk.greet()
                for number in range(20):
                    talk.begin("a@sender.example", "joe@example.com")
                    talk.message(f"Subject: {round_}.{number}", "", "x")
                engine.kill()
            engine.start_again()
        # what two kills met in the middle of an attempt would wait five minutes (recovery.py)
        engine.ask("flush")
        eventually(engine.is_idle, within_s=30)
    subjects = {letter.partition(b"Subject: ")[2][:5] for letter in home.letters("joe@example.com")}
    expected = {f"{round_}.{number}".encode() for round_ in range(3) for number in range(20)}
    assert {subject.split()[0] for subject in subjects} == expected


def test_sigterm_lets_a_message_end(home: Home) -> None:
    home.publish()
    with Running(home) as engine, Talk(engine.port) as busy, Talk(engine.port) as idle:
        idle.greet()
        busy.greet().begin("a@sender.example", "joe@example.com").say("DATA", "354 *")
        engine.terminate()
        idle.expect("421 4.3.2 *")
        idle.expect_end()
        busy.send("Subject: last", "", "x", ".")
        busy.expect("250 2.0.0 Ok: queued as *")
        busy.expect("421 4.3.2 *")
        busy.expect_end()
        assert engine.wait() == 0
    with Running(home) as engine:
        home.letter("joe@example.com")


def test_sigterm_does_not_wait_for_ever(home: Home) -> None:
    home.publish()
    with Running(home) as engine, Talk(engine.port) as stuck:
        stuck.greet().begin("a@sender.example", "joe@example.com").say("DATA", "354 *")
        engine.terminate()
        assert engine.wait(20) == 0


def test_two_engines_cannot_have_one_home(home: Home) -> None:
    home.publish()
    with Running(home) as engine:
        second = Running(home)
        second.log = home.path.with_name(f"{home.path.name}.second.log")
        second.spawn()
        assert second.wait() == os.EX_UNAVAILABLE
        assert "another engine is running" in second.tail()
        assert engine.ask("status")["pid"] == engine.process.pid  # type: ignore[union-attr]


def test_no_process_lives_without_the_others(home: Home) -> None:
    home.publish()
    engine = Running(home).start()
    queue, *smtpds = engine.pids()
    watched = [psutil.Process(pid) for pid in smtpds]
    watched.pop().kill()  # the last one, whose channel those before it never had
    assert engine.wait() == os.EX_SOFTWARE
    assert "a process that clients speak to has ended" in engine.tail()
    assert not any(each.is_running() for each in watched)
    with engine:
        queue, *smtpds = engine.pids()
        watched = [psutil.Process(pid) for pid in smtpds]
        os.kill(queue, signal.SIGKILL)
        eventually(lambda: not any(each.is_running() for each in watched), what="their end")
        assert engine.wait() == -signal.SIGKILL
    with engine:
        mail(engine.port, "a@sender.example", "joe@example.com")
        home.letter("joe@example.com")


def test_it_stops_though_another_process_hangs(home: Home) -> None:
    home.publish()
    with Running(home) as engine:
        os.kill(engine.pids()[1], signal.SIGSTOP)
        engine.terminate()
        assert engine.wait(60) == 0
        assert "it does not end" in engine.tail()


@pytest.mark.skipif(os.getuid() != 0, reason="needs root: run script/test as root")
def test_a_courier_that_had_root_s_rights_is_not_done_without(home: Home) -> None:
    home.publish()
    with Running(home) as engine:
        queue, *smtpds = engine.pids()
        [courier] = [each for each in psutil.Process(queue).children() if each.pid not in smtpds]
        courier.kill()
        assert engine.wait() == os.EX_SOFTWARE
        assert "the local delivery helper has ended" in engine.tail()


def test_a_stale_socket_is_replaced(home: Home) -> None:
    home.publish()
    engine = Running(home)
    with engine:
        engine.kill()
        assert (home.path / "run" / "engine.sock").exists()
        engine.start()
        assert engine.ask("status")["ok"]


def _publish_unchecked(home: Home, values: dict[str, str]) -> None:
    """A generation that the panel would never let through."""
    with files_of(home.path), home.store.begin() as build:
        latest = home.store.latest()
        content = read_manifest(home.store.root, latest).content
        bad = replace(content, parameters={**content.parameters, **values})
        build.finish(latest + 1, latest + 1, bad)
    home.store.switch(latest + 1)
