"""Settings: the readers of the environment are loud on nonsense and quiet about secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from panel import settings as readers


def test_it_works(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://amy:p%40ss@db.example:6000/mail")
    database = readers.env_database(tmp_path)
    assert (database["NAME"], database["HOST"], database["PORT"]) == ("mail", "db.example", 6000)
    assert database["PASSWORD"] == "p@ss"


def test_it_reads_a_socket(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://amy@/mail?host=/run/pg&port=6000")
    database = readers.env_database(tmp_path)
    assert (database["HOST"], database["PORT"], database["OPTIONS"]) == ("/run/pg", "6000", {})


def test_without_a_url_it_takes_the_embedded_server(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    assert readers.env_database(tmp_path)["HOST"] == str(tmp_path / "run")
    assert readers.env_broker(tmp_path) == f"redis+socket://{tmp_path}/run/broker.sock"


@pytest.mark.parametrize("url", ["mysql://root@localhost/x", "sqlite:///x", "nonsense"])
def test_it_rejects_another_database(url: str, monkeypatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL"):
        readers.env_database(Path("/nowhere"))


@pytest.mark.parametrize("url", ["memory://", "filesystem://", "http://x", "nonsense"])
def test_it_rejects_another_broker(url: str, monkeypatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", url)
    with pytest.raises(ImproperlyConfigured, match="CELERY_BROKER_URL"):
        readers.env_broker(Path("/nowhere"))


def test_it_reads_a_listener(monkeypatch) -> None:
    monkeypatch.setenv("WAYPOST_HTTP", "[::1]:8001")
    assert readers.env_listener("WAYPOST_HTTP", "127.0.0.1:8000") == ("::1", 8001)


@pytest.mark.parametrize("text", ["8000", "host:", ":80", "host:http", "host:0", "host:70000"])
def test_it_rejects_what_is_no_listener(text: str, monkeypatch) -> None:
    monkeypatch.setenv("WAYPOST_HTTP", text)
    with pytest.raises(ImproperlyConfigured, match="WAYPOST_HTTP"):
        readers.env_listener("WAYPOST_HTTP", "127.0.0.1:8000")


def test_it_makes_a_secret_key_and_keeps_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("WAYPOST_SECRET_KEY", raising=False)
    key = readers.env_secret_key(tmp_path / "new" / "home")
    kept = tmp_path / "new" / "home" / "secret_key"
    assert len(key) > 60
    assert kept.stat().st_mode & 0o777 == 0o600
    assert readers.env_secret_key(tmp_path / "new" / "home") == key
    assert [path.name for path in kept.parent.iterdir()] == ["secret_key"]


def test_it_rejects_a_secret_key_that_is_none(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("WAYPOST_SECRET_KEY", "short")
    with pytest.raises(ImproperlyConfigured, match="32 characters") as caught:
        readers.env_secret_key(tmp_path)
    assert "short" not in str(caught.value).replace("at least 32 characters", "")
    monkeypatch.delenv("WAYPOST_SECRET_KEY")
    (tmp_path / "secret_key").write_text("")
    with pytest.raises(ImproperlyConfigured, match="damaged"):
        readers.env_secret_key(tmp_path)


def test_debug_is_off_and_argon2_comes_first(settings) -> None:
    assert readers.DEBUG is False
    assert "Argon2" in settings.PASSWORD_HASHERS[0]
    apps = settings.INSTALLED_APPS
    assert apps.index("unfold") < apps.index("django.contrib.admin")
