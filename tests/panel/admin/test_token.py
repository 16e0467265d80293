"""Pages of API tokens."""

from __future__ import annotations

import re

from django.contrib.auth.models import User
from django.test import Client

from panel.models import ApiToken
from panel.services.tokens import find_token, issue_token
from tests.panel.admin.suite import MARKUP, ReadSuite

TOKEN = re.compile(r"wp_[\w-]{43}")


class TestToken(ReadSuite):
    page = "apitoken"
    word = "backup"

    def make(self, number: int) -> ApiToken:
        user, _made = User.objects.get_or_create(username="admin")
        return issue_token(user, name={1: "backup"}.get(number, f"n{number}"))[0]

    def shown(self, row: ApiToken) -> str:
        return row.name

    def test_it_lets_look_who_may_look(self, staff) -> None:
        client = staff("view_apitoken")
        row, _text = issue_token(User.objects.get(username="sam"), name="own")
        assert "own" in client.get(self.list_url).text
        assert client.get(self.url("change", row.pk)).status_code == 200
        assert client.post(self.url("delete", row.pk)).status_code == 403

    def test_it_shows_the_token_once(self, admin: Client) -> None:
        user = User.objects.get(username="admin")
        form = {"user": user.pk, "name": MARKUP, "scope": "read", "days": "30"}
        response = admin.post(self.url("add"), form)
        text = TOKEN.findall(response.text)[0]
        assert "no-store" in response["Cache-Control"]
        assert MARKUP not in response.text
        token = find_token(text)
        assert token is not None
        assert (token.name, token.scope) == (MARKUP, "read")
        assert token.expires is not None
        assert ApiToken.objects.count() == 1
        for page in (admin.get(self.list_url), admin.get(self.url("change", token.pk))):
            assert text not in page.text
            assert token.digest not in page.text
            assert MARKUP not in page.text

    def test_it_refuses_nonsense(self, admin: Client) -> None:
        for wrong in ({"name": ""}, {"days": "0"}, {"days": "9" * 20}, {"scope": "all"}):
            form = {"user": 1, "name": "x", "scope": "read", **wrong}
            assert admin.post(self.url("add"), form).status_code == 200, wrong
        assert not ApiToken.objects.exists()

    def test_a_token_is_removed_but_never_changed(self, admin: Client) -> None:
        token = self.make(1)
        assert admin.post(self.url("change", token.pk), {"name": "x"}).status_code == 403
        assert admin.post(self.url("delete", token.pk), {"post": "yes"}).status_code == 302
        assert not ApiToken.objects.exists()

    def test_others_make_and_see_their_own_only(self, admin: Client, staff) -> None:
        mine = staff("view_apitoken", "add_apitoken", "delete_apitoken")
        boss = User.objects.get(username="admin")
        other, _text = issue_token(boss, name="of the boss")
        form = {"user": boss.pk, "name": "own", "scope": "write"}
        assert mine.post(self.url("add"), form).status_code == 200
        assert ApiToken.objects.get(name="own").user.username == "sam"
        assert "of the boss" not in mine.get(self.list_url).text
        mine.post(self.url("delete", other.pk), {"post": "yes"})
        assert ApiToken.objects.filter(pk=other.pk).exists()
        assert mine.get(self.url("change", other.pk)).status_code == 302
