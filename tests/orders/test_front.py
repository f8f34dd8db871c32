"""What the front door of flash sales remembers, and whose address it takes; for the rest see
`tests/api/test_doors.py`."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from goods.sales.models import FlashSale
from orders import shield
from orders.front import SaleDoor
from shop.accounts.models import User
from shop.api import front
from shop.errors import SoldOut
from shop.pools.drain import drain
from shop.pools.models import Placement
from tests.factories import make_address, make_sale, make_user
from tests.kit import fronts
from tests.kit.clock import Clock
from tests.kit.fronts import Long, Reply, token
from tests.kit.offers import SALE_ORDERS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_a_request")]

LIFE_SECONDS = shield.LIFE_SECONDS


def through(application: Any) -> front.Front:
    return front.Front(application, [SaleDoor()])


def ask(
    application: Any, sale: FlashSale, *, body: dict[str, Any] | None = None, **request: Any
) -> Reply:
    """Posts an order of the sale."""
    path = SALE_ORDERS.path(sale.pk)
    return fronts.ask(application, path, body=body or {"count": 1}, **request)


def test_an_address_is_found_through_its_owner(long: Long) -> None:
    mine, theirs = make_user(), make_address(make_user())
    reply = ask(
        through(long), make_sale(), bearer=token(mine), body={"count": 1, "address": theirs.pk}
    )
    assert (reply.status, reply.body["code"], long.asked) == (404, "not_found", 0)


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
    clock = Clock()
    monkeypatch.setattr(shield, "LIFE_SECONDS", LIFE_SECONDS)
    monkeypatch.setattr(shield, "time", SimpleNamespace(monotonic=clock))
    sale, _ = sold_out(long)
    assert LIFE_SECONDS < 1
    assert shield.answer(sale.pk, 10**9) is not None
    clock.now += LIFE_SECONDS + 0.001
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
