"""Middleware: one transaction and one name for a writing request; rules for browsers."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import RequestFactory

from panel.middleware import Acting, BrowserRules
from panel.models import Change, Domain


def answer(middleware, view, method: str = "post", path: str = "/admin/", **kwargs) -> HttpResponse:
    request = getattr(RequestFactory(), method)(path, **kwargs)
    request.user = User(username="amy")
    return middleware(view)(request)


@pytest.mark.django_db
def test_it_works() -> None:
    def view(request):
        Domain.objects.create(name="example.com")
        return HttpResponse("done")

    assert answer(Acting, view).status_code == 200
    change = Change.objects.first()
    assert (change.actor, change.source) == ("amy", "admin")


@pytest.mark.django_db
def test_a_server_error_undoes_all_of_it() -> None:
    def view(request):
        Domain.objects.create(name="example.com")
        return HttpResponse("oops", status=500)

    answer(Acting, view)
    assert not Domain.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path"), [("get", "/admin/"), ("post", "/api/v1/domains/")])
def test_it_leaves_reading_and_the_api_alone(method: str, path: str) -> None:
    def view(request):
        Domain.objects.create(name="example.com")
        return HttpResponse("done")

    answer(Acting, view, method, path)
    assert Change.objects.first().source == "sql"


@pytest.mark.parametrize("secure", [True, False])
def test_cookies_are_secure_over_https(secure: bool, settings) -> None:
    def view(request):
        response = HttpResponse("hello")
        response.set_cookie(settings.SESSION_COOKIE_NAME, "x", httponly=True)
        return response

    response = answer(BrowserRules, view, "get", "/", secure=secure)
    assert bool(response.cookies[settings.SESSION_COOKIE_NAME]["secure"]) is secure
    assert "frame-ancestors 'none'" in response["Content-Security-Policy"]
