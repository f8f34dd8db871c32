"""Who asks: the access token in `Authorization: Bearer ...`, and one lean look at its user.

The algorithm, audience and issuer are pinned by settings and checked by the library; that the user
still may (CVE-2024-22513) is checked here, on every request. Whatever is wrong with a token is
`authentication_failed`; which of its parts is nobody's to know.
"""

import hmac
import json
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, TypeVar

from django.db import connection
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings as jwt_settings
from rest_framework_simplejwt.tokens import AccessToken, Token

from shop.accounts.models import User
from shop.api.fields import BIGINT_MAX
from shop.errors import AuthenticationFailed
from shop.statements import Select

SCHEME = "bearer"
# Ours have about 350 characters.
MAX_TOKEN_LENGTH = 2_000
# What is in every access token that this shop issues; its header is {"alg":"HS256","typ":"JWT"}.
CLAIMS = {"token_type", "exp", "iat", "jti", "user_id", "aud", "iss"}
LAST_SECOND = 253_402_300_800  # the year 10000
USER_ID = re.compile("[1-9][0-9]{0,17}")
HEADER = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

# What requests look at; the rest is read when somebody asks. In the model's own order: `from_db`
# goes by it, whatever order the names are in.
FIELDS = ("id", "username", "is_active", "nickname", "phone")
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


def access_user_id(text: str) -> int | None:
    """The user of a good access token; None for anything else.

    What this shop issues is recognised by its own header, its signature (HMAC-SHA256, RFC 7515) and
    its claims, at a tenth of what the library needs; whatever looks different is the library's to
    judge.
    """
    user_id = _issued_to(text)
    if user_id is not None:
        return user_id
    try:
        return int(verified(AccessToken, text)["user_id"])
    except AuthenticationFailed:
        return None


def _issued_to(text: str) -> int | None:
    head, _, rest = text.partition(".")
    payload, _, signature = rest.partition(".")
    if head != HEADER or len(text) > MAX_TOKEN_LENGTH or not text.isascii():
        return None
    key = str(jwt_settings.SIGNING_KEY).encode()
    digest = hmac.digest(key, f"{head}.{payload}".encode(), "sha256")
    if not hmac.compare_digest(_base64(digest), signature):
        return None
    # Signed by us, so it is JSON with the claims that we write.
    claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    good = (
        isinstance(claims, dict)
        and claims.keys() == CLAIMS
        and claims["token_type"] == AccessToken.token_type
        and claims["aud"] == jwt_settings.AUDIENCE
        and claims["iss"] == jwt_settings.ISSUER
        and isinstance(claims["exp"], int)
        and time.time() < claims["exp"] < LAST_SECOND
        and USER_ID.fullmatch(str(claims["user_id"]))
    )
    return int(claims["user_id"]) if good else None


def _base64(data: bytes) -> str:
    """As RFC 7515 has it: for addresses, without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def active_user(user_id: int) -> User:
    """The user of that id. Raises AuthenticationFailed when disabled or gone."""
    row = _active_user.row(user_id)
    if row is None:
        raise AuthenticationFailed
    return User.from_db(connection.alias, FIELDS, row)


def bearer(environ: Mapping[str, Any]) -> str | None:
    """What follows "Bearer" in the Authorization header; None without it or with another scheme."""
    scheme, _, credentials = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return credentials.strip() if scheme.lower() == SCHEME else None


class AccessTokenAuthentication(BaseAuthentication):
    """REST framework's view of the above. No header, or another scheme, is nobody."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        credentials = bearer(request.META)
        if credentials is None:
            return None
        user_id = access_user_id(credentials)
        if user_id is None:
            raise AuthenticationFailed
        return self.user(user_id), None

    def user(self, user_id: int) -> User:
        """The user that a good token names. Raises AuthenticationFailed."""
        return active_user(user_id)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class TrustedTokenAuthentication(AccessTokenAuthentication):
    """For what is too hot to look at its user: the token alone, which lives for minutes, says who
    asks. Whoever settles what was asked for looks whether the user still may."""

    def user(self, user_id: int) -> User:
        return User(pk=user_id)
