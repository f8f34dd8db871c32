"""Windows that count exactly, however the attempts come."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.test import Client, RequestFactory
from django.utils import timezone
from rest_framework.test import APIClient

from shop.accounts import rates
from shop.accounts.models import RateWindow, User
from shop.errors import RateLimited
from tests.accounts.conftest import PASSWORD
from tests.conftest import JSONClient
from tests.factories import make_user
from tests.kit.barrier import race

WRONG = "wrong horse"


@pytest.fixture(autouse=True)
def _time_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for what `age` does: how slow this machine is tells on no window."""
    now = timezone.now()
    monkeypatch.setattr(rates, "timezone", SimpleNamespace(now=lambda: now))


LOGIN, REGISTER = "/api/v1/auth/login", "/api/v1/auth/register"


def log_in(api: APIClient, username: str = "shopper", password: str = WRONG, **meta: Any) -> Any:
    return api.post(LOGIN, {"username": username, "password": password}, **meta)


def age(seconds: int) -> None:
    """Makes every window that many seconds older."""
    for window in RateWindow.objects.all():
        window.started_at -= timedelta(seconds=seconds)
        window.save()


@pytest.mark.django_db
def test_a_window_allows_its_limit_and_then_says_how_long_to_wait() -> None:
    for _ in range(3):
        rates.hit("test", "somebody", limit=3, seconds=60)
    with pytest.raises(RateLimited) as refusal:
        rates.hit("test", "somebody", limit=3, seconds=60)
    assert refusal.value.retry_after == 60
    rates.hit("test", "somebody else", limit=3, seconds=60)
    rates.hit("another test", "somebody", limit=3, seconds=60)


@pytest.mark.django_db
def test_a_window_begins_anew_when_it_is_over_and_not_before() -> None:
    rates.hit("test", "somebody", limit=1, seconds=60)
    age(50)
    with pytest.raises(RateLimited) as refusal:
        rates.hit("test", "somebody", limit=1, seconds=60)
    assert refusal.value.retry_after == 10
    age(10)
    rates.hit("test", "somebody", limit=1, seconds=60)
    assert RateWindow.objects.get().hits == 1


@pytest.mark.django_db
def test_nobody_can_read_who_tried() -> None:
    rates.hit("test", "10.0.0.1 alice", limit=1, seconds=60)
    subject = RateWindow.objects.get().subject
    assert len(subject) == 64
    assert "alice" not in subject


@pytest.mark.usefixtures("threads")
def test_a_burst_of_fifty_gets_exactly_the_limit() -> None:
    outcomes = race([lambda: rates.hit("test", "somebody", limit=7, seconds=60)] * 50)
    errors = [outcome.error for outcome in outcomes]
    assert errors.count(None) == 7
    assert {type(error) for error in errors if error} == {RateLimited}
    assert RateWindow.objects.get().hits == 7


@pytest.mark.usefixtures("threads")
def test_of_fifty_parallel_guesses_ten_are_looked_at() -> None:
    make_user("shopper")
    statuses = [
        outcome.result().status_code for outcome in race([lambda: log_in(JSONClient())] * 50)
    ]
    assert (statuses.count(401), statuses.count(429)) == (10, 40)


def test_beyond_the_limit_even_the_right_password_waits(api: APIClient, shopper: User) -> None:
    for _ in range(10):
        assert log_in(api).status_code == 401
    answer = log_in(api, password=PASSWORD)
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert answer.json()["retry_after"] == int(answer["Retry-After"]) == 300
    age(300)
    assert log_in(api, password=PASSWORD).status_code == 200


def test_logging_in_forgives_the_names_guesses_but_not_the_addresss(
    api: APIClient, shopper: User
) -> None:
    for _ in range(3):
        for _ in range(9):
            assert log_in(api).status_code == 401
        assert log_in(api, password=PASSWORD).status_code == 200
    assert [(row.scope, row.hits) for row in RateWindow.objects.all()] == [("login.address", 30)]


def test_the_owner_elsewhere_is_not_locked_out(api: APIClient, shopper: User) -> None:
    for _ in range(11):
        log_in(api, REMOTE_ADDR="10.0.0.1")
    assert log_in(api, password=PASSWORD, REMOTE_ADDR="10.0.0.1").status_code == 429
    assert log_in(api, password=PASSWORD, REMOTE_ADDR="10.0.0.2").status_code == 200


