"""Process memory of sales that are sold out or over: the flood of losers costs neither Redis nor
the database, nor most of the framework.

It stands in front of the application (`shop.wsgi`) and answers a POST to a sale's orders by itself
when, and only when, this process was told less than a second ago that nothing is left, the access
token is good, the key is well formed, and the shopper has never had an order of this sale. All
others go on: whoever has one may be repeating it, and a winner's repeat is never refused.
"""

import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language_from_request, override
from rest_framework_simplejwt.tokens import AccessToken

from orders.models import Order
from shop.accounts.authentication import bearer, verified
from shop.api import problems
from shop.api.idempotency import PRINTABLE_ASCII
from shop.errors import AuthenticationFailed, Ended, Refusal, SoldOut
from shop.ops.metrics import REQUESTS
from shop.ops.request_id import HEADER, request_id_of

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

PATH = re.compile(r"/api/v1/flash-sales/([1-9][0-9]{0,18})/orders")
# Seconds that a refusal is remembered. A shopper repeats a lost request after one at least, so an
# order that was stored meanwhile elsewhere is known by then.
LIFE_SECONDS = 0.8
# An order's id is given before it is committed; none takes longer than this (seconds) in between.
COMMIT_SECONDS = 10.0
# Sales remembered at once.
MOST_SALES = 100


@dataclass(slots=True)
class _Holders:
    """The users who have orders of a sale; each look reads only what is new since the last ones."""

    users: set[int] = field(default_factory=set)
    # When an id was the highest seen.
    _looks: deque[tuple[float, int]] = field(default_factory=lambda: deque([(0.0, 0)]))

    def look(self, sale_id: int) -> None:
        now = time.monotonic()
        while len(self._looks) > 1 and self._looks[1][0] < now - COMMIT_SECONDS:
            self._looks.popleft()
        floor = self._looks[0][1]
        highest = self._looks[-1][1]
        new = Order.objects.filter(sale_id=sale_id, pk__gt=floor).order_by()
        for pk, user_id in new.values_list("pk", "user_id").iterator():
            self.users.add(user_id)
            highest = max(highest, pk)
        self._looks.append((now, highest))


@dataclass(frozen=True, slots=True)
class _Over:
    """Until when (monotonic) which answer stands, by language, and for whom it does not."""

    until: float
    bodies: Mapping[str, bytes]
    holders: set[int]


_over: dict[int, _Over] = {}
_holders: dict[int, _Holders] = {}


def remember(sale_id: int, refusal: Refusal) -> None:
    """Notes what a gate, or the database, has just said of a sale, if that says it of everybody."""
    if not isinstance(refusal, SoldOut | Ended):
        return
    if sale_id not in _holders and len(_holders) >= MOST_SALES:
        forget()
    holders = _holders.setdefault(sale_id, _Holders())
    holders.look(sale_id)
    _over[sale_id] = _Over(time.monotonic() + LIFE_SECONDS, _bodies(refusal), holders.users)


def forget() -> None:
    """Remembers nothing."""
    _over.clear()
    _holders.clear()


def _bodies(refusal: Refusal) -> dict[str, bytes]:
    bodies = {}
    for language, _ in settings.LANGUAGES:
        with override(language):
            document = problems.body(refusal)
            bodies[language] = json.dumps(document, ensure_ascii=False).encode()
    return bodies


class Shield:
    """A WSGI application in front of `application`."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if _over and environ["REQUEST_METHOD"] == "POST":
            started = time.perf_counter()
            body = _answer(environ)
            if body is not None:
                headers = [
                    ("Content-Type", problems.MEDIA_TYPE),
                    ("Content-Length", str(len(body))),
                    ("X-Content-Type-Options", "nosniff"),
                    (HEADER, request_id_of(environ)),
                ]
                start_response("409 Conflict", headers)
                REQUESTS.labels("sale-orders", "POST", SoldOut.status).observe(
                    time.perf_counter() - started
                )
                return [body]
        return self._application(environ, start_response)


def _answer(environ: Mapping[str, Any]) -> bytes | None:
    """The body of a refusal, or None: the application must look."""
    match = PATH.fullmatch(environ["PATH_INFO"])
    over = _over.get(int(match[1])) if match else None
    if over is None or time.monotonic() > over.until:
        return None
    if not PRINTABLE_ASCII.fullmatch(environ.get("HTTP_IDEMPOTENCY_KEY", "")):
        return None
    credentials = bearer(environ)
    if credentials is None:
        return None
    try:
        user_id = int(verified(AccessToken, credentials)["user_id"])
    except AuthenticationFailed:
        return None
    return None if user_id in over.holders else over.bodies[_language(environ)]


def _language(environ: Mapping[str, Any]) -> str:
    request = HttpRequest()
    request.META = dict(environ)
    return get_language_from_request(request)
