"""changeform - a change record in JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from panel.models import Change


class ChangeForm(serializers.ModelSerializer[Any]):
    """Who changed which row, when, from what to what; secrets are "***"."""

    class Meta:
        model = Change
        fields = (
            "id",
            "model",
            "row",
            "operation",
            "before",
            "after",
            "actor",
            "source",
            "at",
            "revision",
        )
        read_only_fields = fields
