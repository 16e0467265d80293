"""mail - messages and rules for the tests of this room."""

from __future__ import annotations

from delivery.content.cleaner import Cleaned, Cleaner
from delivery.content.completion import Occasion
from delivery.content.contexts import Submitter
from delivery.content.incoming import Incoming
from delivery.content.outgoing import Outgoing
from delivery.routing.router import Router
from tables.addresses import Address
from tables.parameters import Parameters
from tests.delivery.twins_policy import MemoryTables

STRANGER = Submitter(address="198.51.100.7", name="client.outside.test")
HERE = Submitter()
RECEIVED = b"Received: from a (b [192.0.2.1])\r\n\tby mail.my.domain (Postfix) with SMTP id 4X\r\n"
OCCASION = Occasion(queue_id="4X", when=0.0, sender=Address("joe", "my.domain"))
BASE = {
    "compatibility_level": "3.6",
    "myhostname": "mail.my.domain",
    "mydomain": "my.domain",
    "mydestination": "my.domain, mail.my.domain",
    "mynetworks": "192.0.2.0/24",
}


def tables(**sources: str) -> MemoryTables:
    """pcre tables from their texts, and hash:canonical, hash:generic."""
    made = MemoryTables()
    for name, text in sources.items():
        made.add_source(f"pcre:{name}", text)
    made.add("hash:canonical", {"joe@my.domain": "Joe.User@my.domain", "@old.test": "@new.test"})
    made.add("hash:generic", {"joe@my.domain": "me@isp.test", "same@my.domain": "same@my.domain"})
    return made


def incoming(made: MemoryTables | None = None, **raw: str) -> Incoming:
    """Rules with some parameters set."""
    made = made or tables()
    parameters = Parameters({**BASE, **raw})
    return Incoming(parameters, made, Router(parameters, made, ("192.0.2.10",)))


def outgoing(made: MemoryTables | None = None, **raw: str) -> Outgoing:
    """The same for mail that leaves."""
    made = made or tables()
    parameters = Parameters({**BASE, **raw})
    return Outgoing(parameters, made, Router(parameters, made))


def begin(
    rules: Incoming, submitter: Submitter = STRANGER, prologue: bytes = b"", **more: bool
) -> Cleaner:
    """A message of a stranger, or of somebody else."""
    return rules.begin(prologue, OCCASION, is_local=rules.is_local(submitter), **more)


def run(cleaner: Cleaner, message: bytes, size: int = 1 << 20) -> tuple[bytes, Cleaned]:
    """(what came out, the rest) of a message fed in pieces."""
    out = [cleaner.feed(message[at : at + size]) for at in range(0, len(message), size)]
    cleaned = cleaner.finish()
    return b"".join((*out, cleaned.data)), cleaned


def lines(text: str) -> bytes:
    """Lines of a test as they come over the wire."""
    return text.replace("\n", "\r\n").encode()
