"""rowview - the endpoints of one kind of row: list, one by id, one by natural key, bulk.

SUMMARY      class DomainView(RowView): permission_model, form, queryset, search_fields, ...
RULES        a row that is to be written is locked first, then compared with If-Match, then checked.
             A key names at most one row; where keys may come again (patterns), it must be by id.
             A PUT by key makes the row when there is none.
ERRORS       problem documents: problems.py
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.core.exceptions import ValidationError as ModelError
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from panel.api import etags
from panel.api.bodies import BODY_LIMIT, BULK_BODY_LIMIT, JsonBody
from panel.api.bulk import Bulk
from panel.api.bulkform import BULK_BODY, BulkForm
from panel.api.csvbody import CsvBody
from panel.api.fields import CONTROL
from panel.api.filters import refuse_unknown
from panel.api.permissions import demand
from panel.api.problems import Problem
from panel.api.writes import write

LIST_PARAMETERS = ("page", "page_size", "search", "ordering")
BY_KEY = r"by-key/(?P<key>.+)"


class ReadView(GenericViewSet[Any]):
    """Lists and single rows, to be read."""

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    cache_control = "private, no-cache"  # what is kept is asked for again with its tag
    lookup_value_regex = "[0-9]{1,18}"
    permission_model: ClassVar[type[Model]]
    volatile: ClassVar[Sequence[str]] = ()  # fields that change without a write to the row
    search_fields: ClassVar[Sequence[str]] = ()
    ordering_names: ClassVar[Mapping[str, str]] = {"id": "pk"}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Rights first, then the parameters of the address."""
        super().initial(request, *args, **kwargs)
        if "Transfer-Encoding" in request.headers and not request.headers.get("Content-Length"):
            raise Problem(411, _("Say the length of the body."))  # Django reads none without it
        refuse_unknown(request, self.known_parameters())

    def finalize_response(self, *args: Any, **kwargs: Any) -> Response:
        """With a word to caches."""
        response: Response = super().finalize_response(*args, **kwargs)
        response["Cache-Control"] = self.cache_control
        return response

    def known_parameters(self) -> set[str]:
        """The query parameters that mean something here."""
        if self.request.method not in ("GET", "HEAD"):
            return {"dry_run"}
        if self.detail or self.action != "list":
            return set()
        filterset = getattr(self, "filterset_class", None)
        return {*LIST_PARAMETERS, *(filterset.base_filters if filterset else ())}

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One page of the rows."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One row."""
        return self.show(self.find(pk=self.kwargs["pk"]))

    def find(self, **columns: Any) -> Any:
        """The one row. Raises Http404, or Problem 409 when several have the key."""
        found = list(self.get_queryset().filter(**columns)[:2])
        if not found:
            raise Http404
        if len(found) > 1:
            raise Problem(409, _("Several rows have this key: name the one you mean by its id."))
        return found[0]

    def show(self, row: Any, status: int = 200) -> Response:
        """The row in JSON, with its entity tag; 304 when the client has it."""
        shown = self.get_serializer(row).data
        tag = self.tag_of(row, shown)
        if self.request.method in ("GET", "HEAD") and etags.is_known(self.request, tag):
            return Response(status=304, headers={"ETag": tag})
        return Response(shown, status, headers={"ETag": tag})

    def tag_of(self, row: Any, shown: Mapping[str, Any]) -> str:
        """The row's entity tag."""
        lasting = {name: shown[name] for name in shown if name not in self.volatile}
        return etags.etag_of(lasting, self.hidden_part(row))

    def hidden_part(self, row: Any) -> str:
        """What is part of the row's version and is not shown."""
        return ""


class WriteView(ReadView):
    """Rows that can be written: create, replace, change, remove."""

    @write
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Adds a row."""
        response = self.show(self.store(request.data), 201)
        response["Location"] = request.build_absolute_uri(f"{response.data['id']}/")
        return response

    @write
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Replaces a row: what is left out goes back to its default."""
        return self.show(self.store(request.data, self.lock(pk=kwargs["pk"])))

    @write
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Changes what is given of a row."""
        return self.show(self.store(request.data, self.lock(pk=kwargs["pk"]), partial=True))

    @write
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Removes a row."""
        self.lock(pk=kwargs["pk"]).delete()
        return Response(status=204)

    def lock(self, **columns: Any) -> Any:
        """The one row, held until the end of the transaction, when If-Match holds."""
        found = list(self.get_queryset().select_for_update(of=("self",)).filter(**columns)[:2])
        if len(found) > 1:
            raise Problem(409, _("Several rows have this key: name the one you mean by its id."))
        if not found:
            if "If-Match" in self.request.headers:
                etags.demand_match(self.request, None)
            raise Http404
        etags.demand_match(self.request, self.tag_of(found[0], self.get_serializer(found[0]).data))
        return found[0]

    def store(self, data: Any, row: Any = None, *, partial: bool = False) -> Any:
        """Checks and saves."""
        form = self.get_serializer(row, data=data, partial=partial)
        form.is_valid(raise_exception=True)
        return form.save()


