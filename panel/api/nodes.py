"""nodes - the engine hosts and what each runs: /nodes/, to be read only."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from panel.api.rowview import ReadView
from panel.models import Node, NodeState


class NodeStateForm(serializers.ModelSerializer[Any]):
    """What was last found on a node."""

    class Meta:
        model = NodeState
        fields = (
            "generation",
            "digest",
            "switched",
            "acknowledged_at",
            "engine_reachable",
            "error",
            "engine",
            "checked_at",
        )
        read_only_fields = fields


class NodeForm(serializers.ModelSerializer[Any]):
    """One engine host."""

    state = NodeStateForm(read_only=True, allow_null=True, default=None)

    class Meta:
        model = Node
        fields = ("id", "name", "enabled", "description", "state")
        read_only_fields = fields


class NodeView(ReadView):
    """Engine hosts."""

    permission_model = Node
    queryset = Node.objects.select_related("state")
    serializer_class = NodeForm
    search_fields = ("name",)
    ordering_names = {"id": "pk", "name": "name"}
