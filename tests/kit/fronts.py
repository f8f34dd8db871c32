"""Requests as a socket brings them, to the front door and to the application behind it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults

import jwt
from django.conf import settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from shop.accounts.models import User
from shop.api.wsgi import Handler


class Long:
    """The application behind the door; counts what got that far."""

    def __init__(self) -> None:
        self.asked = 0
        self._handler = Handler()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.asked += 1
        return self._handler(environ, start_response)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: Any


def token(user: User) -> str:
    return str(AccessToken.for_user(user))


def bad_tokens() -> dict[str, Callable[[User], str]]:
    """What is no token of a user's, by what is wrong with it."""

    def expired(user: User) -> str:
        made = AccessToken.for_user(user)
        made.set_exp(lifetime=timedelta(seconds=-1))
        return str(made)

    def of_another_audience(user: User) -> str:
        claims = {**AccessToken.for_user(user).payload, "iss": "scarce", "aud": "elsewhere"}
        return jwt.encode(claims, settings.SECRET_KEY, algorithm="HS256")

    def flipped(user: User) -> str:
        text = token(user)
        return text[:-3] + ("A" if text[-3] != "A" else "B") + text[-2:]

    return {
        "expired": expired,
        "a refresh token": lambda user: str(RefreshToken.for_user(user)),
        "another audience": of_another_audience,
        "a flipped signature": flipped,
        "nothing": lambda user: "",
        "two parts": lambda user: token(user).rpartition(".")[0],
    }


def ask(
    application: Any,
    path: str,
    *,
    bearer: str,
    body: bytes | dict[str, Any],
    key: str | None = "key-1",
    **environ: str,
) -> Reply:
    """Posts a body to the application; `environ`: what else the request has, or has otherwise."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    defaults: dict[str, Any] = {}
    setup_testing_defaults(defaults)
    defaults |= {
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "198.51.100.7",
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(text)),
        "HTTP_AUTHORIZATION": f"Bearer {bearer}",
        "HTTP_ACCEPT_LANGUAGE": "en",
        "wsgi.input": BytesIO(text),
        **environ,
    }
    if key is not None:
        defaults["HTTP_IDEMPOTENCY_KEY"] = key
    seen: list[Any] = []
    chunks = application(defaults, lambda status, headers, *rest: seen.append((status, headers)))
    status, headers = seen[0]
    lowered = {name.lower(): value for name, value in headers}
    return Reply(int(status[:3]), lowered, json.loads(b"".join(chunks)))
