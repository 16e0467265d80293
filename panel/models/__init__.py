"""models - the rows: one file per noun; the truth of the panel.

RULES        clean() says what is wrong in words, with the parsers of tables/; a database constraint
             says the same to everything that does not call clean(). A skin calls full_clean()
             before save(). The models in PUBLISHED are compiled into a generation, and every
             change to them is recorded by a database trigger (recording.py).
"""

from panel.models.change import Change
from panel.models.domain import Domain
from panel.models.domainalias import DomainAlias
from panel.models.generation import Generation
from panel.models.idempotency import IdempotentRequest
from panel.models.journal import JournalEvent, JournalPosition
from panel.models.mailbox import Mailbox
from panel.models.node import Node, NodeState
from panel.models.parameter import Parameter
from panel.models.restriction import Restriction, RestrictionList
from panel.models.service import Service
from panel.models.table import AccessTable, Entry, Table
from panel.models.token import ApiToken
from panel.models.views import AccessRule, Alias, Transport, VirtualEntry

PUBLISHED = (
    Domain,
    DomainAlias,
    Mailbox,
    Table,
    Entry,
    Parameter,
    Service,
    RestrictionList,
    Restriction,
)

__all__ = [
    "PUBLISHED",
    "AccessRule",
    "AccessTable",
    "Alias",
    "ApiToken",
    "Change",
    "Domain",
    "DomainAlias",
    "Entry",
    "Generation",
    "IdempotentRequest",
    "JournalEvent",
    "JournalPosition",
    "Mailbox",
    "Node",
    "NodeState",
    "Parameter",
    "Restriction",
    "RestrictionList",
    "Service",
    "Table",
    "Transport",
    "VirtualEntry",
]
