"""How long an operator is logged in, and what ends it."""

import pytest
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from shop.accounts.models import User
from shop.backoffice.seeding import roles_seed
from tests.factories import make_user

pytestmark = pytest.mark.django_db

LOGIN = reverse("admin:login")
ORDERS = reverse("admin:orders_order_changelist")


@pytest.fixture
def clerk() -> User:
    roles_seed()
    user = make_user("clerk", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    return user


@pytest.fixture
def browser(clerk: User) -> Client:
    """Logged in by the form, as people are."""
    browser = Client()
    answer = browser.post(LOGIN, {"username": "clerk", "password": "correct horse"})
    assert answer.status_code == 302
    return browser


def lets_in(browser: Client) -> bool:
    return browser.get(ORDERS, {"no__such": "1"}).url.startswith(ORDERS)


def test_a_log_in_lasts_a_shift_and_its_cookie_is_nobody_elses_to_read(
    browser: Client, settings: Settings
) -> None:
    cookie = browser.cookies[settings.SESSION_COOKIE_NAME]
    assert cookie["max-age"] == 12 * 3600
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert lets_in(browser)
    # What the shop itself keeps ends with it, whatever the browser says.
    stored = Session.objects.get()
    Session.objects.update(expire_date=stored.expire_date.replace(year=2020))
    assert not lets_in(browser)


def test_logging_out_ends_it_for_whoever_has_kept_the_cookie(
    browser: Client, settings: Settings
) -> None:
    kept = Client()
    kept.cookies = browser.cookies.copy()
    assert lets_in(kept)
    browser.post(reverse("admin:logout"))
    assert not lets_in(kept)
    assert not Session.objects.exists()


@pytest.mark.parametrize("change", ["disabled", "no operator any more", "another password"])
def test_what_is_taken_away_is_gone_at_once(browser: Client, clerk: User, change: str) -> None:
    if change == "disabled":
        clerk.is_active = False
    elif change == "no operator any more":
        clerk.is_staff = False
    else:
        clerk.set_password("battery staple")
    clerk.save()
    assert not lets_in(browser)


def test_a_role_that_is_taken_away_is_gone_at_once(browser: Client, clerk: User) -> None:
    clerk.groups.clear()
    assert browser.get(ORDERS).status_code == 403
