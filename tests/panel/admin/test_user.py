"""Pages of users and groups: no way to more rights than one has."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from tests.panel.admin.suite import ReadSuite


class TestUser(ReadSuite):
    app = "auth"
    page = "user"
    word = "one@"

    def make(self, number: int) -> User:
        address = {1: "one@x.test"}.get(number, f"n{number}@x.test")
        return User.objects.create_user(f"user{number}", email=address)

    def shown(self, row: User) -> str:
        return row.username

    def test_an_administrator_is_added(self, admin: Client) -> None:
        form = {
            "username": "ann",
            "usable_password": "true",
            "password1": "correct horse staple",
            "password2": "correct horse staple",
        }
        assert admin.post(self.url("add"), form).status_code == 302
        assert User.objects.get(username="ann").check_password("correct horse staple")

    def test_passwords_are_not_shown(self, admin: Client) -> None:
        user = self.make(1)
        user.set_password("correct horse staple")
        user.save()
        hashed = user.password.split("$")[-1]
        assert hashed not in admin.get(self.url("change", user.pk)).text
        assert (
            admin.get(reverse("admin:auth_user_password_change", args=[user.pk])).status_code == 200
        )

    def test_nobody_makes_themselves_a_superuser(self, staff) -> None:
        client = staff("view_user", "change_user", "add_user")
        sam = User.objects.get(username="sam")
        every = list(Permission.objects.values_list("pk", flat=True))
        form = {
            "username": "sam",
            "is_active": "on",
            "is_staff": "on",
            "is_superuser": "on",
            "user_permissions": every,
            "date_joined_0": "2026-01-01",
            "date_joined_1": "00:00:00",
        }
        assert client.post(self.url("change", sam.pk), form).status_code == 302
        sam.refresh_from_db()
        assert not sam.is_superuser
        assert sam.user_permissions.count() == 3

    def test_a_superusers_account_is_out_of_reach(self, admin: Client, staff) -> None:
        client = staff("view_user", "change_user", "delete_user")
        boss = User.objects.get(username="admin")
        before = boss.password
        password = reverse("admin:auth_user_password_change", args=[boss.pk])
        form = {"password1": "another horse staple", "password2": "another horse staple"}
        assert client.post(password, form).status_code == 403
        assert client.post(self.url("change", boss.pk), {"username": "x"}).status_code == 403
        assert client.post(self.url("delete", boss.pk), {"post": "yes"}).status_code == 403
        client.post(
            self.list_url,
            {"action": "delete_selected", "_selected_action": [boss.pk], "post": "yes"},
        )
        boss.refresh_from_db()
        assert boss.password == before

    def test_nobody_deletes_themselves(self, admin: Client) -> None:
        boss = User.objects.get(username="admin")
        assert admin.post(self.url("delete", boss.pk), {"post": "yes"}).status_code == 403
        chosen = {"action": "delete_selected", "_selected_action": [boss.pk], "post": "yes"}
        admin.post(self.list_url, chosen)
        assert User.objects.filter(username="admin").exists()


def test_groups_are_for_superusers(admin: Client, staff) -> None:
    group = Group.objects.create(name="editors")
    client = staff("view_group", "change_group", "add_group", "delete_group")
    page = reverse("admin:auth_group_change", args=[group.pk])
    assert client.get(page).status_code == 200
    assert client.post(page, {"name": "mine"}).status_code == 403
    assert admin.get(page).status_code == 200
    assert admin.post(page, {"name": "writers"}).status_code == 302
