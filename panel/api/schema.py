"""schema - what every operation has in common, for the OpenAPI document.

RULES        errors are problem documents; writes take ?dry_run, If-Match, Idempotency-Key and
             Prefer (writes.py, etags.py, idempotency.py), and answer Waypost-Revision
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from panel.api.rowview import WriteView


class ErrorForm(serializers.Serializer[Any]):
    """One thing that is wrong."""

    field = serializers.CharField()
    message = serializers.CharField()
    index = serializers.IntegerField(required=False, help_text="Of an operation in a bulk edit.")


class ProblemForm(serializers.Serializer[Any]):
    """A problem document: RFC 9457."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = ErrorForm(many=True)  # type: ignore[assignment]


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Authorization: Bearer wp_..."""

    target_class = "panel.api.authentication.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """RFC 6750."""
        return {"type": "http", "scheme": "bearer"}


def _header(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, description=description)


DRY_RUN = OpenApiParameter(
    "dry_run", bool, description="Do it, answer the changes and what lint says, and undo it."
)
PREFER = _header("Prefer", "wait=live, timeout=30: answer when every node obeys the edit.")
IF_MATCH = _header("If-Match", "The ETag of the row that is to be written; else 412.")
IDEMPOTENCY = _header("Idempotency-Key", "The same key gets the same answer, for 24 hours.")
REVISION = OpenApiParameter(
    "Waypost-Revision",
    str,
    OpenApiParameter.HEADER,
    description="The revision of the edit.",
    response=True,
)


class RowSchema(AutoSchema):
    """As drf-spectacular's, with what all operations share."""

    def get_override_parameters(self) -> list[Any]:
        """The parameters of writes."""
        if self.method == "GET" or not isinstance(self.view, WriteView):
            return []
        return [DRY_RUN, PREFER, IDEMPOTENCY if self.method == "POST" else IF_MATCH, REVISION]

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        """Every operation may answer a problem."""
        bodies = super()._get_response_bodies(direction)
        problem = self._get_response_for_code(  # type: ignore[no-untyped-call]
            ProblemForm, "default", media_types=["application/problem+json"]
        )
        return {**bodies, "default": problem}
