"""generations - what was published: /generations/; a POST publishes now.

RULES        a generation's id is its number. A POST rings for the publisher and waits, at most
             ANSWER_S, for its verdict: 200 with the newest attempt, be it published, refused or
             failed (its state says so); 202 when the publisher has not got round to it. The rows
             may be as they were: then the answer is the generation that was there.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from panel.api.filters import FilterSet
from panel.api.problems import Problem
from panel.api.reportform import ReportForm
from panel.api.rowform import memory_of
from panel.api.rowview import ReadView
from panel.api.writes import wait_for_live, wait_of
from panel.constants import PUBLISH_QUEUE
from panel.models import Generation
from panel.services.announce import ring
from panel.services.changes import current_revision
from panel.services.live import answer_to, enabled_nodes, running_nodes

ANSWER_S = 10.0


class GenerationForm(serializers.ModelSerializer[Any]):
    """One attempt to publish."""

    id = serializers.IntegerField(source="number", read_only=True)
    duration_s = serializers.SerializerMethodField(help_text="Seconds; null while it is built.")
    report = serializers.SerializerMethodField()
    live = serializers.SerializerMethodField(help_text="The enabled nodes that run it.")
    is_live = serializers.SerializerMethodField(help_text="True when every enabled node runs it.")

    class Meta:
        model = Generation
        fields = (
            "id",
            "number",
            "state",
            "revision",
            "digest",
            "counts",
            "report",
            "reason",
            "requested_by",
            "started",
            "finished",
            "duration_s",
            "live",
            "is_live",
        )
        read_only_fields = fields

    def get_duration_s(self, row: Generation) -> float | None:
        """How long it took."""
        return None if row.duration is None else round(row.duration.total_seconds(), 3)

    def get_report(self, row: Generation) -> ReportForm(allow_null=True):  # type: ignore[valid-type]
        """Null while it is built."""
        return row.report or None

    def get_live(self, row: Generation) -> list[str]:
        """Their names."""
        running = self._running()
        return running.get(row.number, [])

    def get_is_live(self, row: Generation) -> bool:
        """False where there is no node at all."""
        every = self._every_node()
        return bool(every) and set(every) == set(self.get_live(row))

    def _running(self) -> dict[int, list[str]]:
        """Asked once for a whole list."""
        memory = memory_of(self)
        if "running" not in memory:
            memory["running"] = running_nodes()
        found: dict[int, list[str]] = memory["running"]
        return found

    def _every_node(self) -> list[str]:
        memory = memory_of(self)
        if "nodes" not in memory:
            memory["nodes"] = enabled_nodes()
        found: list[str] = memory["nodes"]
        return found


class GenerationFilter(FilterSet):
    """?state=published"""

    class Meta:
        model = Generation
        fields = ("state", "revision", "requested_by")


class GenerationView(ReadView):
    """Attempts to publish, newest first."""

    permission_model = Generation
    queryset = Generation.objects.all()
    serializer_class = GenerationForm
    filterset_class = GenerationFilter
    lookup_value_regex = "[0-9]{1,9}"
    ordering_names = {"id": "number", "number": "number", "started": "started"}

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One attempt, by its number."""
        return self.show(self.find(number=self.kwargs["pk"]))

    @extend_schema(request=None, responses={200: GenerationForm, 202: GenerationForm})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Publishes now."""
        timeout_s = wait_of(request)
        revision = current_revision()  # a transaction of its own: the answer must have seen it
        who = request.user.get_username()
        if not ring("panel.publish", "API", who, True, queue=PUBLISH_QUEUE):
            raise Problem(
                503, _("The task broker is away; the sweep publishes when it comes back.")
            )
        made = answer_to(revision, ANSWER_S)
        response = Response(None, 202) if made is None else self.show(made)
        response["Waypost-Revision"] = str(revision)
        if timeout_s is not None:
            wait_for_live(response, [revision], timeout_s)
        return response
