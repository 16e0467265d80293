"""reportform - what a compile found, in JSON; as tables.writing.report.Report says it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class FindingForm(serializers.Serializer[Any]):
    """One thing to know, with the row that it is about."""

    check = serializers.CharField()
    row = serializers.CharField(help_text='"model:id", or empty.')
    message = serializers.CharField()


class ReportForm(serializers.Serializer[Any]):
    """Counts, errors (which stop a publish) and warnings."""

    counts = serializers.DictField(child=serializers.IntegerField())
    errors = FindingForm(many=True)  # type: ignore[assignment]
    warnings = FindingForm(many=True)
    error_count = serializers.IntegerField()
    warning_count = serializers.IntegerField()
