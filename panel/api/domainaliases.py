"""domainaliases - other names of hosted domains: /domain-aliases/."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError as ModelError
from rest_framework import serializers

from panel.api.filters import CharFilter, FilterSet
from panel.api.rowform import RowForm, memory_of
from panel.api.rowview import RowView
from panel.models import Domain, DomainAlias
from panel.validators import as_domain


class DomainName(serializers.SlugRelatedField[Domain]):
    """A hosted domain by its name; asked once for each name in one request."""

    default_error_messages = {
        "does_not_exist": "There is no domain {value} here. Add it first.",
        "invalid": "Give the name of a domain.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(slug_field="name", queryset=Domain.objects.all(), **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """The domain."""
        if not isinstance(data, str):
            self.fail("invalid")
        try:
            name = as_domain(data, field="domain")
        except ModelError as error:
            raise serializers.ValidationError(error.messages) from error
        known: dict[str, Domain | None] = memory_of(self).setdefault("domains", {})
        if name not in known:
            known[name] = Domain.objects.filter(name=name).first()
        if known[name] is None:
            self.fail("does_not_exist", value=name)
        return known[name]


class DomainAliasForm(RowForm):
    """Another name of a hosted domain: its addresses are valid under both names."""

    domain = DomainName(help_text="The domain that it is another name of, by its name.")
    display_name = serializers.CharField(
        read_only=True, help_text="The name in Unicode, for people."
    )

    class Meta:
        model = DomainAlias
        fields = ("id", "name", "display_name", "domain", "enabled", "description")


class DomainAliasFilter(FilterSet):
    """?domain=example.com&enabled=true&name=example.org"""

    domain = CharFilter(method="of_domain", label="The name of the domain.")

    class Meta:
        model = DomainAlias
        fields = ("name", "domain", "enabled")

    def of_domain(self, queryset: Any, name: str, value: str) -> Any:
        """Other names of one domain."""
        return queryset.filter(domain__name=as_domain(value, field="domain"))


class DomainAliasView(RowView):
    """Other names of hosted domains."""

    permission_model = DomainAlias
    queryset = DomainAlias.objects.select_related("domain")
    serializer_class = DomainAliasForm
    filterset_class = DomainAliasFilter
    search_fields = ("name", "domain__name")
    ordering_names = {"id": "pk", "name": "name", "domain": "domain__name", "enabled": "enabled"}

    def key_columns(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The name as A-labels."""
        return {"name": as_domain(str(values["name"]), field="name")}
