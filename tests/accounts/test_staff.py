"""Who may do what is decided by those who may, and nobody makes themselves more than they are."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from shop.accounts.models import User
from shop.backoffice.seeding import roles_seed
from tests.factories import make_user

pytestmark = pytest.mark.django_db

USERS = reverse("admin:accounts_user_changelist")


@pytest.fixture(autouse=True)
def roles(db: None, settings: Settings) -> None:
    settings.LANGUAGE_CODE = "en"
    roles_seed()


def staff(role: str = "", *permissions: str) -> User:
    user = make_user(is_staff=True)
    user.groups.set(Group.objects.filter(name=role))
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def clerk() -> User:
    """Who keeps users' pages, and does not decide who may do what."""
    return staff("", "view_user", "add_user", "change_user", "delete_user")


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def save(editor: User, user: User, **values: object) -> int:
    """Sends the form of the user's page with everything in it; returns the status of the answer."""
    form = {
        "username": user.username,
        "is_active": "on",
        "is_staff": "on",
        "is_superuser": "on",
        "groups": [group.pk for group in Group.objects.filter(name="owner")],
        "user_permissions": [one.pk for one in Permission.objects.filter(codename="view_order")],
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
        **{
            f"{name}-{count}_FORMS": 0
            for name in ("addresses", "wechat_identities")
            for count in ("TOTAL", "INITIAL")
        },
        **values,
    }
    page = reverse("admin:accounts_user_change", args=[user.pk])
    return browser_of(editor).post(page, form).status_code


def rights(user: User) -> tuple[bool, bool, list[str], int]:
    user = User.objects.get(pk=user.pk)
    groups = list(user.groups.values_list("name", flat=True))
    return user.is_staff, user.is_superuser, groups, user.user_permissions.count()


def test_an_owner_makes_somebody_an_operator_but_nobody_a_superuser() -> None:
    somebody = make_user()
    assert save(staff("owner"), somebody) == 302
    # Single permissions are nobody's to give: a mixture is a group.
    assert rights(somebody) == (True, False, ["owner"], 0)


def test_a_superuser_makes_one() -> None:
    somebody = make_user()
    assert save(make_user(is_staff=True, is_superuser=True), somebody) == 302
    assert rights(somebody) == (True, True, ["owner"], 0)


def test_a_clerk_edits_shoppers_and_makes_none_of_them_more() -> None:
    somebody = make_user()
    assert save(clerk(), somebody, nickname="小李") == 302
    assert User.objects.get(pk=somebody.pk).nickname == "小李"
    assert rights(somebody) == (False, False, [], 0)


@pytest.mark.parametrize("who", ["themselves", "an operator", "a superuser"])
def test_a_clerk_touches_no_operator(who: str) -> None:
    editor = clerk()
    other = {
        "themselves": editor,
        "an operator": staff("operator"),
        "a superuser": make_user(is_staff=True, is_superuser=True),
    }[who]
    assert_untouched(editor, other)


def test_an_owner_touches_no_superuser() -> None:
    assert_untouched(staff("owner"), make_user(is_staff=True, is_superuser=True))


def assert_untouched(editor: User, other: User) -> None:
    """Neither edited, nor given a password, nor deleted, on its own page or from the list."""
    before = User.objects.filter(pk=other.pk).values().get(), rights(other)
    browser = browser_of(editor)
    assert save(editor, other) == 403
    secret = {"password1": "hen-bee-owl-42", "password2": "hen-bee-owl-42"}
    page = reverse("admin:auth_user_password_change", args=[other.pk])
    assert browser.post(page, secret).status_code == 403
    page = reverse("admin:accounts_user_delete", args=[other.pk])
    assert browser.post(page, {"post": "yes"}).status_code == 403
    ticked = {"action": "delete_selected", "_selected_action": [other.pk], "post": "yes"}
    assert browser.post(USERS, ticked).status_code == 403
    after = User.objects.filter(pk=other.pk).values().get(), rights(other)
    # Whoever looks at it has not touched it, but has been here.
    for user, _rights in (before, after):
        user.pop("last_login")
    assert after == before


@pytest.mark.parametrize("role", ["operator", "warehouse", "finance", "read-only"])
def test_nobody_below_an_owner_decides_who_may_do_what(role: str) -> None:
    user = staff(role)
    group = Group.objects.get(name=role)
    before = set(group.permissions.all())
    browser = browser_of(user)

    assert save(user, user) == 403
    for name in ("change", "delete"):
        page = reverse(f"admin:auth_group_{name}", args=[group.pk])
        form = {"name": role, "permissions": [Permission.objects.get(codename="add_user").pk]}
        assert browser.post(page, form | {"post": "yes"}).status_code == 403

    assert rights(user) == (True, False, [role], 0)
    assert set(Group.objects.get(name=role).permissions.all()) == before


def test_roles_are_called_by_their_names_in_the_operators_language(settings: Settings) -> None:
    owner = browser_of(staff("owner"))
    page = owner.get(reverse("admin:accounts_user_change", args=[make_user().pk]))
    listed = owner.get(reverse("admin:auth_group_changelist")).content.decode()
    choices = [str(label) for _, label in page.context["adminform"].form.fields["groups"].choices]
    assert choices == ["finance", "operator", "owner", "read-only", "warehouse"]
    assert "Counts the stock and sends the parcels." in listed
