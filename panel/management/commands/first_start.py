"""first_start - makes the administrator, the node and the example of a new installation."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from panel.services.beginning import begin


class Command(BaseCommand):
    """manage.py first_start"""

    help = "Sets up a new installation; does nothing when it was done before."

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints the passwords that were made; they cannot be had again."""
        made = begin()
        if made is None:
            return
        if made.password:
            self.stdout.write(f"Administrator: {made.user}, password: {made.password}")
        else:
            self.stdout.write(f"Administrator: {made.user}, password as given.")
        self.stdout.write(f"Example mailbox: {made.mailbox}, password: {made.mailbox_password}")
