"""Snapshot: a generation is refused or whole, and answers for as long as it is held."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tables.errors import GenerationError, ParameterError, TableUnavailable
from tables.formats.base import Listing
from tables.manifest import Content
from tables.objects import Objects
from tables.reading.snapshot import Snapshot
from tables.services import Service
from tables.writing.store import Store
from tests.tables.writing.generations import add_cdb, one_file, publish

VIRTUAL = {"joe@example.com": "joe@example.net", "@example.com": "all@example.net"}
TEXTS = {
    "clients": ("cidr", "192.0.2.0/24 REJECT cidr\n"),
    "patterns": ("regexp", "/^spam(.*)@/ REJECT $1\n"),
    "perl": ("pcre", "/^ham(?=@)/ OK\n"),
}
PARAMETERS = {
    "virtual_alias_maps": "hash:virtual",
    "queue_run_delay": "5m",
    "myhostname": "mx.example.com",
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "maps")
    publish(store, 1, {"virtual": VIRTUAL}, PARAMETERS, TEXTS)
    return store


@dataclass(frozen=True, slots=True)
class Settings:
    """What some room of the engine wants to know."""

    myhostname: str
    queue_run_delay: float
    virtual_alias_maps: tuple[str, ...]


def test_it_works(store: Store) -> None:
    snapshot = Snapshot.open(store.root)
    manifest = store.read(1)
    assert (snapshot.number, snapshot.revision, snapshot.digest) == (1, 10, manifest.digest)
    maps = snapshot.maps("hash:virtual, static:fallback")
    assert maps.get("Joe@Example.com") == "joe@example.net"
    assert maps.get("nobody") == "fallback"
    assert snapshot.maps("hash:virtual, static:fallback") is maps
    assert snapshot.settings(Settings) == Settings("mx.example.com", 300.0, ("hash:virtual",))
    assert snapshot.settings(Settings) is snapshot.settings(Settings)


@pytest.mark.parametrize(
    ("spec", "key", "value"),
    [
        ("cidr:clients", "192.0.2.7", "REJECT cidr"),
        ("cidr:clients", "192.0.3.7", None),
        ("regexp:patterns", "spammer@x", "REJECT mer"),
        ("pcre:perl", "ham@x", "OK"),
        ("cdb:virtual", "@example.com", "all@example.net"),
        ("proxy:hash:virtual", "@example.com", "all@example.net"),
        ("unionmap:{hash:virtual, static:b}", "@example.com", "all@example.net,b"),
        ("pipemap:{hash:virtual, inline:{all@example.net=end}}", "@example.com", "end"),
        ("inline:{a=b}", "a", "b"),
        ("", "a", None),
    ],
)
def test_it_opens_every_type(store: Store, spec: str, key: str, value: str | None) -> None:
    assert Snapshot.open(store.root).maps(spec).get(key) == value


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("hash:nosuch", "there is no table nosuch in generation 1"),
        ("regexp:virtual", "virtual is a table of the type hash"),
        ("hash:clients", "clients is a table of the type cidr"),
        ("quark:clients", "clients is a table of the type cidr"),
        ("hash", "expecting"),
        ("fail:maintenance", "fail:maintenance"),
    ],
)
def test_it_cannot_tell_what_it_cannot_ask(store: Store, spec: str, reason: str) -> None:
    """Not knowing is never the same as not found."""
    maps = Snapshot.open(store.root).maps(spec)
    with pytest.raises(TableUnavailable, match=reason):
        maps.get("joe@example.com")


def test_it_knows_the_parameters_of_the_machine(store: Store) -> None:
    defaults = {"myhostname": "other.example.org", "virtual_mailbox_base": "/srv/mail"}
    snapshot = Snapshot.open(store.root, defaults=defaults)
    assert snapshot.parameters.text("myhostname") == "mx.example.com"
    assert snapshot.parameters.text("virtual_mailbox_base") == "/srv/mail"


def test_it_keeps_services_with_their_overrides(store: Store) -> None:
    service = Service(
        name="587",
        type="inet",
        command="smtpd",
        private=False,
        maxproc=10,
        overrides={"smtpd_tls_security_level": "encrypt"},
    )
    with store.begin() as build:
        build.finish(2, 20, Content(services=(service,)))
    assert Snapshot.open(store.root, 2).services == (service,)


def test_it_opens_any_generation_that_is_kept(store: Store) -> None:
    publish(store, 2, {"virtual": {"joe@example.com": "new"}})
    assert Snapshot.open(store.root, 1).maps("hash:virtual").get("joe@example.com") != "new"
    assert Snapshot.open(store.root).maps("hash:virtual").get("joe@example.com") == "new"
    with pytest.raises(GenerationError, match="generation 9 does not exist"):
        Snapshot.open(store.root, 9)


def test_it_needs_a_generation(tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match="no generation was ever published"):
        Snapshot.open(tmp_path)


@pytest.mark.parametrize("seed", range(30))
def test_it_refuses_a_generation_with_any_byte_changed(store: Store, seed: int) -> None:
    """Any byte of any object; the manifest's own bytes are test_manifest's matter."""
    random_ = random.Random(seed)
    path = random_.choice(sorted(store.objects.directory.iterdir()))
    data = bytearray(path.read_bytes())
    data[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
    path.write_bytes(data)
    with pytest.raises(GenerationError, match="changed or damaged; publish again"):
        Snapshot.open(store.root)


@pytest.mark.parametrize("seed", range(10))
def test_it_refuses_a_generation_that_is_torn(store: Store, seed: int) -> None:
    random_ = random.Random(seed)
    files = [*sorted(store.objects.directory.iterdir()), store.root / "generations/1/manifest.json"]
    path = random_.choice(files)
    data = path.read_bytes()
    path.write_bytes(data[: random_.randrange(len(data))])
    with pytest.raises(GenerationError, match="torn"):
        Snapshot.open(store.root)


def test_it_refuses_what_it_does_not_know(store: Store) -> None:
    with store.begin() as build:
        layer = add_cdb(build, {"a": "b"})
        text = build.object(b"/x/ \xff\n", count=1)
        for number, table in (
            (2, replace(one_file("regexp", "virtual", text), layers=(text, text))),
            (3, one_file("quark", "virtual", layer)),
            (4, one_file("static", "virtual", layer)),
        ):
            build.finish(number, 1, Content(tables={"t": table}))
        build.finish(5, 1, Content(tables={"t": one_file("hash", "virtual", text)}))
        build.finish(6, 1, Content(tables={"t": one_file("regexp", "access", text)}))
    for number in (2, 3, 4):
        with pytest.raises(GenerationError, match="does not know; update the engine"):
            Snapshot.open(store.root, number)
    for number in (5, 6):
        with pytest.raises(GenerationError, match="cannot be read"):
            Snapshot.open(store.root, number)


def publish_layers(store: Store, number: int, *layers: dict[str, str]) -> None:
    """One table, `virtual`, in these layers, newest first."""
    with store.begin() as build:
        files = tuple(add_cdb(build, layer) for layer in layers)
        table = replace(one_file("hash", "virtual", files[-1]), layers=files)
        build.finish(number, number, Content(tables={"virtual": table}))
    store.switch(number)


def test_it_asks_layers_from_the_newest_down(store: Store) -> None:
    publish_layers(
        store, 2, {"a": "new", "b": ""}, {"b": "x", "c": ""}, {"a": "1", "c": "3", "d": "4"}
    )
    table = Snapshot.open(store.root).table("hash:virtual")
    assert [table.get(key) for key in "abcde"] == ["new", None, None, "4", None]
    assert isinstance(table, Listing)
    assert sorted(table.entries()) == [("a", "new"), ("d", "4")]


def test_an_edit_opens_the_new_layer_only(store: Store) -> None:
    base = {str(number): "x" for number in range(1000)}
    publish_layers(store, 2, {"1": "first"}, base)
    objects = Objects(store.objects.directory)
    first = Snapshot.open(store.root, objects=objects)
    publish_layers(store, 3, {"1": "second"}, base)
    store.objects.path(first.manifest.content.tables["virtual"].layers[1].digest).unlink()
    second = Snapshot.open(store.root, objects=objects, previous=first)
    assert second.table("hash:virtual").get("1") == "second"
    assert second.table("hash:virtual").get("2") == "x"
    assert first.table("hash:virtual").get("1") == "first"  # a session that began with it


def test_a_damaged_layer_refuses_the_generation(store: Store) -> None:
    publish_layers(store, 2, {"a": "new"}, {"a": "old"})
    layer = store.read(2).content.tables["virtual"].layers[0]
    store.objects.path(layer.digest).write_bytes(b"x" * layer.size)
    with pytest.raises(GenerationError, match="changed or damaged"):
        Snapshot.open(store.root)


def test_it_takes_over_what_did_not_change(store: Store) -> None:
    first = Snapshot.open(store.root)
    publish(store, 2, {"virtual": {"a": "b"}}, PARAMETERS, TEXTS)
    second = Snapshot.open(store.root, previous=first)
    third = Snapshot.open(store.root)
    pattern = first.table("regexp:patterns")
    assert second.table("regexp:patterns") is pattern
    assert third.table("regexp:patterns") is not pattern
    assert second.table("hash:virtual") is not first.table("hash:virtual")
    assert second.maps("hash:virtual").get("a") == "b"


def test_it_does_not_read_a_known_table_again(store: Store) -> None:
    """A large table that did not change is not read for the edit of a small one."""
    objects = Objects(store.objects.directory)
    first = Snapshot.open(store.root, objects=objects)
    publish(store, 2, {"virtual": VIRTUAL, "small": {"a": "b"}}, PARAMETERS, TEXTS)
    for path in store.objects.directory.iterdir():
        if path.name in {t.layers[0].digest for t in first.manifest.content.tables.values()}:
            path.unlink()  # the file is not even looked for
    second = Snapshot.open(store.root, objects=objects, previous=first)
    assert second.maps("hash:virtual").get("joe@example.com") == "joe@example.net"
    assert second.maps("hash:small").get("a") == "b"


def test_it_reports_a_bad_parameter_where_it_is_asked(store: Store) -> None:
    publish(store, 2, {}, {"queue_run_delay": "soon"})
    snapshot = Snapshot.open(store.root)
    with pytest.raises(ParameterError, match="queue_run_delay"):
        snapshot.settings(Settings)


def test_it_is_shared_by_threads(store: Store) -> None:
    snapshot = Snapshot.open(store.root)
    wrong: list[object] = []

    def ask() -> None:
        for _ in range(200):
            for spec, key, value in (
                ("hash:virtual", "joe@example.com", "joe@example.net"),
                ("regexp:patterns", "spammer@x", "REJECT mer"),
            ):
                if (found := snapshot.maps(spec).get(key)) != value:
                    wrong.append(found)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_it_compiles_all_patterns_at_once(store: Store) -> None:
    snapshot = Snapshot.open(store.root)
    snapshot.warm()
    pattern = snapshot.table("regexp:patterns")
    snapshot.warm()
    assert snapshot.table("regexp:patterns") is pattern
    assert pattern.get("spammer@x") == "REJECT mer"
