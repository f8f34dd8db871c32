"""Registering, logging in, and refresh tokens that are good for one use."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from shop.accounts.models import User
from tests.accounts.conftest import PASSWORD
from tests.conftest import JSONClient
from tests.factories import make_user
from tests.kit.barrier import race

REGISTER, LOGIN, REFRESH = "/api/v1/auth/register", "/api/v1/auth/login", "/api/v1/auth/refresh"


@pytest.mark.django_db
def test_who_registers_is_logged_in(api: APIClient) -> None:
    answer = api.post(REGISTER, {"username": " 李雷 ", "password": PASSWORD})
    user = User.objects.get()
    assert answer.status_code == 201
    assert answer.json()["user"] == {"id": user.pk, "username": "李雷", "nickname": ""}
    assert user.check_password(PASSWORD)
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access']}")
    assert api.get("/api/v1/me").json()["id"] == user.pk


@pytest.mark.django_db
def test_nobody_registers_as_an_operator(api: APIClient) -> None:
    body = {"username": "eve", "password": PASSWORD, "is_staff": True, "is_superuser": True}
    answer = api.post(REGISTER, body | {"id": 1_000_000, "nickname": "boss", "is_active": False})
    user = User.objects.get()
    assert answer.status_code == 201
    assert (user.is_staff, user.is_superuser, user.is_active, user.nickname) == (
        False,
        False,
        True,
        "",
    )
    assert user.pk != 1_000_000


@pytest.mark.parametrize("again", ["Alice", "alice", "ALICE", "Ａlice"])
def test_a_name_is_taken_in_any_case(api: APIClient, db: None, again: str) -> None:
    make_user("Alice")
    answer = api.post(
        REGISTER,
        {"username": again, "password": PASSWORD},
        headers={"Accept-Language": "en"},
    )
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {"field": "username", "code": "unique", "message": "This user name is taken."}
    ]
    assert User.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("username", "password", "errors"),
    [
        ("bob", "zqv1x", [("password", "password_too_short")]),
        ("bob", "90817263544", [("password", "password_entirely_numeric")]),
        (
            "bob",
            "1234567",
            [
                ("password", "password_too_short"),
                ("password", "password_too_common"),
                ("password", "password_entirely_numeric"),
            ],
        ),
        ("bobby-tables", "bobby-tables", [("password", "password_too_similar")]),
        ("bob", "x" * 129, [("password", "max_length")]),
        ("b b", PASSWORD, [("username", "invalid")]),
        ("b" * 151, PASSWORD, [("username", "max_length")]),
        ("ﷺ" * 150, PASSWORD, [("username", "max_length"), ("username", "invalid")]),
        ("", "", [("username", "blank"), ("password", "blank")]),
        (7, True, [("username", "invalid"), ("password", "invalid")]),
        (None, ["a"], [("username", "null"), ("password", "invalid")]),
    ],
)
def test_a_fault_in_a_name_or_password_names_its_field(
    api: APIClient, username: object, password: object, errors: list[tuple[str, str]]
) -> None:
    answer = api.post(REGISTER, {"username": username, "password": password})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    found = [(error["field"], error["code"]) for error in answer.json()["errors"]]
    assert sorted(found) == sorted(errors)
    assert User.objects.count() == 0


def test_logging_in(api: APIClient, shopper: User) -> None:
    User.objects.update(nickname="小李")
    answer = api.post(LOGIN, {"username": "shopper", "password": PASSWORD})
    assert answer.status_code == 200
    assert set(answer.json()) == {"access", "refresh", "user"}
    assert answer.json()["user"] == {"id": shopper.pk, "username": "shopper", "nickname": "小李"}


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("shopper", "wrong horse"),
        ("shopper", PASSWORD + " "),
        ("nobody", PASSWORD),
        ("Shopper", PASSWORD),
        ("shopper\u0301", PASSWORD),
    ],
)
def test_a_wrong_name_and_a_wrong_password_are_told_alike(
    api: APIClient, shopper: User, username: str, password: str
) -> None:
    answer = api.post(LOGIN, {"username": username, "password": password})
    assert (answer.status_code, answer.json()["code"]) == (401, "authentication_failed")
    assert "WWW-Authenticate" in answer


def test_a_disabled_user_does_not_log_in(api: APIClient, shopper: User) -> None:
    User.objects.update(is_active=False)
    answer = api.post(LOGIN, {"username": "shopper", "password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (401, "authentication_failed")


def test_an_expired_access_token_does_not_stand_in_the_way(api: APIClient, shopper: User) -> None:
    api.credentials(HTTP_AUTHORIZATION="Bearer expired")
    answer = api.post(LOGIN, {"username": "shopper", "password": PASSWORD})
    assert answer.status_code == 200


def refreshed(api: APIClient, token: object) -> tuple[int, dict[str, str]]:
    answer = api.post(REFRESH, {"refresh": str(token)})
    return answer.status_code, answer.json()


def new_refresh(user: User) -> str:
    token = RefreshToken()
    token["user_id"] = str(user.pk)
    return str(token)


def test_a_refresh_token_is_good_for_one_use_and_so_is_its_successor(
    api: APIClient, shopper: User
) -> None:
    first = new_refresh(shopper)
    status, pair = refreshed(api, first)
    assert (status, set(pair)) == (200, {"access", "refresh"})
    assert AccessToken(pair["access"])["user_id"] == str(shopper.pk)
    status, problem = refreshed(api, first)
    assert (status, problem["code"]) == (401, "authentication_failed")
    status, _ = refreshed(api, pair["refresh"])
    assert status == 200
    assert refreshed(api, pair["refresh"])[0] == 401


def test_a_used_token_leaves_its_id_behind_and_not_itself(api: APIClient, shopper: User) -> None:
    token = new_refresh(shopper)
    assert OutstandingToken.objects.count() == 0
    refreshed(api, token)
    used = OutstandingToken.objects.get()
    assert (used.jti, used.token) == (RefreshToken(token, verify=False)["jti"], "")


def test_a_disabled_user_gets_no_new_tokens_and_loses_none(api: APIClient, shopper: User) -> None:
    token = new_refresh(shopper)
    User.objects.update(is_active=False)
    assert refreshed(api, token)[0] == 401
    User.objects.update(is_active=True)
    assert refreshed(api, token)[0] == 200


def test_only_a_refresh_token_refreshes(api: APIClient, shopper: User) -> None:
    for token in (AccessToken.for_user(shopper), "", "x", "a.b.c", "x" * 100_000):
        status, problem = refreshed(api, token)
        assert status == (400 if token == "" else 401)
        assert problem["code"] == ("invalid" if token == "" else "authentication_failed")


def at_once(runners: list[Callable[[], int]]) -> list[int]:
    return sorted(outcome.result() for outcome in race(runners))


@pytest.mark.usefixtures("threads")
def test_of_parallel_uses_of_a_refresh_token_one_wins() -> None:
    token = new_refresh(make_user())
    statuses = at_once([lambda: refreshed(JSONClient(), token)[0]] * 10)
    assert statuses == [200] + [401] * 9
    assert OutstandingToken.objects.count() == 1


@pytest.mark.usefixtures("threads")
def test_of_parallel_registrations_of_a_name_one_wins() -> None:
    def register(name: str) -> int:
        answer = JSONClient().post(REGISTER, {"username": name, "password": PASSWORD})
        if answer.status_code == 400:
            assert answer.json()["errors"][0]["field"] == "username"
        return answer.status_code

    names = ["Alice", "alice"] * 5
    statuses = at_once([lambda name=name: register(name) for name in names])
    assert statuses == [201] + [400] * 9
    assert User.objects.filter(username__iexact="alice").count() == 1
