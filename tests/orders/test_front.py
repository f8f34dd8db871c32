"""Both ways to a flash sale's orders, past the framework and through it: one contract."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults

import jwt
import pytest
from django.conf import settings
from django.core.signals import request_started
from django.db import close_old_connections, connection
from django.test.utils import CaptureQueriesContext
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from goods.sales.models import FlashSale, Protection
from orders import shield
from orders.front import SaleDoor
from orders.models import Order
from shop.accounts.models import User
from shop.api import front
from shop.api.wsgi import Handler
from shop.errors import SoldOut
from shop.pools.drain import drain
from shop.pools.models import Placement
from tests.factories import make_address, make_sale, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def as_in_a_request(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As Django's own test client does: the test's connection stays open. Nothing is remembered."""
    request_started.disconnect(close_old_connections)
    monkeypatch.setattr(front, "refresh_connection", lambda: None)
    shield.forget()
    yield
    shield.forget()
    request_started.connect(close_old_connections)


class Long:
    """The application behind the door; counts what got that far."""

    def __init__(self) -> None:
        self.asked = 0
        self._handler = Handler()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.asked += 1
        return self._handler(environ, start_response)


def through(application: Any) -> front.Front:
    return front.Front(application, [SaleDoor()])


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: Any


@pytest.fixture
def long() -> Long:
    return Long()


def token(user: User) -> str:
    return str(AccessToken.for_user(user))