class RowView(WriteView):
    """Rows with a natural key, which can be written in bulk."""

    key_fields: ClassVar[Sequence[str]] = ("name",)
    key_attributes: ClassVar[frozenset[str]] = frozenset({"name"})  # columns that make the key
    any_permission: ClassVar[Mapping[str, Sequence[str]]] = {
        "by_key_put": ("change", "add"),
        "bulk": ("add", "change", "delete"),
    }

    @property
    def body_limit(self) -> int:
        """In bytes."""
        return BULK_BODY_LIMIT if self.action == "bulk" else BODY_LIMIT

    def get_serializer_context(self) -> dict[str, Any]:
        """With what the address says about each row."""
        return {**super().get_serializer_context(), "fixed": self.fixed()}

    def fixed(self) -> dict[str, Any]:
        """What the address of the request says about its rows."""
        return {}

    # -- natural keys -------------------------------------------------------------------------

    def key_of_address(self, text: str) -> dict[str, str]:
        """by-key/<text>/ as fields of the row."""
        return {self.key_fields[0]: text}

    def key_columns(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The key, given as fields of the API, as columns of the database, folded.

        Raises ValidationError of Django (by model field) or of the framework.
        """
        return {name: str(values[name]).strip() for name in self.key_fields}

    def key_of(self, row: Any) -> tuple[tuple[str, Any], ...]:
        """The key of a row that was checked, in the form of key_columns."""
        return tuple((name, getattr(row, name)) for name in self.key_fields)

    def unique_key(self, row: Any) -> tuple[tuple[str, Any], ...] | None:
        """The key, where no other row may have it."""
        return self.key_of(row)

    def check_bulk(self, bodies: Iterable[Mapping[str, Any]]) -> None:
        """For views to which some bulk edits are too much. Raises Problem."""

    def by_address(self, key: str) -> dict[str, Any]:
        """The columns for the key in the address. Raises Http404 when it cannot be one."""
        if CONTROL.search(key):
            raise Http404
        try:
            return self.key_columns(self.key_of_address(key))
        except (ModelError, serializers.ValidationError) as error:
            raise Http404 from error

    # -- handlers -----------------------------------------------------------------------------

    @action(detail=False, url_path=BY_KEY)
    def by_key(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One row, by its natural key."""
        return self.show(self.find(**self.by_address(kwargs["key"])))

    @by_key.mapping.put
    @write
    def by_key_put(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Makes the row with this key, or replaces it."""
        return self.upsert(kwargs["key"])

    @by_key.mapping.patch
    @write
    def by_key_patch(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Changes what is given of the row with this key."""
        row = self.lock(**self.by_address(kwargs["key"]))
        return self.show(self.store(request.data, row, partial=True))

    @by_key.mapping.delete
    @write
    def by_key_delete(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Removes the row with this key."""
        self.lock(**self.by_address(kwargs["key"])).delete()
        return Response(status=204)

    # -- steps --------------------------------------------------------------------------------

    @extend_schema(request=BULK_BODY, responses=BulkForm)
    @action(detail=False, methods=["post"], parser_classes=[JsonBody, CsvBody])
    @write
    def bulk(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Many writes at once: all or nothing."""
        return Response(Bulk(self, request.data).run())

    def upsert(self, key: str) -> Response:
        """201 with a new row, or 200 with the one that was there."""
        data = self._with_key(key)
        columns = self.by_address(key)
        for last in (False, True):
            try:
                row = self.lock(**columns)
            except Http404:
                demand(self.request, self.permission_model, "add")
                try:
                    with transaction.atomic():
                        return self.show(self.store(data), 201)
                except (IntegrityError, Problem) as error:
                    taken = isinstance(error, IntegrityError) or error.status_code == 409
                    if last or not taken:
                        raise
                    continue  # somebody else made it in this moment
            demand(self.request, self.permission_model, "change")
            break
        return self.show(self.store(data, row))

    def _with_key(self, key: str) -> Any:
        """The body with the key of the address. Raises ValidationError when they differ."""
        data = self.request.data
        if not isinstance(data, dict):
            return data
        address = self.key_of_address(key)
        given = {name: data[name] for name in address if name in data}
        if given:
            texts = {**address, **{name: str(value) for name, value in given.items()}}
            try:
                same = self.key_columns(texts) == self.key_columns(address)
            except (ModelError, serializers.ValidationError):
                return {**address, **data}  # the form says what is wrong
            if not same:
                message = _("The address of the request names another row.")
                raise serializers.ValidationError(dict.fromkeys(given, message))
        return {**address, **data}
