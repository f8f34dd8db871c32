"""Cart checkout through the queue, under a crowd: each order is sold once, whole or not at all."""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

import pytest
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from orders.cart import cart_lines
from orders.checkout import Checkout, order_place
from orders.models import CartItem, Order, OrderLine
from orders.pending import checkout_queue
from shop.accounts.models import User
from shop.errors import SoldOut
from shop.pools.audit import audit
from tests.factories import make_address, make_sku, request_key_of
from tests.kit.barrier import race, watching
from tests.kit.clientlog import ClientLog
from tests.kit.hows import drained, make_users
from tests.kit.marks import on_mariadb
from tests.kit.shopper import Shopper
from tests.kit.units import counters

pytestmark = on_mariadb


@pytest.fixture(autouse=True)
def _queued(settings: Settings) -> None:
    settings.CHECKOUT_PLACEMENT = "queued"
    # So that a crowd makes several.
    settings.DRAIN_BATCH = 20


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ClientLog]:
    with ClientLog(tmp_path / "clients.log") as log:
        yield log


def fates() -> Counter[str]:
    rows = Order.objects.values_list("status", "failure")
    return Counter(failure or status for status, failure in rows)


def test_of_200_shoppers_at_the_last_unit_one_gets_it(
    login: Callable[[User], APIClient], log: ClientLog
) -> None:
    tea, users = make_sku(stock=1), make_users(200)
    shoppers = [Shopper(login(user), log, make_address(user).pk) for user in users]

    with drained(others=[checkout_queue()]):
        outcomes = race(
            [partial(shopper.buy, {tea.pk: 1}, key=f"{n}") for n, shopper in enumerate(shoppers)]
        )

    replies = [outcome.result() for outcome in outcomes]
    assert {(reply.status, reply.code) for reply in replies} <= {(202, ""), (409, "sold_out")}
    accepted = sum(not reply.code for reply in replies)
    assert fates() == Counter({"unpaid": 1, "sold_out": accepted - 1}) + Counter()
    assert OrderLine.objects.count() == 1
    assert counters(tea.pool) == (0, 1)
    assert log.disagreements(Order.objects.values_list("idempotency_key", "order_no")) == []
    assert audit().broken == {}


def test_400_carts_in_either_order_are_sold_whole_or_kept_whole(dice: Random) -> None:
    """Three drains at once, whose batches lock two counters."""
    plenty, scarce, users = make_sku(stock=1_000), make_sku(stock=250), make_users(400)
    addresses = {user: make_address(user).pk for user in users}
    carts = {user: dice.sample([(plenty, 2), (scarce, 1)], k=2) for user in users}

    def shop(mine: list[User]) -> None:
        for user in mine:
            CartItem.objects.bulk_create(
                CartItem(user=user, sku=sku, count=count) for sku, count in carts[user]
            )
            checkout = Checkout(items=None, address_id=addresses[user])
            try:
                order_place(user=user, key=request_key_of(user), checkout=checkout)
            except SoldOut:
                assert not Order.objects.filter(user=user).exists()

    with watching(audit) as seen, drained(others=[checkout_queue()], drains=3):
        for outcome in race([partial(shop, users[first::8]) for first in range(8)]):
            outcome.result()

    assert [report.broken for report in seen] == [{}] * len(seen)
    assert fates()["unpaid"] == 250
    assert set(fates()) <= {"unpaid", "sold_out"}
    assert (counters(plenty.pool), counters(scarce.pool)) == ((500, 500), (0, 250))
    assert OrderLine.objects.count() == 500
    sold = set(Order.objects.filter(status="unpaid").values_list("user_id", flat=True))
    for user in users:
        kept = {} if user.pk in sold else {sku.pk: count for sku, count in carts[user]}
        assert cart_lines(user) == kept
    assert audit().broken == {}
