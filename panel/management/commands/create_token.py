"""create_token - prints a new API token; it is shown this once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from panel.choices import Scope
from panel.services.tokens import issue_token


class Command(BaseCommand):
    """manage.py create_token USER [--name N] [--scope read|write] [--days N]"""

    help = "Prints a new token for the REST API. It is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The words of the command line."""
        parser.add_argument("user", help="who acts with it; the first administrator is admin")
        parser.add_argument("--name", default="command line", help="what it is for")
        parser.add_argument("--scope", default=Scope.WRITE, choices=Scope.values)
        parser.add_argument("--days", type=int, help="valid for so many days; default: for ever")

    def handle(self, *args: Any, **options: Any) -> None:
        """The token alone on standard output."""
        user = get_user_model().objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']!r}.")
        if options["days"] is not None and options["days"] < 1:
            raise CommandError("--days must be at least 1.")
        try:
            _token, text = issue_token(
                user, name=options["name"], scope=options["scope"], days=options["days"]
            )
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stdout.write(text)
