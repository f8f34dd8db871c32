"""Who asks: the access token in `Authorization: Bearer ...`, and one lean look at its user.

The algorithm, audience and issuer are pinned by settings and checked by the library; that the user
still may (CVE-2024-22513) is checked here, on every request. Whatever is wrong with a token is
`authentication_failed`; which of its parts is nobody's to know.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from django.db import connection
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, Token

from shop.accounts.models import User
from shop.api.fields import BIGINT_MAX
from shop.errors import AuthenticationFailed
from shop.statements import Select

SCHEME = "bearer"
# Ours have about 350 characters.
MAX_TOKEN_LENGTH = 2_000

# What requests look at; the rest is read when somebody asks. In the model's own order: `from_db`
# goes by it, whatever order the names are in.
FIELDS = ("id", "username", "is_active", "nickname")
_active_user = Select(
    lambda pk: User.objects.filter(pk=pk, is_active=True).order_by().values_list(*FIELDS)
)

T = TypeVar("T", bound=Token)


def verified(kind: type[T], text: str) -> T:
    """The token that `text` is, with a user's id in it.

    Raises AuthenticationFailed for anything but a valid `kind`.
    """
    if len(text) > MAX_TOKEN_LENGTH:
        raise AuthenticationFailed
    try:
        token = kind(text)
        if not 0 < int(token["user_id"]) <= BIGINT_MAX:
            raise AuthenticationFailed
        return token
    # A token's header is parsed before its signature is: what the library does not expect there
    # (depth, types, bytes) is the sender's fault too.
    except (
        TokenError,
        ArithmeticError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise AuthenticationFailed from error


def active_user(token: Token) -> User:
    """The user that a verified token names. Raises AuthenticationFailed when disabled or gone."""
    row = _active_user.row(int(token["user_id"]))
    if row is None:
        raise AuthenticationFailed
    return User.from_db(connection.alias, FIELDS, row)


def bearer(environ: Mapping[str, Any]) -> str | None:
    """What follows "Bearer" in the Authorization header; None without it or with another scheme."""
    scheme, _, credentials = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return credentials.strip() if scheme.lower() == SCHEME else None


class AccessTokenAuthentication(BaseAuthentication):
    """REST framework's view of the above. No header, or another scheme, is nobody."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        credentials = bearer(request.META)
        if credentials is None:
            return None
        token = verified(AccessToken, credentials)
        return active_user(token), token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class TrustedTokenAuthentication(AccessTokenAuthentication):
    """For what is too hot to look at its user: the token alone, which lives for minutes, says who
    asks. Whoever settles what was asked for looks whether the user still may."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        credentials = bearer(request.META)
        if credentials is None:
            return None
        token = verified(AccessToken, credentials)
        return User(pk=int(token["user_id"])), token
