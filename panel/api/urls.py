"""urls - what is under /api/v1/."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path
from rest_framework.routers import SimpleRouter

from panel.api.changes import ChangeView
from panel.api.documents import NothingView, SchemaView, docs
from panel.api.domainaliases import DomainAliasView
from panel.api.domains import DomainView
from panel.api.entries import (
    AccessRuleView,
    AliasView,
    TableEntryView,
    TransportView,
    VirtualEntryView,
)
from panel.api.generations import GenerationView
from panel.api.mailboxes import MailboxView
from panel.api.messages import MessageView
from panel.api.nodes import NodeView
from panel.api.operations import FlushView, LintView, QueueView
from panel.api.parameters import ParameterView
from panel.api.restrictionlists import RestrictionListView
from panel.api.services import ServiceView
from panel.api.tables import AccessTableView, TableView
from panel.api.tokens import TokenView

VIEWS = {
    "domains": DomainView,
    "domain-aliases": DomainAliasView,
    "mailboxes": MailboxView,
    "aliases": AliasView,
    "virtual-entries": VirtualEntryView,
    "transports": TransportView,
    "access-tables": AccessTableView,
    r"access-tables/(?P<table_pk>[0-9]{1,18})/rules": AccessRuleView,
    "tables": TableView,
    r"tables/(?P<table_pk>[0-9]{1,18})/entries": TableEntryView,
    "restriction-lists": RestrictionListView,
    "settings": ParameterView,
    "services": ServiceView,
    "tokens": TokenView,
    "generations": GenerationView,
    "changes": ChangeView,
    "nodes": NodeView,
    "messages": MessageView,
}

router = SimpleRouter()
for prefix, view in VIEWS.items():
    router.register(prefix, view, basename="api-" + prefix.split("/")[-1])

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include(router.urls)),
    path("lint/", LintView.as_view(), name="api-lint"),
    path("queue/", QueueView.as_view(), name="api-queue"),
    path("queue/flush/", FlushView.as_view(), name="api-queue-flush"),
    path("schema/", SchemaView.as_view(), name="api-schema"),
    path("docs/", docs, name="api-docs"),
    re_path(r"", NothingView.as_view()),
]
