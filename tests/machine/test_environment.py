"""What the variables say, who is told what, and addresses that must be free."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from machine.addresses import check_free, forget_socket_folder, socket_folder
from machine.environment import Listener, read_environment, read_listener
from machine.errors import MachineError

ROOT = Path("/clone")
SECRETS = {
    "DATABASE_URL": "postgresql://waypost:s3cret@db/waypost",
    "CELERY_BROKER_URL": "redis://:s3cret@broker/0",
    "WAYPOST_SECRET_KEY": "s3cret" * 8,
    "WAYPOST_ADMIN_PASSWORD": "s3cret",
}


def test_it_works(tmp_path: Path) -> None:
    machine = read_environment({}, ROOT, tmp_path)
    assert machine.home == ROOT / "var"
    assert machine.http.text == "127.0.0.1:8000"
    assert machine.smtp.text == "127.0.0.1:2525"


def test_a_relative_home_counts_from_here(tmp_path: Path) -> None:
    machine = read_environment({"WAYPOST_HOME": "state"}, ROOT, tmp_path)
    assert machine.home == tmp_path / "state"
    assert machine.for_engine()["WAYPOST_HOME"] == str(tmp_path / "state")


def test_folders_are_private(tmp_path: Path) -> None:
    machine = read_environment({"WAYPOST_HOME": str(tmp_path / "a" / "b")}, ROOT, tmp_path)
    machine.make_folders()
    for folder in (machine.home, machine.run, machine.log):
        assert folder.stat().st_mode & 0o777 == 0o700, folder


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    machine = read_environment({"WAYPOST_HOME": str(tmp_path / "file")}, ROOT, tmp_path)
    with pytest.raises(MachineError, match="set WAYPOST_HOME"):
        machine.make_folders()


def test_the_engine_is_told_no_secret() -> None:
    machine = read_environment(SECRETS, ROOT, ROOT)
    for environment in (machine.for_engine(), machine.for_server()):
        assert "s3cret" not in str(environment)


def test_the_first_password_goes_to_the_first_start_only() -> None:
    machine = read_environment(SECRETS, ROOT, ROOT)
    assert "WAYPOST_ADMIN_PASSWORD" not in machine.for_panel("a", "b")
    assert machine.for_first_start("a", "b")["WAYPOST_ADMIN_PASSWORD"] == "s3cret"


def test_nothing_leads_python_astray() -> None:
    machine = read_environment({"PYTHONPATH": "/other", "PYTHONHOME": "/other"}, ROOT, ROOT)
    assert not {"PYTHONPATH", "PYTHONHOME"} & set(machine.for_panel("a", "b"))


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("0.0.0.0:25", "0.0.0.0", 25), ("[::1]:2525", "::1", 2525), (" h:0 ", "h", 0)],
)
def test_a_listener(text: str, host: str, port: int) -> None:
    found = read_listener({"WAYPOST_SMTP": text}, "WAYPOST_SMTP", "127.0.0.1:2525")
    assert (found.host, found.port) == (host, port)
    assert found.text == text.strip()


@pytest.mark.parametrize("text", ["25", ":25", "h:", "h:x", "h:65536", "h:-1", "h:²"])
def test_a_listener_that_makes_no_sense(text: str) -> None:
    with pytest.raises(MachineError, match=r"WAYPOST_SMTP must look like 127\.0\.0\.1:2525"):
        read_listener({"WAYPOST_SMTP": text}, "WAYPOST_SMTP", "127.0.0.1:2525")


def test_a_free_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    check_free(Listener("WAYPOST_HTTP", "127.0.0.1", port))


def test_a_taken_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(MachineError) as caught:
            check_free(Listener("WAYPOST_HTTP", "127.0.0.1", port))
    text = str(caught.value)
    assert f"port {port} is taken" in text
    assert "set WAYPOST_HTTP" in text


def test_an_address_of_another_machine() -> None:
    with pytest.raises(MachineError, match=r"192\.0\.2\.1 is no address of this machine"):
        check_free(Listener("WAYPOST_HTTP", "192.0.2.1", 8000))  # RFC 5737


def test_sockets_are_made_in_run(tmp_path: Path) -> None:
    short = Path("/tmp/w/run")
    assert socket_folder(short, {}) == short


@pytest.mark.parametrize("name", ["x" * 100, "with blank", "ümlaut"])
def test_sockets_of_a_path_that_does_not_do(name: str, tmp_path: Path, sockets: Path) -> None:
    run = tmp_path / name / "run"
    found = socket_folder(run, {"XDG_RUNTIME_DIR": str(sockets)})
    assert found.parent == sockets
    assert found == socket_folder(run, {"XDG_RUNTIME_DIR": str(sockets)})
    assert found.stat().st_mode & 0o777 == 0o700
    forget_socket_folder(found, run)
    assert not found.exists()


@pytest.mark.parametrize("base", ["x" * 100, "with blank", "absent"])
def test_a_runtime_folder_that_does_not_do_either(base: str, tmp_path: Path) -> None:
    run = tmp_path / "with blank" / "run"
    runtime = tmp_path / base
    if base != "absent":
        runtime.mkdir()
    found = socket_folder(run, {"XDG_RUNTIME_DIR": str(runtime)})
    assert found.parent == Path("/tmp")
    forget_socket_folder(found, run)


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path, sockets: Path) -> None:
    run = tmp_path / "with blank"
    found = socket_folder(run, {"XDG_RUNTIME_DIR": str(sockets)})
    found.chmod(0o755)
    with pytest.raises(MachineError, match="not a private folder"):
        socket_folder(run, {"XDG_RUNTIME_DIR": str(sockets)})


def test_run_itself_is_never_removed(tmp_path: Path) -> None:
    forget_socket_folder(tmp_path, tmp_path)
    assert tmp_path.is_dir()
