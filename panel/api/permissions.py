"""permissions - who may do what: the token's scope, then the Django permissions of its user.

RULES        a read token reads. Beyond that the rights are those of the admin pages: view, add,
             change and delete of the view's model (`permission_model`), for the views of tables
             (aliases ...) those of the view, not of entries in general.
             An upsert needs add or change, whichever it turns out to be; a bulk edit what its
             operations need: the handlers ask `demand` when they know.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_permission_codename
from django.db.models import Model
from django.utils.translation import gettext as _
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from panel.api.problems import Problem
from panel.choices import Scope
from panel.models import ApiToken

ACTIONS = {"POST": "add", "PUT": "change", "PATCH": "change", "DELETE": "delete"}


class MayUse(BasePermission):
    """Scope first, then the user's permissions."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """False for nobody (401); otherwise True, or Problem 403 that says what is missing."""
        if not request.user.is_authenticated:
            return False
        writes = request.method not in SAFE_METHODS
        if writes and isinstance(request.auth, ApiToken) and request.auth.scope != Scope.WRITE:
            raise Problem(403, _("This token may only read."))
        model = getattr(view, "permission_model", None)
        if model is None:
            return True
        actions = getattr(view, "any_permission", {}).get(getattr(view, "action", None))
        if actions is None:
            usual = ACTIONS.get(str(request.method), "view")
            demand(request, model, getattr(view, "needed_permission", usual))
        elif not any(holds(request, model, action) for action in actions):
            demand(request, model, actions[0])
        return True


def holds(request: Request, model: type[Model], action: str) -> bool:
    """True when the user has the permission."""
    return request.user.has_perm(_name(model, action))


def demand(request: Request, model: type[Model], action: str) -> None:
    """Raises Problem 403 when the user lacks the permission."""
    if not holds(request, model, action):
        raise Problem(403, _("You lack the permission %s.") % _name(model, action))


def _name(model: type[Model], action: str) -> str:
    options = model._meta
    return f"{options.app_label}.{get_permission_codename(action, options)}"
