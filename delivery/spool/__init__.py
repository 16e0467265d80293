"""spool - the queue on disk and its clockwork: durable entry, leases, retry times.

SUMMARY      store.Spool keeps messages; schedule says when and in which order they are tried
FILES        queueid   short unique names          records   what is written and read back
             content   message text on its way in  rowform   values <-> columns
             database  one shard's SQLite file     salvage   what to do when it is damaged
             committer the one writing thread      store     the door: enter, lease, settle, finish
             operations  changes of rows           reading   rows -> leases, content, listings
             entries   a message -> rows           lock      one process for each shard
             recovery  what opening a shard does   adopt     shards of dead processes
             memory    messages on their way       operator  what operators ask of a shard
             schedule  retry times, lifetimes      active    who is tried next, and how many at once
RULES        enter() returns after the commit that holds the message; a lease is written before the
             attempt it stands for; finish() removes what is done and enters its reports in one
             transaction (docs/QUEUE.md)
SOURCE       RFC 5321 4.2.5, 4.5.4.1, 6.1; postconf(5) queue parameters
"""

from delivery.spool.adopt import Adoption
from delivery.spool.content import ContentWriter
from delivery.spool.lock import ShardBusy
from delivery.spool.records import (
    Corrupt,
    Lease,
    Listing,
    QueueState,
    Recovery,
    SpoolLimits,
    Submission,
)
from delivery.spool.store import Spool

__all__ = [
    "Adoption",
    "ContentWriter",
    "Corrupt",
    "Lease",
    "Listing",
    "QueueState",
    "Recovery",
    "ShardBusy",
    "Spool",
    "SpoolLimits",
    "Submission",
]
