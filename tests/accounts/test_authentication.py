"""Tokens that are not what they should be."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from django.conf import settings
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from shop.accounts.authentication import active_user
from shop.accounts.models import User


def claims(user: User, **changes: Any) -> dict[str, Any]:
    """The claims of a good access token of `user`, changed; None removes one."""
    now = int(time.time())
    good = {
        "token_type": "access",
        "exp": now + 600,
        "iat": now,
        "jti": "0" * 32,
        "user_id": str(user.pk),
        "aud": "scarce-api",
        "iss": "scarce",
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def signed(payload: dict[str, Any], *, key: str = "", algorithm: str = "HS256") -> str:
    return jwt.encode(payload, key or settings.SECRET_KEY, algorithm=algorithm)


def raw(header: bytes, payload: bytes) -> str:
    return ".".join(
        base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (header, payload, b"x")
    )


FORGERIES: dict[str, Callable[[User], str]] = {
    "no algorithm": lambda user: jwt.encode(claims(user), "", algorithm="none"),
    "another key": lambda user: signed(claims(user), key="k" * 64),
    "another algorithm": lambda user: signed(claims(user), algorithm="HS512"),
    "expired": lambda user: signed(claims(user, exp=int(time.time()) - 1)),
    "no expiry": lambda user: signed(claims(user, exp=None)),
    "an endless expiry": lambda user: signed(claims(user, exp=10**40)),
    "another audience": lambda user: signed(claims(user, aud="another-api")),
    "no audience": lambda user: signed(claims(user, aud=None)),
    "another issuer": lambda user: signed(claims(user, iss="somebody")),
    "no issuer": lambda user: signed(claims(user, iss=None)),
    "no id": lambda user: signed(claims(user, jti=None)),
    "no type": lambda user: signed(claims(user, token_type=None)),
    "no user": lambda user: signed(claims(user, user_id=None)),
    "a user who is none": lambda user: signed(claims(user, user_id="0")),
    "a user who is no number": lambda user: signed(claims(user, user_id="me")),
    "a user beyond the database": lambda user: signed(claims(user, user_id="9" * 40)),
    "a refresh token": lambda user: str(RefreshToken.for_user(user)),
    "a header that is no object": lambda user: raw(b"[]", b"{}"),
    "a header of depth 1,000": lambda user: raw(b'{"a":' * 200 + b"[" * 800, b"{}"),
    "a header with a wrong type": lambda user: raw(b'{"alg": 1, "typ": {}}', b"{}"),
    "an unknown critical header": lambda user: raw(b'{"alg": "HS256", "crit": ["x"]}', b"{}"),
    "a detached payload": lambda user: raw(b'{"alg": "HS256", "b64": false}', b"{}"),
    "a million characters": lambda user: "x" * 1_000_000,
    "two dots": lambda user: "..",
    "nothing": lambda user: "",
    "two tokens": lambda user: f"{AccessToken.for_user(user)} {AccessToken.for_user(user)}",
    "not ASCII": lambda user: "t\xf6ken",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_token_that_is_not_ours_is_401(api: APIClient, shopper: User, name: str) -> None:
    answer = api.get("/api/v1/me", headers={"Authorization": f"Bearer {FORGERIES[name](shopper)}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "authentication_failed")
    assert answer["WWW-Authenticate"] == 'Bearer realm="scarce"'


def test_the_claims_that_forgeries_change_are_good_otherwise(api: APIClient, shopper: User) -> None:
    answer = api.get("/api/v1/me", headers={"Authorization": f"Bearer {signed(claims(shopper))}"})
    assert (answer.status_code, answer.json()["id"]) == (200, shopper.pk)


def test_a_payload_that_is_no_object_is_401(api: APIClient) -> None:
    header = {"alg": "HS256", "typ": "JWT"}
    token = jwt.PyJWS().encode(b"[1]", settings.SECRET_KEY, algorithm="HS256", headers=header)
    answer = api.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "authentication_failed")
    assert json.loads(answer.content)["status"] == 401


@pytest.mark.parametrize("header", [None, "", "Basic c2hvcHBlcjpwYXNz", "Token abc", "Bearer"])
def test_no_token_at_all_is_401_by_another_name(api: APIClient, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = api.get("/api/v1/me", headers=headers)
    assert answer.status_code == 401
    expected = "authentication_failed" if header == "Bearer" else "not_authenticated"
    assert answer.json()["code"] == expected


def test_a_disabled_user_is_401_with_a_token_from_before(
    login: Callable[[User], APIClient], shopper: User
) -> None:
    client = login(shopper)
    assert client.get("/api/v1/me").status_code == 200
    User.objects.filter(pk=shopper.pk).update(is_active=False)
    answer = client.get("/api/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (401, "authentication_failed")


def test_a_deleted_user_is_401(login: Callable[[User], APIClient], shopper: User) -> None:
    client = login(shopper)
    shopper.delete()
    assert client.get("/api/v1/me").status_code == 401


def test_who_is_logged_in_costs_one_query(
    login: Callable[[User], APIClient], shopper: User, django_assert_num_queries: Any
) -> None:
    client = login(shopper)
    User.objects.update(nickname="小李")
    with django_assert_num_queries(1):
        answer = client.get("/api/v1/me")
    assert answer.json() == {
        "id": shopper.pk,
        "username": "shopper",
        "nickname": "小李",
        "phone": None,
    }


def test_what_was_not_read_of_the_user_is_read_when_asked_for(shopper: User) -> None:
    user = active_user(shopper.pk)
    columns = [field.attname for field in User._meta.concrete_fields]
    assert [getattr(user, name) for name in columns] == [
        getattr(User.objects.get(), name) for name in columns
    ]


def test_the_scheme_is_spelled_in_any_case(api: APIClient, shopper: User) -> None:
    token = AccessToken.for_user(shopper)
    for scheme in ("bearer", "BEARER"):
        answer = api.get("/api/v1/me", headers={"Authorization": f"{scheme} {token}"})
        assert answer.status_code == 200
