"""choices - the enumerations of the rows; values are what the database and the API hold.

RULES        kinds of domains have the values of tables.writing.rows.DomainKind; types and kinds of
             tables come from tables.specs, the one list of all of them
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tables import specs


class DomainKind(models.TextChoices):
    """ADDRESS_CLASS_README: the classes of hosted domains; every other domain is `default`."""

    LOCAL = "local", _("local: this machine's own names (mydestination)")
    VIRTUAL_ALIAS = "virtual_alias", _("virtual alias: every address is forwarded")
    VIRTUAL_MAILBOX = "virtual_mailbox", _("virtual mailbox: addresses have mailboxes here")
    RELAY = "relay", _("relay: accepted here, kept elsewhere (relay_domains)")


class GenerationState(models.TextChoices):
    """What became of one publish."""

    BUILDING = "building", _("building")
    PUBLISHED = "published", _("published")
    REFUSED = "refused", _("refused: errors in the rows")
    FAILED = "failed", _("failed: could not be written")


class Operation(models.TextChoices):
    """What was done to a row."""

    INSERT = "insert", _("added")
    UPDATE = "update", _("changed")
    DELETE = "delete", _("removed")


class Source(models.TextChoices):
    """By which door a change came in."""

    ADMIN = "admin", _("browser")
    API = "api", _("API")
    COMMAND = "command", _("command")
    SQL = "sql", _("SQL")


class Scope(models.TextChoices):
    """What an API token may do."""

    READ = "read", _("read")
    WRITE = "write", _("read and write")


class ServiceType(models.TextChoices):
    """master(5): where a service listens."""

    INET = "inet", _("inet: a TCP port")
    UNIX = "unix", _("unix: a local socket")
    FIFO = "fifo", _("fifo: a named pipe")
    PASS = "pass", _("pass: connections handed over by another service")
    UNIX_DGRAM = "unix-dgram", _("unix-dgram: a local datagram socket")


def table_types() -> list[tuple[str, str]]:
    """The types of tables whose entries are rows, by name."""
    return [(name, name) for name, type_ in specs.TYPES.items() if type_.has_rows]


def table_kinds() -> list[tuple[str, str]]:
    """The kinds of tables: what keys and values mean."""
    return [(name, name.replace("_", " ")) for name in specs.KINDS]
