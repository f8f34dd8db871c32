"""Checkout under a crowd: never more than there is, never less, all lines or none."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from threading import Barrier

import pytest
from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from rest_framework.test import APIClient

from goods.models import Sku
from orders.cart import cart_item_set, cart_lines
from orders.checkout import Checkout, order_place
from orders.models import CartItem, Order, OrderLine
from shop import transactions
from shop.accounts.models import User
from shop.errors import Busy, Invalid, SoldOut
from shop.pools.audit import Report, audit
from shop.pools.models import PoolMovement
from tests.factories import make_address, make_sku, make_user, place, request_key_of
from tests.kit.barrier import race, watching
from tests.kit.clientlog import ClientLog
from tests.kit.marks import in_both_forms, on_mariadb
from tests.kit.midway import looking_midway
from tests.kit.shopper import Reply, Shopper
from tests.kit.units import counters

pytestmark = on_mariadb


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ClientLog]:
    with ClientLog(tmp_path / "clients.log") as log:
        yield log


def in_agreement(log: ClientLog) -> bool:
    return log.disagreements(Order.objects.values_list("idempotency_key", "order_no")) == []


def test_of_200_shoppers_at_the_last_unit_one_gets_it(
    strategy: str, login: Callable[[User], APIClient], log: ClientLog
) -> None:
    tea = make_sku(stock=1)
    users = [make_user() for _ in range(200)]
    shoppers = [Shopper(login(user), log, make_address(user).pk) for user in users]

    replies = [
        outcome.result()
        for outcome in race(
            [
                partial(shopper.buy, {tea.pk: 1}, key=f"last-{n}")
                for n, shopper in enumerate(shoppers)
            ]
        )
    ]

    assert Counter((reply.status, reply.code) for reply in replies) == {
        (201, ""): 1,
        (409, "sold_out"): 199,
    }
    assert Order.objects.count() == OrderLine.objects.count() == 1
    assert counters(tea.pool) == (0, 1)
    assert in_agreement(log)
    assert audit().broken == {}


@in_both_forms("turns", short=6, long=25)
def test_a_storm_sells_exactly_what_there_is(
    strategy: str,
    login: Callable[[User], APIClient],
    log: ClientLog,
    dice: Random,
    monkeypatch: pytest.MonkeyPatch,
    turns: int,
) -> None:
    """200 clients with several requests each of one or two units, stock 100, audited each 50 ms and
    in the middle of the selling."""
    tea = make_sku(stock=100)
    midway = looking_midway(monkeypatch, audit, takes={2, 20, 40})
    users = [make_user() for _ in range(200)]
    shoppers = [Shopper(login(user), log, make_address(user).pk) for user in users]
    wishes = [[dice.choice((1, 2)) for _ in range(turns)] for _ in shoppers]

    def buy_all(number: int, shopper: Shopper) -> list[Reply]:
        return [
            shopper.buy({tea.pk: count}, key=f"storm-{number}-{turn}")
            for turn, count in enumerate(wishes[number])
        ]

    with watching(audit) as seen:
        outcomes = race(
            [partial(buy_all, number, shopper) for number, shopper in enumerate(shoppers)],
        )

    replies = [reply for outcome in outcomes for reply in outcome.result()]
    assert len(replies) == 200 * turns
    assert {reply.code for reply in replies} <= {"", "sold_out", "insufficient_stock"}
    sold = sum(reply.body["items"][0]["count"] for reply in replies if not reply.code)
    assert sold == 100
    assert counters(tea.pool) == (0, 100)
    assert_conserved([*seen, *midway], units=100)
    assert [0 < report.figures(1)["taken"] < 100 for report in midway] == [True] * 3
    assert in_agreement(log)
    assert audit().broken == {}


def assert_conserved(seen: list[Report], *, units: int) -> None:
    """Every snapshot keeps every promise."""
    assert [report.broken for report in seen] == [{}] * len(seen)
    figures = [report.figures(1) for report in seen]
    assert {one["available"] + one["taken"] for one in figures} == {units}


def test_2000_carts_in_either_order_are_sold_whole_or_kept_whole(
    strategy: str, dice: Random
) -> None:
    plenty, scarce = make_sku(stock=5_000), make_sku(stock=1_500)
    users = [make_user() for _ in range(8)]
    addresses = {user.pk: make_address(user) for user in users}

    def shop(user: User) -> int:
        bought = 0
        for _ in range(250):
            cart = [(plenty, 2), (scarce, 1)]
            dice.shuffle(cart)
            CartItem.objects.bulk_create(
                CartItem(user=user, sku=sku, count=count) for sku, count in cart
            )
            checkout = Checkout(items=None, address_id=addresses[user.pk].pk)
            try:
                order_place(user=user, key=request_key_of(user), checkout=checkout)
            except SoldOut:
                assert cart_lines(user) == {sku.pk: count for sku, count in cart}
                CartItem.objects.filter(user=user).delete()
            else:
                assert cart_lines(user) == {}
                bought += 1
        return bought

    with watching(audit) as seen:
        outcomes = race([partial(shop, user) for user in users])

    assert sum(outcome.result() for outcome in outcomes) == 1_500
    assert [report.broken for report in seen] == [{}] * len(seen)
    assert counters(plenty.pool) == (2_000, 3_000)
    assert counters(scarce.pool) == (0, 1_500)
    assert Order.objects.count() == 1_500
    assert OrderLine.objects.count() == 3_000


@pytest.mark.usefixtures("soon_given_up")
def test_a_second_sku_that_is_locked_too_long_is_busy_and_leaves_nothing(
    strategy: str, somebody: BaseDatabaseWrapper
) -> None:
    tea, pot, user = make_sku(stock=5), make_sku(stock=5), make_user()
    address = make_address(user)
    with somebody.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT id FROM pools_pool WHERE id = %s FOR UPDATE", [pot.pool_id])

        with pytest.raises(Busy):
            place(user, {tea: 1, pot: 1}, key="k", address=address)

        assert not connection.in_atomic_block
        assert (counters(tea.pool), counters(pot.pool)) == ((5, 0), (5, 0))
        assert not Order.objects.exists()
        assert not PoolMovement.objects.filter(kind="take").exists()
        cursor.execute("ROLLBACK")

    # Nothing of the key is left either.
    place(user, {tea: 1, pot: 1}, key="k", address=address)
    assert (counters(tea.pool), counters(pot.pool)) == ((4, 1), (4, 1))
    assert audit().broken == {}


def test_a_deadlock_with_somebody_who_locks_the_other_way_round_reaches_no_shopper(
    strategy: str,
) -> None:
    tea, pot, other, user = make_sku(stock=5), make_sku(stock=5), make_sku(stock=0), make_user()
    address, locked = make_address(user), Barrier(2)

    def lock(sku: Sku) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM pools_pool WHERE id = %s FOR UPDATE", [sku.pool_id])

    def crosses() -> None:
        with transaction.atomic():
            # Has written more than the order has, so the order will be the victim.
            PoolMovement.objects.bulk_create(
                PoolMovement(pool_id=other.pool_id, kind="load", delta=0, reference=f"r{n}")
                for n in range(200)
            )
            lock(pot)
            locked.wait(120)
            wait_until_somebody_waits()
            lock(tea)

    def orders() -> Order:
        locked.wait(120)
        return place(user, {tea: 1, pot: 1}, address=address)

    def wait_until_somebody_waits() -> None:
        deadline = time.monotonic() + 120
        with connection.cursor() as cursor:
            waiting = 0
            while not waiting:
                assert time.monotonic() < deadline
                cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")
                waiting = int(cursor.fetchone()[1])

    before = transactions.RETRIES.labels("contention")._value.get()
    crossing, ordering = race([crosses, orders])

    crossing.result()
    assert transactions.RETRIES.labels("contention")._value.get() > before
    assert Order.objects.get().pk == ordering.result().pk
    assert (counters(tea.pool), counters(pot.pool)) == ((4, 1), (4, 1))
    assert audit().broken == {}


def test_a_cart_with_one_place_left_is_not_overfilled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders.cart.MAX_LINES", 3)
    teas = [make_sku().pk for _ in range(8)]
    for _ in range(5):
        user = make_user()
        for tea in teas[:2]:
            cart_item_set(user=user, sku_id=tea, count=1)

        outcomes = race([partial(cart_item_set, user=user, sku_id=tea, count=2) for tea in teas])

        refused = [outcome.error for outcome in outcomes if outcome.error is not None]
        assert [type(error) for error in refused] == [Invalid] * 5
        lines = cart_lines(user)
        assert len(lines) == 3
        assert set(lines.values()) == {2}
