"""publishing - a configuration directory goes live by the panel's own way.

SUMMARY      begin(database, home) once, end(); publish(directory, home, is_old=...) -> what a
             publish refused
RULES        import_postfix makes rows, a publish compiles them into the store below `home`, the
             node of this machine is switched to it. An import replaces all rows of the one before.
ERRORS       what the rows do not allow is in the lines, and nothing is published: the engine then
             starts without a generation, as anywhere
SOURCE       docs/IMPORT.md, docs/OVERVIEW.md (the way of an edit)
"""

from __future__ import annotations

import os
from pathlib import Path


def begin(database_url: str, home: Path) -> None:
    """Make Django ready for a database that is up to date."""
    os.environ["DATABASE_URL"] = database_url
    os.environ["WAYPOST_HOME"] = str(home)
    # nobody listens there: rows are published here and now
    os.environ["CELERY_BROKER_URL"] = f"redis+socket://{home}/no-broker.sock"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "panel.settings")
    import django

    django.setup()


def migrate() -> None:
    """Bring the database up to this code."""
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=0)


def end() -> None:
    """Let go of the database."""
    from django.db import connections

    connections.close_all()


def publish(directory: Path, home: Path, *, is_old: bool) -> list[str]:
    """Import and publish; what a publish refused."""
    from django.conf import settings

    from panel.constants import DEFAULT_NODE
    from panel.models import Node
    from panel.services.changes import acting
    from panel.services.importer import import_directory
    from panel.services.nodes import activate
    from panel.services.publish import publish_changes
    from tables.writing.report import Report

    home.mkdir(mode=0o700, parents=True)
    settings.WAYPOST_HOME = home
    with acting("import_postfix"):
        import_directory(directory, replace=True, old_defaults=is_old or None)
    made = publish_changes("conformance", force=True, settle_s=0)
    if made is None:
        return ["nothing could be published"]
    errors = [finding.message for finding in Report.from_dict(made.report).errors]
    if made.state == "published":
        Node.objects.get_or_create(name=DEFAULT_NODE)
        activate(DEFAULT_NODE)
    return errors
