"""How rows get into the database."""

from __future__ import annotations

from pathlib import Path

from delivery.spool.database import (
    BOUND_BYTES,
    FILE_NAME,
    PAGE_BYTES,
    ROWS,
    delete,
    insert_content,
    open_database,
)

SIZES = [10] * (2 * ROWS) + [BOUND_BYTES // 3] * 10 + [3 * BOUND_BYTES, 0, 5, BOUND_BYTES]


def test_few_octets_of_content_are_bound_to_a_statement(tmp_path: Path) -> None:
    """It keeps them as long as it is kept, and there is one for each number of rows."""
    rows = [(number, b"h", b"\xee" * size) for number, size in enumerate(SIZES)]
    seen: list[str] = []
    connection = open_database(tmp_path / FILE_NAME)
    connection.set_trace_callback(seen.append)
    insert_content(connection, [*rows, (len(rows), b"in a file", None)])
    connection.set_trace_callback(None)
    found = connection.execute("SELECT * FROM content ORDER BY id").fetchall()
    connection.close()
    assert found == [*rows, (len(rows), b"in a file", None)]
    inserts = [text for text in seen if text.startswith("INSERT INTO content")]
    assert len(inserts) < len(rows) / 4
    for text in inserts:
        bound, count = text.count("ee"), text.count("x'68'")
        assert bound <= BOUND_BYTES or count == 1


def test_a_deletion_writes_little(tmp_path: Path) -> None:
    connection = open_database(tmp_path / FILE_NAME)
    insert_content(connection, [(1, b"h", b"x" * 40 * PAGE_BYTES)])
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    delete(connection, [1])
    pages = connection.execute("PRAGMA wal_checkpoint").fetchone()[1]
    connection.close()
    assert 0 < pages < 5
