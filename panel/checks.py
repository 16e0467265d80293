"""checks - what `manage.py check` says about this installation before it runs.

SUMMARY      waypost.E001 WAYPOST_HOME cannot be written; E002 the sweep is not scheduled;
             E003 a socket's path is too long; with --database default: E004 Postgres is too old
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from panel.celery import app

SOCKET_PATH_LIMIT = 107  # bytes; unix(7)
OLDEST_POSTGRES = 130000  # pg_current_xact_id and trusted extensions: release notes of 13


@register
def check_home(**kwargs: Any) -> list[CheckMessage]:
    """Generations, keys and sockets need a place."""
    home = settings.WAYPOST_HOME
    place = next(each for each in (home, *home.parents) if each.exists())
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return []
    hint = f"Make {place} a directory that this user can write, or set WAYPOST_HOME."
    return [Error(f"WAYPOST_HOME {home} cannot be written.", hint=hint, id="waypost.E001")]


@register
def check_schedule(**kwargs: Any) -> list[CheckMessage]:
    """Without the sweep a lost task would be a lost edit."""
    if any(entry["task"] == "panel.sweep" for entry in app.conf.beat_schedule.values()):
        return []
    return [Error("The sweep is not scheduled.", hint="See panel/celery.py.", id="waypost.E002")]


@register
def check_sockets(**kwargs: Any) -> list[CheckMessage]:
    """A broker on a socket is reached by a path that the system takes."""
    url = urlsplit(settings.CELERY_BROKER_URL)
    if url.scheme != "redis+socket" or len(os.fsencode(url.path)) <= SOCKET_PATH_LIMIT:
        return []
    hint = "Choose a shorter WAYPOST_HOME, or set CELERY_BROKER_URL."
    message = f"The broker's socket path is longer than {SOCKET_PATH_LIMIT} bytes."
    return [Error(message, hint=hint, id="waypost.E003")]


@register(Tags.database)
def check_postgres(databases: Sequence[str] | None, **kwargs: Any) -> list[CheckMessage]:
    """Transaction snapshots need Postgres 13."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        connections[alias].ensure_connection()
        version = connections[alias].connection.info.server_version
        if version < OLDEST_POSTGRES:
            found.append(
                Error(f"Postgres {version // 10000} is too old: 13 is needed.", id="waypost.E004")
            )
    return found
