"""bulkform - a bulk edit and its answer, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

BULK_BODY: dict[str, Any] = {
    "application/json": {
        "type": "array",
        "items": {
            "type": "object",
            "description": "The fields of a row, and what to do with it.",
            "properties": {
                "op": {
                    "type": "string",
                    "enum": ["create", "update", "delete", "upsert"],
                    "default": "create",
                },
                "id": {
                    "type": "integer",
                    "description": "For update and delete; or give the natural key.",
                },
            },
            "additionalProperties": True,
        },
    },
    "text/csv": {
        "type": "string",
        "description": "The first line names the fields; each other line is one operation.",
    },
}


class DoneForm(serializers.Serializer[Any]):
    """What became of one operation."""

    op = serializers.CharField(help_text="create, update or delete")
    id = serializers.IntegerField(allow_null=True)


class BulkForm(serializers.Serializer[Any]):
    """What was done, in the order of the operations."""

    count = serializers.IntegerField()
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    deleted = serializers.IntegerField()
    results = DoneForm(many=True)
