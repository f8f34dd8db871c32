"""A request repeated with its key is answered again, never carried out again.

The key is columns of the row that the request creates, with a unique index over (user, route, key):
no service, no time-out, nothing that could disagree with the row. `once` runs the creation; a
duplicate waits on the index for the first, and what it then finds is the answer.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.db import IntegrityError, OperationalError, models
from django.utils.translation import gettext
from rest_framework.request import Request
from rest_framework.response import Response

from shop import statements
from shop.errors import (
    IdempotencyKeyRequired,
    IdempotencyKeyReused,
    Invalid,
    Refusal,
    RequestInProgress,
)
from shop.fields import ExactCharField
from shop.transactions import LOCK_WAIT_TIMEOUT, error_number, is_duplicate

REPLAYED = {"Idempotent-Replayed": "true"}
PRINTABLE_ASCII = re.compile(r"[\x20-\x7e]{1,255}")


class Keyed(models.Model):
    """What a keyed POST creates: it carries the key, and what is needed to answer it again."""

    user: Any = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    idempotency_route = models.CharField(max_length=30, editable=False)
    idempotency_key = ExactCharField(max_length=255, editable=False)
    request_hash = models.CharField(max_length=64, editable=False)
    first_status = models.PositiveSmallIntegerField(editable=False)

    class Meta:
        abstract = True


def unique_key(name: str) -> models.UniqueConstraint:
    """The constraint that a `Keyed` model states in its Meta."""
    return models.UniqueConstraint(
        fields=["user", "idempotency_route", "idempotency_key"], name=f"{name}_idempotency_key"
    )


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Who asks, where, with which key, and the SHA-256 of path and body."""

    user_id: int
    route: str
    key: str
    request_hash: str

    @classmethod
    def of(cls, *, user_id: int, route: str, key: str, path: str, body: Any) -> "RequestKey":
        """The key of a request with this path and body."""
        # Canonical, so that a client may serialise the same body anew for its second try.
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(f"{path}\n{text}".encode()).hexdigest()
        return cls(user_id, route, key, digest)

    def columns(self) -> dict[str, Any]:
        """The `Keyed` columns of the row that this request creates, but for its first status."""
        return {
            "user_id": self.user_id,
            "idempotency_route": self.route,
            "idempotency_key": self.key,
            "request_hash": self.request_hash,
        }


def request_key(request: Request, *, route: str) -> RequestKey:
    """The key of a request of a logged-in user.

    Raises IdempotencyKeyRequired when the header is missing, Invalid when it is malformed.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        raise IdempotencyKeyRequired
    if not PRINTABLE_ASCII.fullmatch(key):
        raise Invalid.field("Idempotency-Key", gettext("1 to 255 printable ASCII characters."))
    return RequestKey.of(
        user_id=int(request.user.pk or 0),
        route=route,
        key=key,
        path=request.path,
        body=request.data,
    )


M = TypeVar("M", bound=Keyed)


def insert(row: models.Model) -> None:
    """Inserts a row whose request has a unique index, first thing in its transaction: duplicates of
    the request wait here.

    Raises RequestInProgress when the first of them is not done within the lock wait time (one
    second), IntegrityError when it was.
    """
    try:
        statements.insert([row])
    except OperationalError as error:
        if error_number(error) == LOCK_WAIT_TIMEOUT:
            raise RequestInProgress from error
        raise


@dataclass(frozen=True, slots=True)
class Answer(Generic[M]):
    """`row` as it is now; `replayed`: an earlier request had created it."""

    row: M
    replayed: bool


def once(key: RequestKey, rows: models.QuerySet[M], create: Callable[[RequestKey], M]) -> Answer[M]:
    """Creates a row for `key`, or finds the one that an earlier request created.

    `create` must write the row with `key.columns()` in a transaction of its own. The row is looked
    up when it is refused, for whatever reason: a repeat of a request that succeeded is not
    refused because the world has moved on since. So the usual first request pays for no look-up.

    Raises IdempotencyKeyReused when the key belongs to another request, else what `create` raised.
    """
    try:
        return Answer(create(key), replayed=False)
    except (Refusal, IntegrityError) as error:
        if isinstance(error, IntegrityError) and not is_duplicate(error):
            raise
        row = rows.filter(
            user_id=key.user_id, idempotency_route=key.route, idempotency_key=key.key
        ).first()
        if row is None:
            raise
        if row.request_hash != key.request_hash:
            raise IdempotencyKeyReused from error
        return Answer(row, replayed=True)


def keyed_response(data: Any, answer: Answer[Any]) -> Response:
    """The first status code and the resource as it is now, marked when it is a repeat."""
    headers = REPLAYED if answer.replayed else None
    return Response(data, status=answer.row.first_status, headers=headers)