def ask(
    application: Any,
    sale: FlashSale | int,
    *,
    bearer: str,
    key: str | None = "key-1",
    body: bytes | dict[str, Any] = b'{"count":1}',
    **environ: str,
) -> Reply:
    """Posts an order as a socket would bring it."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    sale_id = sale if isinstance(sale, int) else sale.pk
    defaults: dict[str, Any] = {}
    setup_testing_defaults(defaults)
    defaults |= {
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "198.51.100.7",
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/api/v1/flash-sales/{sale_id}/orders",
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


@pytest.mark.parametrize("placement", list(Placement))
def test_a_usual_request_is_answered_without_the_application(
    long: Long, placement: Placement
) -> None:
    user, sale = make_user(), make_sale(placement=placement)
    reply = ask(through(long), sale, bearer=token(user))
    order = Order.objects.get()
    assert long.asked == 0
    assert reply.status == (201 if placement == Placement.DIRECT else 202)
    assert reply.body["order_no"] == order.order_no
    assert (order.user_id, order.sale_id, order.status) == (user.pk, sale.pk, reply.body["status"])
    assert reply.headers["content-type"] == "application/json"
    assert len(reply.headers["x-request-id"]) == 32


@pytest.mark.parametrize("placement", list(Placement))
def test_either_way_repeats_what_the_other_created(long: Long, placement: Placement) -> None:
    user, sale = make_user(), make_sale(placement=placement, per_user_limit=None)
    door = through(long)
    for first, second in ((door, long), (long, door)):
        key = f"key-{first is door}"
        created = ask(first, sale, bearer=token(user), key=key)
        Order.objects.filter(order_no=created.body["order_no"]).update(remark="seen")
        repeated = ask(second, sale, bearer=token(user), key=key)
        again = ask(first, sale, bearer=token(user), key=key)
        assert repeated.status == again.status == created.status
        assert repeated.headers["idempotent-replayed"] == "true"
        assert "idempotent-replayed" not in created.headers
        assert repeated.body["order_no"] == created.body["order_no"]
        assert repeated.body["remark"] == again.body["remark"] == "seen"
        assert repeated.headers.get("location") == created.headers.get("location")


REFUSED: dict[str, dict[str, Any]] = {
    "not started": {"starts_in": timedelta(minutes=5)},
    "ended": {"starts_in": timedelta(hours=-2), "ends_in": timedelta(hours=-1)},
    "a token is missing": {"protection": Protection.TOKEN},
}


@pytest.mark.parametrize("terms", REFUSED.values(), ids=list(REFUSED))
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_both_ways_refuse_in_the_same_words(
    long: Long, terms: dict[str, Any], language: str
) -> None:
    user, sale = make_user(), make_sale(**terms)
    door = through(long)
    short = ask(door, sale, bearer=token(user), HTTP_ACCEPT_LANGUAGE=language)
    assert long.asked == 0
    shield.forget()
    longer = ask(long, sale, bearer=token(user), HTTP_ACCEPT_LANGUAGE=language)
    assert (short.status, short.body) == (longer.status, longer.body)
    assert short.headers["content-type"] == longer.headers["content-type"]
    assert not Order.objects.exists()


UNUSUAL: dict[str, dict[str, Any]] = {
    "no key": {"key": None},
    "a key of control bytes": {"key": "a\x01b"},
    "a key of 256 characters": {"key": "k" * 256},
    "a count of 0": {"body": b'{"count":0}'},
    "a count of true": {"body": b'{"count":true}'},
    "a count of 1.0": {"body": b'{"count":1.0}'},
    "a count in words": {"body": b'{"count":"1"}'},
    "a count beyond all bounds": {"body": b'{"count":1000000000000}'},
    "a field too many": {"body": b'{"count":1,"price_fen":1}'},
    "a key twice": {"body": b'{"count":1,"count":2}'},
    "half a body": {"body": b'{"count":'},
    "an address of 0": {"body": b'{"count":1,"address":0}'},
    "an address in words": {"body": b'{"count":1,"address":"1"}'},
    "a token of nothing": {"body": b'{"count":1,"token":""}'},
    "a token that is no text": {"body": b'{"count":1,"token":5}'},
    "a body of another type": {"CONTENT_TYPE": "text/plain"},
    "no length": {"CONTENT_LENGTH": ""},
    "more bytes announced than sent": {"CONTENT_LENGTH": "2000"},
}


@pytest.mark.parametrize("unusual", UNUSUAL.values(), ids=list(UNUSUAL))
def test_what_is_unusual_is_the_applications_to_judge(long: Long, unusual: dict[str, Any]) -> None:
    user, sale = make_user(), make_sale(placement=Placement.DIRECT)
    through_door = ask(through(long), sale, bearer=token(user), **unusual)
    assert long.asked == 1
    other = make_user()
    alone = ask(long, sale, bearer=token(other), **unusual)
    assert through_door.status == alone.status
    if through_door.status >= 400:
        assert through_door.body == alone.body


def test_a_body_that_the_door_has_read_reaches_the_application_whole(long: Long) -> None:
    reply = ask(through(long), make_sale(), bearer=token(make_user()), body=b'{"count":0}')
    assert (reply.status, reply.body["errors"][0]["field"]) == (400, "count")


def bad_tokens() -> dict[str, Any]:
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


@pytest.mark.parametrize("make", bad_tokens().values(), ids=list(bad_tokens()))
def test_a_bad_token_is_401_either_way(long: Long, make: Any) -> None:
    reply = ask(through(long), make_sale(), bearer=make(make_user()))
    assert (reply.status, long.asked) == (401, 1)
    assert not Order.objects.exists()


def test_an_address_is_found_through_its_owner(long: Long) -> None:
    mine, theirs = make_user(), make_address(make_user())
    reply = ask(
        through(long), make_sale(), bearer=token(mine), body={"count": 1, "address": theirs.pk}
    )
    assert (reply.status, reply.body["code"], long.asked) == (404, "not_found", 0)


def test_plain_http_goes_the_way_that_redirects(long: Long, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    user, sale = make_user(), make_sale()
    assert front._asked(SaleDoor(), _environ(sale, user)) is None
    assert (
        front._asked(SaleDoor(), _environ(sale, user, HTTP_X_FORWARDED_PROTO="https")) is not None
    )


def _environ(sale: FlashSale, user: User, **environ: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/api/v1/flash-sales/{sale.pk}/orders",
        "HTTP_IDEMPOTENCY_KEY": "key",
        "HTTP_AUTHORIZATION": f"Bearer {token(user)}",
        **environ,
    }


# --- the shield


def sold_out(long: Long, **terms: Any) -> tuple[FlashSale, User]:
    """A sale whose one unit somebody has, and the process knows it."""
    winner, sale = make_user(), make_sale(total=1, placement=Placement.DIRECT, **terms)
    assert ask(through(long), sale, bearer=token(winner), key="winner").status == 201
    loser = ask(through(long), sale, bearer=token(make_user()))
    assert (loser.status, loser.body["code"]) == (409, "sold_out")
    return sale, winner


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_losers_cost_no_query_and_hear_the_same(long: Long, language: str) -> None:
    sale, _ = sold_out(long)
    loser = token(make_user())
    with CaptureQueriesContext(connection) as queries:
        reply = ask(through(long), sale, bearer=loser, HTTP_ACCEPT_LANGUAGE=language)
    shield.forget()
    asked = ask(long, sale, bearer=loser, HTTP_ACCEPT_LANGUAGE=language)
    assert len(queries) == 0
    assert (reply.status, reply.body) == (asked.status, asked.body)


def test_a_winners_repeat_is_never_refused(long: Long) -> None:
    sale, winner = sold_out(long)
    reply = ask(through(long), sale, bearer=token(winner), key="winner")
    assert (reply.status, reply.headers["idempotent-replayed"]) == (201, "true")


def test_a_failed_orders_repeat_is_not_refused_either(long: Long) -> None:
    user = make_user()
    sale = make_sale(total=1, placement=Placement.QUEUED)
    assert ask(through(long), sale, bearer=token(user), key="late").status == 202
    drain(sale.queue_id)
    other = make_user()
    assert ask(through(long), sale, bearer=token(other)).body["code"] == "sold_out"
    reply = ask(through(long), sale, bearer=token(user), key="late")
    assert (reply.status, reply.headers["idempotent-replayed"]) == (202, "true")


def test_what_is_remembered_is_forgotten_within_a_second(
    long: Long, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, _ = sold_out(long)
    later = shield.time.monotonic() + shield.LIFE_SECONDS
    assert shield.LIFE_SECONDS < 1
    assert shield.answer(sale.pk, 10**9) is not None
    monkeypatch.setattr(shield.time, "monotonic", lambda: later + 0.001)
    assert shield.answer(sale.pk, 10**9) is None


def test_few_left_for_one_shopper_is_not_sold_out_for_all(long: Long) -> None:
    sale = make_sale(total=2, placement=Placement.DIRECT, per_user_limit=None)
    reply = ask(through(long), sale, bearer=token(make_user()), body={"count": 3})
    assert (reply.body["code"], reply.body["available"]) == ("insufficient_stock", 2)
    assert ask(through(long), sale, bearer=token(make_user())).status == 201


def test_the_memory_of_sales_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shield, "MOST_SALES", 3)
    for sale_id in range(1, 10):
        shield.remember(sale_id, SoldOut(sku=1))
    assert len(shield._holders) <= 3
