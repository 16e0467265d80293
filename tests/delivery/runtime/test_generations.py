"""Which rules are in force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from delivery.config import Config
from delivery.runtime.generations import Generations
from delivery.runtime.rules import Rules
from tables.manifest import generation_path, read_manifest
from tests.delivery.runtime.asynchronous import asynchronous
from tests.wire.engine import Home

_KEPT: list[Rules | None] = []  # see rig.rules


class Watched:
    """A home and the generations of an engine in it."""

    def __init__(self, path: Path) -> None:
        self.home = Home(path)
        self.generations = self.restarted()

    def restarted(self) -> Generations:
        """As another engine process would see it."""
        self.generations = Generations(self.home.store.root, Config(home=self.home.path))
        return self.generations

    def publish_bad(self, **parameters: str) -> None:
        """A generation that is whole, and that no panel would let through."""
        with self.home.store.begin() as build:
            latest = self.home.store.latest()
            content = read_manifest(self.home.store.root, latest).content
            bad = replace(content, parameters={**content.parameters, **parameters})
            build.finish(latest + 1, latest + 1, bad)
        self.home.store.switch(latest + 1)

    def damage(self, number: int) -> None:
        """As by a disk."""
        manifest = generation_path(self.home.store.root, number) / "manifest.json"
        manifest.chmod(0o600)
        manifest.write_bytes(b"torn")

    async def poll(self, *, again: bool = False) -> tuple[bool, int | None]:
        """(are other rules in force, which)."""
        changed = await self.generations.poll(again=again)
        _KEPT.append(self.generations.rules)
        return changed, self.generations.number


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


@asynchronous
async def test_it_works(watched: Watched) -> None:
    assert await watched.poll() == (False, None)
    assert watched.generations.error is None
    watched.home.publish()
    assert await watched.poll() == (True, 1)
    assert await watched.poll() == (False, 1)
    watched.home.publish()
    assert await watched.poll() == (True, 2)
    assert watched.generations.error is None


@pytest.mark.parametrize(
    "name, value",
    [
        ("smtpd_timeout", "soon"),
        ("smtpd_recipient_restrictions", "permit_mynetworks, reject_nothing_of_the_kind"),
        ("mynetworks", "127.0.0.1/8"),
        ("myhostname", "${broken"),
        ("default_destination_concurrency_limit", "many"),
    ],
)
@asynchronous
async def test_what_does_not_compile_is_refused(watched: Watched, name: str, value: str) -> None:
    watched.home.publish()
    await watched.poll()
    watched.publish_bad(**{name: value})
    assert await watched.poll() == (False, 1)
    assert watched.generations.error is not None
    assert "generation 2 cannot be used" in watched.generations.error
    assert "generation 1 stays in force" in watched.generations.error
    watched.home.store.switch(1)  # a rollback
    await watched.poll()
    assert watched.generations.number == 1
    assert not watched.generations.error


@asynchronous
async def test_at_start_the_newest_usable_one_is_taken(watched: Watched) -> None:
    for _ in range(3):
        watched.home.publish()
    watched.publish_bad(smtpd_timeout="soon")
    watched.publish_bad(smtpd_timeout="later")
    watched.damage(3)
    assert await watched.poll() == (True, 2)
    assert watched.generations.error is not None
    assert "generation 5 cannot be used" in watched.generations.error
    assert "generation 2 stays in force" in watched.generations.error
    watched.home.publish()
    assert await watched.poll() == (True, 6)
    assert watched.generations.error is None


@asynchronous
async def test_at_start_a_damaged_one_is_passed_over(watched: Watched) -> None:
    watched.home.publish()
    watched.publish_bad(smtpd_timeout="soon")
    watched.home.publish()
    watched.damage(3)
    assert await watched.poll() == (True, 1)
    assert watched.generations.error is not None


@asynchronous
async def test_when_none_can_be_used_there_is_none(watched: Watched) -> None:
    watched.home.publish()
    watched.damage(1)
    assert await watched.poll() == (False, None)
    assert "no generation is in force" in (watched.generations.error or "")
    watched.home.publish()
    assert await watched.poll() == (True, 2)


@asynchronous
async def test_a_refused_one_is_tried_again_when_asked(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was wrong may have been the machine."""
    watched.home.publish()
    compiled = watched.generations._compile
    monkeypatch.setattr(watched.generations, "_compile", lambda snapshot: "not today")
    assert await watched.poll() == (False, None)
    monkeypatch.setattr(watched.generations, "_compile", compiled)
    assert await watched.poll() == (False, None)
    assert await watched.poll(again=True) == (True, 1)
    assert watched.generations.error is None
