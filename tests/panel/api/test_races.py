"""Requests that come at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpResponse

from panel.models import Domain, Table
from panel.services.tokens import issue_token
from tests.panel.api.client import Api

pytestmark = pytest.mark.usefixtures("committed")
BODY = {"name": "example.com", "kind": "relay"}


@pytest.fixture
def api() -> Api:
    return Api(issue_token(User.objects.create_superuser("root"), name="tests")[1])


def at_once(*requests: Callable[[], HttpResponse]) -> list[HttpResponse]:
    """The answers to requests that begin together."""
    answers: list[HttpResponse] = []
    start = threading.Barrier(len(requests))

    def ask(request: Callable[[], HttpResponse]) -> None:
        start.wait()
        answers.append(request())
        connection.close()

    threads = [threading.Thread(target=ask, args=[request]) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_one_of_many_creates(api: Api) -> None:
    answers = at_once(*[lambda: api("POST", "domains/", BODY)] * 6)
    assert sorted(each.status_code for each in answers) == [201] + [409] * 5
    assert Domain.objects.count() == 1


def test_upserts_of_one_key_all_work(api: Api) -> None:
    answers = at_once(*[lambda: api("PUT", "domains/by-key/example.com/", BODY)] * 6)
    assert sorted(each.status_code for each in answers) == [200] * 5 + [201]
    assert len({each.json()["id"] for each in answers}) == 1


def test_a_request_with_a_key_is_done_once(api: Api) -> None:
    answers = at_once(*[lambda: api("POST", "domains/", BODY, Idempotency_Key="one")] * 6)
    assert [each.status_code for each in answers] == [201] * 6
    assert len({each["Waypost-Revision"] for each in answers}) == 1
    assert sum("Idempotency-Replayed" in each for each in answers) == 5


def test_one_of_many_changes_with_the_same_version_wins(api: Api) -> None:
    made = api("POST", "domains/", BODY)
    path, tag = f"domains/{made.json()['id']}/", made["ETag"]
    answers = at_once(
        *[
            lambda n=n: api("PATCH", path, {"description": f"by {n}"}, If_Match=tag)
            for n in range(6)
        ]
    )
    assert sorted(each.status_code for each in answers) == [200] + [412] * 5


def test_changes_of_different_fields_both_stay(api: Api) -> None:
    made = api("POST", "domains/", BODY).json()
    path = f"domains/{made['id']}/"
    at_once(
        lambda: api("PATCH", path, {"description": "x"}),
        lambda: api("PATCH", path, {"enabled": False}),
        lambda: api("PATCH", path, {"kind": "local"}),
    )
    row = api.get(path)
    assert (row["description"], row["enabled"], row["kind"]) == ("x", False, "local")


def test_bulk_edits_in_opposite_orders_do_not_lock_each_other_out(api: Api) -> None:
    names = [f"d{n}.test" for n in range(50)]
    api.add("domains/bulk/", [{"name": name, "kind": "relay"} for name in names])

    def edit(order: list[str], text: str) -> HttpResponse:
        body = [{"op": "update", "name": name, "description": text} for name in order]
        return api("POST", "domains/bulk/", body)

    answers = at_once(lambda: edit(names, "a"), lambda: edit(names[::-1], "b"))
    assert [each.status_code for each in answers] == [200, 200]
    assert Domain.objects.values("description").distinct().count() == 1


def test_entries_of_a_removed_table_are_refused(api: Api) -> None:
    table = api.add("tables/", {"name": "going", "kind": "virtual"})
    entry = {"pattern": "joe@example.com", "destinations": ["ann"], "table": "going"}
    answers = at_once(
        lambda: api("DELETE", f"tables/{table['id']}/"),
        *[lambda: api("POST", "virtual-entries/", entry)] * 3,
    )
    assert {each.status_code for each in answers} <= {201, 204, 400, 409}
    assert not Table.objects.filter(name="going").exists()
