"""prepare - brings a database up to this code, in one start of Django.

SUMMARY      run as a program by the supervisor and by docs/systemd/waypost-panel.service
RULES        migrate only when something is to be migrated; then the command first_start, which
             makes the first administrator and the demo domain once. A database that a newer Waypost
             has migrated is refused: this code would not keep its rules.
ERRORS       status 1 and one line
NOT DONE     collectstatic: the panel serves static files from where they are
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> int:
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "panel.settings")
    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.db import DatabaseError

    try:
        django.setup()
        return _bring_up()
    except ImproperlyConfigured as error:
        print(f"settings: {error}")
    except DatabaseError as error:
        print(f"database: {' '.join(str(error).split())}")
    return 1


def _bring_up() -> int:
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    loader = executor.loader
    known = {app for app, _ in loader.disk_migrations}
    newer = sorted(
        f"{app}.{name}"
        for app, name in loader.applied_migrations
        if app in known and (app, name) not in loader.disk_migrations
        and (app, name) not in loader.replacements
    )  # fmt: skip
    if newer:
        print(
            f"the database was migrated by a newer Waypost ({newer[-1]}): run that version, or set"
            " WAYPOST_HOME or DATABASE_URL to another database"
        )
        return 1
    steps = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if steps:
        print(f"migrating the database (steps: {len(steps)})", flush=True)
        call_command("migrate", interactive=False, verbosity=0)
    call_command("first_start")
    return 0


if __name__ == "__main__":
    sys.exit(main())
