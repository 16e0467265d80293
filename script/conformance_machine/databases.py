"""databases - throw-away databases, one for each worker.

SUMMARY      with Databases(url) as databases: databases.make(template="") -> url
RULES        named waypost_conformance_<process>_<number>; removed at the end, and those that a
             killed run has left are removed at the next start
ERRORS       psycopg.Error
"""

from __future__ import annotations

import os
import re
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

_PREFIX = "waypost_conformance_"


class Databases:
    """The databases of one run on one server."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: list[str] = []

    def __enter__(self) -> Self:
        self._connection = psycopg.connect(self._url, autocommit=True)
        for (name,) in self._connection.execute("SELECT datname FROM pg_database").fetchall():
            match = re.fullmatch(rf"{_PREFIX}(\d+)_\d+", name)
            if match is not None and not os.path.exists(f"/proc/{match[1]}"):
                self._drop(name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in self._made:
            self._drop(name)
        self._connection.close()

    def make(self, template: str = "") -> str:
        """The URL of a new database, empty or a copy of the one at `template`."""
        name = f"{_PREFIX}{os.getpid()}_{len(self._made)}"
        command = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template:
            source = urlsplit(template).path.strip("/")
            command += sql.SQL(" TEMPLATE {}").format(sql.Identifier(source))
        self._connection.execute(command)
        self._made.append(name)
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{name}"))

    def _drop(self, name: str) -> None:
        command = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        self._connection.execute(command.format(sql.Identifier(name)))
