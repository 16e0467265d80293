"""Whom root's programs run as, and what becomes theirs."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from privilege import Account, PrivilegeError, account, choose_account, own

as_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root: run script/test as root")
FOUND = Account("found", 4242, 4242)


def test_an_ordinary_user_stays_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert choose_account(tmp_path, "nobody") is None


def test_so_does_a_root_that_is_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uid_map").write_text("         0       1000          1\n")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(account, "NAMESPACE", tmp_path / "uid_map")
    assert choose_account(tmp_path, "nobody") is None


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As if root asked, on a machine with all users."""
    (tmp_path / "uid_map").write_text("0 0 4294967295\n")
    monkeypatch.setattr(account, "NAMESPACE", tmp_path / "uid_map")
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def test_the_usual_one_is_not_nobody(root: None, tmp_path: Path) -> None:
    chosen = choose_account(tmp_path / "absent")
    assert chosen is not None
    assert chosen.uid != 0
    known = [entry.pw_name for entry in pwd.getpwall()]
    assert chosen.name == next(name for name in ("waypost", "daemon", "nobody") if name in known)


def test_a_named_one(root: None, tmp_path: Path) -> None:
    chosen = choose_account(tmp_path, "nobody")
    assert chosen is not None
    assert chosen.uid == pwd.getpwnam("nobody").pw_uid


@pytest.mark.parametrize(("name", "reason"), [("nosuch", "no account"), ("root", "by root")])
def test_a_named_one_that_will_not_do(name: str, reason: str, root: None, tmp_path: Path) -> None:
    with pytest.raises(PrivilegeError, match=reason):
        choose_account(tmp_path, name)


@as_root
def test_the_owner_of_the_folder_goes_on(tmp_path: Path) -> None:
    os.chown(tmp_path, 4242, 4243)
    assert choose_account(tmp_path) == Account("#4242", 4242, 4243)


@as_root
def test_a_home_changes_hands_with_all_that_is_root_s(tmp_path: Path) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    (home / "maps" / "generations").mkdir(parents=True)
    (home / "mail").mkdir()
    (home / "theirs").write_text("")
    os.chown(home / "theirs", 5001, 5001)
    outside.write_text("")
    (home / "link").symlink_to(outside)
    own(home, FOUND)
    assert {path.lstat().st_uid for path in (home, *home.rglob("*"))} == {4242, 5001}
    assert outside.stat().st_uid == 0
    assert (home / "theirs").stat().st_uid == 5001
    own(home, Account("next", 4243, 4243))
    assert (home / "maps" / "generations").stat().st_uid == 4243


@as_root
def test_who_had_it_before_leads_it_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    (home / "maps" / "generations").mkdir(parents=True)
    (home / "maps" / "shadow").write_text("")
    elsewhere.mkdir()
    (elsewhere / "shadow").write_text("")

    os.chown(home, 4241, 4241)

    def exchanging(change: Callable[..., None]) -> Callable[..., None]:
        """The account before is quick: a folder that was just listed becomes a link."""

        def changed(*words: Any, **more: Any) -> None:
            change(*words, **more)
            if not (tmp_path / "away").exists():
                (home / "maps").rename(tmp_path / "away")
                (home / "maps").symlink_to(elsewhere)

        return changed

    monkeypatch.setattr(os, "lchown", exchanging(os.lchown))
    monkeypatch.setattr(os, "chown", exchanging(os.chown))
    own(home, FOUND)
    assert (tmp_path / "away").exists()
    assert (elsewhere / "shadow").stat().st_uid == 0


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("")
    with pytest.raises(PrivilegeError, match=r"other things \(letter\).*name an empty folder"):
        own(tmp_path, FOUND)
    assert tmp_path.stat().st_uid == os.getuid()


def test_an_empty_one_is_taken(tmp_path: Path) -> None:
    me = Account("me", os.getuid(), os.getgid())
    own(tmp_path / "new", me)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
