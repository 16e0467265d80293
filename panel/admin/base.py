"""base - what the pages of all models have in common.

SUMMARY      RowAdmin       rows that are published: edit, bulk actions, how far an edit has come
             ReadOnlyAdmin  what the system writes: look, never touch
RULES        A message of success carries the revision of the edit; the page then says when it is
             live (status.py). Deleting shows how much goes with it, in numbers: nothing here lists
             100,000 rows. The database's own refusal, of what two people saved in the same instant,
             is a message and not an error page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.db import DataError, IntegrityError, models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from panel.admin.bulk import confirmation
from panel.admin.deletion import Deletion
from panel.admin.paging import BoundedPaginator
from panel.admin.unfolded import ModelAdmin
from panel.models import Change
from panel.services.changes import current_revision


class BaseAdmin(ModelAdmin):
    """Lists that stay fast, and empty ones that say what to do."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 200
    list_filter_submit = True
    show_facets = admin.ShowFacets.NEVER  # a count for each choice of each filter
    compressed_fields = False
    empty_help: str | Promise = ""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """As Django's; a lookup that the database cannot read is a wrong lookup."""
        try:
            response = super().changelist_view(request, extra_context)
            if hasattr(response, "render") and request.method == "GET":
                response.render()
        except (DataError, ValueError, IncorrectLookupParameters):
            if request.method != "GET" or not request.GET:
                raise
            self.message_user(request, _("That search cannot be understood."), messages.WARNING)
            return HttpResponseRedirect(request.path)
        return response

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What the address proposes, but no key that cannot be one."""
        given: dict[str, Any] = super().get_changeform_initial_data(request)
        for field in self.model._meta.fields:
            key = str(given.get(field.name, "0"))
            if field.is_relation and not (key.isascii() and key.isdigit() and len(key) < 19):
                del given[field.name]
        return given


class RowAdmin(BaseAdmin):
    """Rows that are compiled into a generation."""

    actions: Sequence[Any] = ("enable", "disable")
    warn_unsaved_form = True
    change_form_template = "panel/change_form.html"
    record_name = ""  # what change records call it, where that is not the model's name

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Enable and disable only where there is such a switch."""
        actions: dict[str, Any] = super().get_actions(request)
        if not any(field.name == "enabled" for field in self.model._meta.fields):
            for name in ("enable", "disable"):
                actions.pop(name, None)
        return actions

    # -- saving -------------------------------------------------------------------------------

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """As Django's, within one savepoint: what the database refuses changes nothing."""
        try:
            response: HttpResponse = super().changeform_view(request, *args, **kwargs)
        except (IntegrityError, DataError):
            self.message_user(
                request,
                _(
                    "Nothing was saved: somebody else has just saved a row that this one "
                    "contradicts. Look at the list, then try again."
                ),
                messages.ERROR,
            )
            return HttpResponseRedirect(request.get_full_path())
        return response

    def message_user(
        self,
        request: HttpRequest,
        message: Any,
        level: int | str = messages.INFO,
        extra_tags: str = "",
        fail_silently: bool = False,
    ) -> None:
        """After a success: from which generation on it is so."""
        if level == messages.SUCCESS:
            message = format_html("{} {}", message, liveness(request))
        super().message_user(request, message, level, extra_tags, fail_silently)

    # -- history ------------------------------------------------------------------------------

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """The change records of the row."""
        name = self.record_name or str(self.model._meta.model_name)
        query = urlencode({"q": f"{name}:{object_id}"})
        return HttpResponseRedirect(f"{reverse('admin:panel_change_changelist')}?{query}")

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Not kept: the change record says more."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Not kept: the change record says more."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Not kept: the change record says more."""

    # -- deleting -----------------------------------------------------------------------------

    def get_deleted_objects(
        self, objs: Iterable[models.Model], request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[Any], list[Any]]:
        """What would be deleted, in numbers."""
        deletion = Deletion.of(self, request, objs)
        return deletion.listed, deletion.counts, deletion.perms_needed, deletion.protected

    # -- bulk actions -------------------------------------------------------------------------

    @admin.action(description=gettext_lazy("Enable"), permissions=["change"])
    def enable(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        """Switches rows on."""
        self._switch(request, queryset, True)

    @admin.action(description=gettext_lazy("Disable"), permissions=["change"])
    def disable(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> HttpResponse | None:
        """Switches rows off, after asking."""
        if request.POST.get("confirmed") != "yes":
            return confirmation(
                self,
                request,
                queryset,
                action="disable",
                title=_("Disable"),
                sentence=_("These will be left out of the next generation, and stay here."),
            )
        self._switch(request, queryset, False)
        return None

    def _switch(self, request: HttpRequest, queryset: models.QuerySet[Any], enabled: bool) -> None:
        count = self.plain(queryset).exclude(enabled=enabled).update(enabled=enabled)
        said = _("%d enabled.") if enabled else _("%d disabled.")
        self.message_user(request, said % count, messages.SUCCESS)

    def plain(self, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        """The same rows without order and joined columns, for one UPDATE or DELETE."""
        rows: models.QuerySet[Any] = self.model._base_manager.all()
        return rows.filter(pk__in=queryset.order_by().values("pk"))

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        """Deletes rows, and what hangs on them."""
        self.plain(queryset).delete()

    @admin.action(description=gettext_lazy("Delete"), permissions=["delete"])
    def delete_rows(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> HttpResponse | None:
        """Deletes rows, after asking."""
        deletion = Deletion.of(self, request, queryset)
        if request.POST.get("confirmed") != "yes" or not deletion.is_allowed:
            return confirmation(
                self,
                request,
                queryset,
                action="delete_selected",
                title=_("Delete"),
                sentence=_("These will be deleted. The change record keeps what they were."),
                hindrance=deletion.hindrance,
                counts=deletion.counts,
                is_danger=True,
            )
        count = queryset.order_by().count()
        self.delete_queryset(request, queryset)
        self.message_user(request, _("%d deleted.") % count, messages.SUCCESS)
        return None

    def _get_base_actions(self) -> list[tuple[Any, str, Any]]:
        """Django's own "delete selected" lists every row: ours takes its place and its name."""
        usual: list[tuple[Any, str, Any]] = super()._get_base_actions()  # type: ignore[misc]
        actions = [each for each in usual if each[1] != "delete_selected"]
        return [
            *actions,
            (type(self).delete_rows, "delete_selected", gettext_lazy("Delete")),
        ]


def liveness(request: HttpRequest) -> str:
    """A link that the page turns into "Live in generation 7"; '' when nothing was changed."""
    revision = current_revision()
    who = request.user.get_username()
    if not Change.objects.filter(revision=revision, actor=who).exists():
        return ""
    return format_html(
        '<a class="wp-edit" data-revision="{}" href="{}">{}</a>',
        revision,
        reverse("admin:panel_generation_changelist"),
        _("Not live yet …"),
    )


class ReadOnlyAdmin(BaseAdmin):
    """Rows that the system writes."""

    actions: Sequence[Any] = ()
    warn_unsaved_form = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody may."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False
