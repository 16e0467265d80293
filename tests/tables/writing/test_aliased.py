"""compile_aliased: other names of domains become entries of virtual_alias_maps."""

from __future__ import annotations

from pathlib import Path

from tables.writing.aliased import NAME
from tables.writing.rows import AliasedRecord

from .records import Compiled, domain, mailbox, rows, table

JOE = AliasedRecord("joe@Other.example", "joe@example.com", "domainalias:1")


def test_it_works(tmp_path: Path) -> None:
    compiled = Compiled(
        tmp_path,
        rows(
            values={"virtual_alias_maps": "hash:virtual"},
            tables=[table("virtual", {"info@example.com": "joe@example.com"})],
            domains=[domain("example.com"), domain("other.example", "virtual_alias")],
            mailboxes=[mailbox("joe@example.com")],
            aliased=[
                JOE,
                AliasedRecord("info@other.example", "info@example.com", "domainalias:1", "virtual"),
                AliasedRecord("x@other.example", "x@example.com", "domainalias:1", "unused"),
            ],
        ),
    )
    assert compiled.errors == compiled.warnings == []
    maps = compiled.snapshot.maps(f"hash:{NAME}")
    keys = ("joe@other.example", "info@other.example", "x@other.example", "@other.example")
    assert [maps.get(key) for key in keys] == ["joe@example.com", "info@example.com", None, None]
    named = compiled.snapshot.parameters.items("virtual_alias_maps")
    assert list(named) == ["hash:virtual", f"hash:{NAME}"]


def test_an_address_that_is_known_twice_is_one(tmp_path: Path) -> None:
    twice = JOE._replace(table="virtual")
    source = rows(
        values={"virtual_alias_maps": "hash:virtual"},
        tables=[table("virtual", {"joe@example.com": "joe@example.com, ann@example.com"})],
        aliased=[JOE, twice],
    )
    compiled = Compiled(tmp_path, source)
    assert compiled.errors == []
    assert compiled.snapshot.maps(f"hash:{NAME}").get("joe@other.example") == "joe@example.com"


def test_without_other_names_there_is_no_table(tmp_path: Path) -> None:
    compiled = Compiled(tmp_path, rows(aliased=[JOE._replace(table="unused")]))
    assert NAME not in compiled.snapshot.parameters.text("virtual_alias_maps")
