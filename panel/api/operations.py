"""operations - what is not a row: /lint/ and /queue/.

RULES        /lint/ says what a publish would say about the rows as they are. /queue/ is the mail
             queue of the engine on the panel's own host, as its control socket tells it.
ERRORS       503 when the engine does not answer
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from panel.api.filters import refuse_unknown
from panel.api.problems import Problem
from panel.api.reportform import ReportForm
from panel.models import Generation, Node
from panel.services.engine import EngineRefused, EngineUnreachable
from panel.services.nodes import engine_control
from panel.services.stores import lint_rows

QUEUE_LIMIT = 1000
QUEUE_ID_LIMIT = 100  # characters


class LintView(APIView):
    """What a publish would say."""

    metadata_class = None  # no OPTIONS
    permission_model = Generation

    @extend_schema(responses=ReportForm)
    def get(self, request: Request) -> Response:
        """Checks the rows as a publish would, and publishes nothing."""
        refuse_unknown(request, ())
        return Response(lint_rows().to_dict())


class QueuedRecipientForm(serializers.Serializer[Any]):
    """One recipient of a queued message."""

    address = serializers.CharField()
    status = serializers.CharField()
    dsn = serializers.CharField()
    reason = serializers.CharField()


class QueuedForm(serializers.Serializer[Any]):
    """One message in the queue; times are seconds since 1970."""

    id = serializers.CharField()
    state = serializers.CharField()
    sender = serializers.CharField()
    size = serializers.IntegerField()
    arrived = serializers.FloatField()
    next_attempt = serializers.FloatField(allow_null=True)
    attempts = serializers.IntegerField()
    reason = serializers.CharField()
    expired = serializers.BooleanField()
    recipient_count = serializers.IntegerField()
    recipients = QueuedRecipientForm(many=True)


class QueueForm(serializers.Serializer[Any]):
    """A part of the queue; `more` says that there is more after the last one."""

    messages = QueuedForm(many=True)
    more = serializers.BooleanField()


class FlushedForm(serializers.Serializer[Any]):
    """How many messages are tried now."""

    scheduled = serializers.IntegerField()


class QueueView(APIView):
    """The mail queue."""

    metadata_class = None  # no OPTIONS
    permission_model = Node

    @extend_schema(
        parameters=[
            OpenApiParameter("limit", int, description=f"At most {QUEUE_LIMIT}; default 100."),
            OpenApiParameter("after", str, description="The id of the last message before."),
        ],
        responses=QueueForm,
    )
    def get(self, request: Request) -> Response:
        """Messages in the queue, with the state of each recipient."""
        refuse_unknown(request, ("limit", "after"))
        limit = request.query_params.get("limit", "100")
        after = request.query_params.get("after", "")
        if not (limit.isascii() and limit.isdigit() and 0 < int(limit[:9]) <= QUEUE_LIMIT):
            message = _("Give a number from 1 to %d.") % QUEUE_LIMIT
            raise serializers.ValidationError({"limit": message})
        if len(after) > QUEUE_ID_LIMIT or (after and not after.isalnum()):
            raise serializers.ValidationError({"after": _("This is not the id of a message.")})
        reply = _asked(lambda: engine_control().queue(limit=int(limit), after=after))
        return Response({name: reply.get(name) for name in ("messages", "more")})


class FlushView(APIView):
    """Deferred mail is tried at once."""

    metadata_class = None  # no OPTIONS
    permission_model = Node
    needed_permission = "change"

    @extend_schema(request=None, responses=FlushedForm)
    def post(self, request: Request) -> Response:
        """Tries all deferred mail now."""
        refuse_unknown(request, ())
        return Response({"scheduled": _asked(lambda: engine_control().flush())})


def _asked(question: Any) -> Any:
    try:
        return question()
    except EngineUnreachable as error:
        raise Problem(503, str(error)) from error
    except EngineRefused as error:
        raise Problem(502, _("The engine refused: %s") % error) from error
