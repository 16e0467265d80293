"""rows - what a benchmark does with the rows, as a program of its own: it needs Django.

SUMMARY      rows.py fill FIRST COUNT    entries of the table virtual, by COPY; change records too
             rows.py compile FOLDER      all rows into a store there; prints times and peak memory
RULES        compile measures from opening the read to the last fsync, as a worker that runs already
             does it: neither Python nor Django are started in that time
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import django

from bench_cases import sample
from bench_cases.peer import memory_kib


def fill(first: int, count: int) -> None:
    """Entries `first` to `first` + `count`."""
    from django.db import connection, transaction

    from panel.models import Table

    table = Table.objects.get(name="virtual").pk
    columns = "table_id, key, lookup_key, value, position, enabled, comment"
    with transaction.atomic(), connection.cursor() as cursor:
        statement = f"COPY panel_entry ({columns}) FROM STDIN"
        with cursor.copy(statement) as copy:
            for number in range(first, first + count):
                key, value = sample.entry(number)
                copy.write_row((table, key, key, value, 0, True, ""))
        cursor.execute("ANALYZE panel_entry")


def compile_all(folder: Path) -> None:
    """One full compile; the result as JSON."""
    from django.db import connection

    from panel.services.rows import consistent_read
    from panel.services.stores import compile_current
    from tables.writing.store import Store

    connection.ensure_connection()
    resting = memory_kib(os.getpid(), "VmHWM")
    started, used = time.perf_counter(), time.process_time()
    with consistent_read() as snapshot, Store(folder).begin() as build:
        content, report = compile_current(build, whole=True)
        build.finish(1, snapshot.revision, content)
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    if not report.is_publishable:
        raise SystemExit(f"the rows cannot be published: {report.errors[0].message}")
    peak = memory_kib(os.getpid(), "VmHWM")
    memory = {"peak_mib": peak / 1024, "resting_mib": resting / 1024}
    print(json.dumps({"seconds": seconds, "cpu": cpu, **memory}))


if __name__ == "__main__":
    django.setup()
    if sys.argv[1] == "fill":
        fill(int(sys.argv[2]), int(sys.argv[3]))
    else:
        compile_all(Path(sys.argv[2]))
