"""What is running may be stopped, killed and restarted: mail accepted is mail delivered."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.system.house import House, eventually, message

pytestmark = [pytest.mark.system]


def hosted(house: House, domain: str) -> str:
    """A mailbox joe in a new domain, live."""
    house.live("POST", "domains/", {"name": domain, "kind": "virtual_mailbox"})
    house.live("POST", "mailboxes/", {"address": f"joe@{domain}", "password": "s3cret-enough"})
    return f"joe@{domain}"


def alive(pid: int) -> bool:
    """True while the process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.xdist_group("survival-1")
def test_mail_flows_with_everything_but_the_engine_stopped(own_house: House) -> None:
    house = own_house.start()
    joe = hosted(house, "alone.test")
    running = house.pids()
    for part in ("postgres", "worker", "scheduler", "panel", "broker"):
        os.kill(running[part], signal.SIGSTOP)  # worse than gone: it hangs whoever asks
    try:
        house.send("ann@sender.test", joe, "while they hang")
        house.arrived(joe, "while they hang")
    finally:
        for part in ("postgres", "worker", "scheduler", "panel", "broker"):
            os.kill(running[part], signal.SIGCONT)

    assert house.stop() == 0
    assert [name for name, pid in running.items() if alive(pid)] == []

    house.start("--only", "engine")
    assert "postgres" not in house.pids()
    house.send("ann@sender.test", joe, "after a restart without them")
    house.arrived(joe, "after a restart without them")


@pytest.mark.xdist_group("survival-2")
def test_a_message_survives_kill_9_right_after_the_250(own_house: House) -> None:
    house = own_house.start()
    joe = hosted(house, "killed.test")
    engine = house.pids()["engine"]

    with house.smtp() as client:
        client.ehlo()
        client.mail("ann@sender.test")
        client.rcpt(joe)
        assert client.data(message("ann@sender.test", joe, "survivor"))[0] == 250
        os.kill(engine, signal.SIGKILL)

    eventually(lambda: house.pids()["engine"] != engine, what="a new engine", within_s=20)
    house.arrived(joe, "survivor")


@pytest.mark.xdist_group("survival-2")
def test_an_edit_survives_a_killed_worker(own_house: House) -> None:
    house = own_house.start()
    joe = hosted(house, "worker.test")
    worker = house.pids()["worker"]
    os.kill(worker, signal.SIGKILL)

    created = house.api(
        "POST", "virtual-entries/", {"pattern": "late@worker.test", "destinations": [joe]}
    )

    assert created.status == 201, created
    eventually(
        lambda: house.reply_to_rcpt("late@worker.test")[0] == 250,
        within_s=90, what="the edit to go live",
    )  # fmt: skip


@pytest.mark.xdist_group("survival-1")
def test_nothing_is_left_behind_by_kill_9_of_the_supervisor(own_house: House) -> None:
    house = own_house.start()
    running = house.pids()
    assert house.process is not None
    assert house.stop(signal.SIGKILL) == -signal.SIGKILL

    eventually(
        lambda: not [name for name, pid in running.items() if alive(pid)],
        within_s=60, what="every process to end",
    )  # fmt: skip
    house.start()
    assert house.api("GET", "domains/").status == 200


@pytest.mark.xdist_group("survival-1")
def test_a_second_start_on_the_same_home_is_refused_in_one_line(own_house: House) -> None:
    house = own_house.start()
    second = House(house.home)
    second.log = house.home.with_name("second.log")
    with pytest.raises(AssertionError, match="script/serve ended with 1"):
        second.start()
    said = second.log.read_text().strip().splitlines()
    assert str(house.home) in said[-1]
    assert json.loads((house.home / "run/serve.json").read_text())["pids"] == house.pids()
