"""documents - the description of the API itself, and what answers where there is nothing.

RULES        /schema/ is for a token or a logged-in browser, /docs/ for a logged-in browser: its
             files come from this host.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from panel.api.authentication import BearerAuthentication


@extend_schema(exclude=True)
class SchemaView(SpectacularAPIView):
    """OpenAPI."""

    metadata_class = None  # no OPTIONS
    authentication_classes = (BearerAuthentication, SessionAuthentication)
    permission_classes = (IsAuthenticated,)


@extend_schema(exclude=True)
class DocsView(SpectacularSwaggerView):
    """The same for people."""

    metadata_class = None  # no OPTIONS
    authentication_classes = ()  # login_required stands before it
    permission_classes = (AllowAny,)


docs = login_required(DocsView.as_view(url_name="api-schema"))


@extend_schema(exclude=True)
class NothingView(APIView):
    """Every address below /api/v1/ that is none: a problem document as everywhere."""

    metadata_class = None  # no OPTIONS
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Whatever the method."""
        super().initial(request, *args, **kwargs)
        raise Http404

    def get(self, request: Request) -> Response:
        """Never comes so far."""
        raise Http404