def test_one_address_cannot_try_every_name(api: APIClient, settings: Any, shopper: User) -> None:
    settings.LOGIN_RATE_PER_ADDRESS = (5, 300)
    statuses = [log_in(api, username=f"name{n}").status_code for n in range(7)]
    assert statuses == [401] * 5 + [429] * 2
    assert log_in(api, password=PASSWORD).status_code == 429


@pytest.mark.parametrize("spelling", ["shopper", "Shopper", "SHOPPER", "shopper ", "ｓhopper"])
def test_no_spelling_of_a_name_gets_past_its_window(
    api: APIClient, shopper: User, spelling: str
) -> None:
    for _ in range(10):
        log_in(api)
    assert log_in(api, username=spelling, password=PASSWORD).status_code in (401, 429)


@pytest.mark.parametrize("proxies", [0, 1, 2])
def test_inventing_forwarded_addresses_does_not_help(
    api: APIClient, settings: Any, shopper: User, proxies: int
) -> None:
    settings.TRUSTED_PROXIES = proxies
    seen = ", ".join(["203.0.113.9", "10.0.0.1"][:proxies])  # what the proxies append
    statuses = [
        log_in(api, headers={"X-Forwarded-For": f"198.51.100.{n}, {seen}"}).status_code
        for n in range(12)
    ]
    assert statuses == [401] * 10 + [429] * 2


@pytest.mark.parametrize(
    ("proxies", "socket", "forwarded", "address"),
    [
        (0, "192.0.2.1", "198.51.100.1", "192.0.2.1"),
        (1, "10.0.0.1", "198.51.100.1", "198.51.100.1"),
        (1, "10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        (2, "10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        (2, "10.0.0.1", "198.51.100.1", "198.51.100.1"),
        (1, "10.0.0.1", "", "10.0.0.1"),
        (1, "10.0.0.1", "unknown", "10.0.0.1"),
        (1, "10.0.0.1", "\0" * 9, "10.0.0.1"),
        (0, "2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::"),
        (0, "2001:db8:1:2:ffff::1", "", "2001:db8:1:2::"),
        (0, "::ffff:192.0.2.1", "", "192.0.2.1"),
        (0, "", "", ""),
    ],
)
def test_who_the_client_is(
    settings: Any, proxies: int, socket: str, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR=socket, HTTP_X_FORWARDED_FOR=forwarded)
    assert rates.client_address(request) == address


@pytest.mark.django_db
def test_registrations_are_counted_by_address(api: APIClient, settings: Any) -> None:
    settings.REGISTER_RATE_PER_ADDRESS = (2, 3600)
    answers = [api.post(REGISTER, {"username": f"name{n}", "password": PASSWORD}) for n in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert User.objects.count() == 2


def admin_login(client: Client, password: str) -> Any:
    return client.post("/admin/login/", {"username": "operator", "password": password})


def test_the_admins_form_is_guarded_by_the_same_windows(db: None) -> None:
    User.objects.create_superuser("operator", password=PASSWORD)
    client = Client()
    for _ in range(10):
        assert admin_login(client, "wrong").status_code == 200
    refused = admin_login(client, PASSWORD)
    assert refused.status_code == 200
    assert refused.context["form"].non_field_errors()
    assert "_auth_user_id" not in client.session
    assert log_in(JSONClient(), username="operator", password=PASSWORD).status_code == 429
    age(300)
    assert admin_login(client, PASSWORD).status_code == 302


def test_code_of_ours_is_not_counted(shopper: User) -> None:
    assert authenticate(username="shopper", password=PASSWORD) == shopper
    assert RateWindow.objects.count() == 0


@pytest.mark.django_db
def test_old_windows_are_forgotten_and_new_ones_kept() -> None:
    rates.hit("test", "old", limit=1, seconds=60)
    RateWindow.objects.update(started_at=timezone.now() - rates.LONGEST - timedelta(seconds=1))
    rates.hit("test", "new", limit=1, seconds=60)
    assert rates.forget_old() == 1
    with pytest.raises(RateLimited):
        rates.hit("test", "new", limit=1, seconds=60)
