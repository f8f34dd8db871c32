"""Coupons under a crowd: never one too many, never over a limit, and one coupon for one living
order, whoever settles, pays, cancels or sweeps at the same moment."""

from collections import Counter
from contextlib import suppress
from functools import partial
from random import Random

import pytest
from pytest_django.fixtures import Settings

from orders import lifecycle
from orders.coupons.asking import coupon_add_or_ask
from orders.coupons.models import IssuedCoupon
from orders.models import Order
from orders.payments import refunding
from orders.payments import services as payments
from orders.pending import checkout_queue
from shop.approvals.models import Proposal
from shop.errors import Refusal
from shop.pools.audit import audit
from tests.factories import make_address, make_sku, make_user, overdue, start_payment
from tests.kit.barrier import race, watching
from tests.kit.coupons import claim, make_coupon, now, place_with
from tests.kit.hows import drained, make_users, patient
from tests.kit.marks import on_mariadb
from tests.kit.units import counters, held_by

pytestmark = on_mariadb


def fates() -> Counter[str]:
    rows = Order.objects.values_list("status", "failure")
    return Counter(failure or status for status, failure in rows)


def test_of_200_shoppers_at_the_last_coupon_one_gets_it(strategy: str) -> None:
    coupon, users = make_coupon(total=1), make_users(200)

    outcomes = race([partial(patient, partial(claim, user, coupon, key="k")) for user in users])

    assert Counter(outcome.result() for outcome in outcomes) == {"": 1, "sold_out": 199}
    assert IssuedCoupon.objects.count() == 1
    assert counters(coupon.pool) == (0, 1)
    assert audit().broken == {}


def test_50_claims_of_one_shopper_at_once_are_one_where_one_is_the_limit(strategy: str) -> None:
    coupon, user = make_coupon(total=60), make_user()

    outcomes = race(
        [partial(patient, partial(claim, user, coupon, key=f"k{n}")) for n in range(50)]
    )

    assert Counter(outcome.result() for outcome in outcomes) == {"": 1, "purchase_limit": 49}
    assert held_by(user.pk, coupon.pool) == IssuedCoupon.objects.count() == 1
    assert counters(coupon.pool) == (59, 1)
    assert audit().broken == {}


def test_one_coupon_on_20_orders_at_once_is_used_by_one(strategy: str) -> None:
    tea, user = make_sku(stock=50), make_user()
    issued, address = claim(user, make_coupon()), make_address(user)

    def buy(number: int) -> str:
        order = partial(place_with, user, {tea: 1}, issued, key=f"{number}", address=address)
        return patient(order)

    with watching(audit) as seen:
        outcomes = race([partial(buy, number) for number in range(20)])

    assert Counter(outcome.result() for outcome in outcomes) == {"": 1, "coupon_unusable": 19}
    assert now(issued) == ("used", Order.objects.get().pk)
    assert counters(tea.pool) == (49, 1)
    assert [report.broken for report in seen] == [{}] * len(seen)


def test_one_coupon_on_20_orders_that_wait_is_used_by_one(settings: Settings) -> None:
    """Settled in several batches, by drains that take turns."""
    settings.CHECKOUT_PLACEMENT, settings.DRAIN_BATCH = "queued", 3
    tea, user = make_sku(stock=50), make_user()
    issued, address = claim(user, make_coupon()), make_address(user)

    def buy(number: int) -> str:
        order = partial(place_with, user, {tea: 1}, issued, key=f"{number}", address=address)
        return patient(order)

    with watching(audit) as seen, drained(others=[checkout_queue()], drains=3):
        outcomes = race([partial(buy, number) for number in range(20)])

    codes = Counter(outcome.result() for outcome in outcomes)
    # Some come after the first is settled, and are told at once.
    assert set(codes) <= {"", "coupon_unusable"}
    assert fates() == Counter({"unpaid": 1, "coupon_unusable": codes[""] - 1}) + Counter()
    assert now(issued) == ("used", Order.objects.get(status="unpaid").pk)
    assert counters(tea.pool) == (49, 1)
    assert [report.broken for report in seen] == [{}] * len(seen)


def test_whoever_ends_an_order_first_its_coupon_comes_back_once_or_stays(dice: Random) -> None:
    """The shopper cancels, the money comes, the time is up and the coupon is wanted by the next
    order: in any order of events it is the living order's, or free."""
    tea = make_sku(stock=100)
    for _ in range(8):
        user = make_user()
        issued, address = claim(user, make_coupon(total=1)), make_address(user)
        first = place_with(user, {tea: 1}, issued, address=address)
        payment = start_payment(user, first)
        if dice.random() < 0.5:
            overdue(first)

        def quietly(step: partial[object]) -> None:
            with suppress(Refusal):
                step()

        steps = [
            partial(lifecycle.order_cancel, user=user, order_no=first.order_no),
            partial(payments.sandbox_succeed, payment),
            partial(lifecycle.orders_expire),
            partial(lifecycle.orders_expire),
            partial(place_with, user, {tea: 1}, issued, key="next", address=address),
        ]
        dice.shuffle(steps)
        for outcome in race([partial(quietly, step) for step in steps]):
            outcome.result()
        payments.payments_close()
        refunding.refunds_execute()

        orders = Order.objects.filter(user=user)
        living = [one.pk for one in orders if one.status not in ("cancelled", "expired")]
        assert len(living) <= 1
        assert now(issued) == (("used", living[0]) if living else ("issued", None))
        assert audit().broken == {}


def test_coupons_that_sweeps_give_back_are_used_again_meanwhile(settings: Settings) -> None:
    """Orders whose time is up as soon as they are placed, under two sweeps: no coupon is lost, none
    is had by two, and nobody hears of a deadlock."""
    settings.ORDER_PAY_SECONDS = 0
    tea = make_sku(stock=500)
    users = [make_user() for _ in range(6)]
    addresses = {user: make_address(user) for user in users}
    coupon = make_coupon(total=50, per_user_limit=4)
    issued = {user: [claim(user, coupon) for _ in range(4)] for user in users}

    def shop(number: int) -> list[str]:
        user, codes = users[number], []
        for turn, one in enumerate(issued[user][:: 1 if number % 2 else -1] * 3):
            buy = partial(
                place_with, user, {tea: 1}, one, key=f"{number}-{turn}", address=addresses[user]
            )
            codes.append(patient(buy))
        return codes

    def sweep() -> list[str]:
        for _ in range(12):
            lifecycle.orders_expire()
        return []

    outcomes = race([*(partial(shop, n) for n in range(6)), sweep, sweep])

    codes = Counter(code for outcome in outcomes for code in outcome.result())
    assert set(codes) <= {"", "coupon_unusable"}
    used = IssuedCoupon.objects.filter(status="used").count()
    assert used == Order.objects.filter(status="unpaid").count()
    assert audit().broken == {}


def test_small_additions_at_once_are_one_large_one_too(settings: Settings) -> None:
    """Each of them has read an issue to which it may add."""
    settings.COUPON_MOST_FEN = 1_000
    coupon = make_coupon(off_fen=100, total=5)
    add = [
        partial(coupon_add_or_ask, coupon, count=3, operator=make_user(), reference=f"add-{n}")
        for n in range(4)
    ]

    outcomes = race([partial(patient, one) for one in add])

    assert Counter(outcome.result() for outcome in outcomes) == {"": 4}
    assert Proposal.objects.count() == 3
    coupon.refresh_from_db()
    assert coupon.total == 8
    assert counters(coupon.pool) == (8, 0)
    assert audit().broken == {}


@pytest.mark.parametrize("guard", ["status", "limit"])
def test_without_its_guard_the_fault_is_seen(
    guard: str, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """The negative controls: the races above fail where the guard is gone."""
    user = make_user()
    if guard == "limit":
        monkeypatch.setattr("shop.pools.services.limits.take_within", lambda **_: None)
        coupon = make_coupon(total=60)
        race([partial(patient, partial(claim, user, coupon, key=f"k{n}")) for n in range(10)])
        assert IssuedCoupon.objects.count() > 1
        assert 3 in audit().broken
        return
    monkeypatch.setattr("orders.settlement.coupon_use", lambda order: None)
    tea, issued, address = make_sku(stock=50), claim(user, make_coupon()), make_address(user)
    for number in range(2):
        place_with(user, {tea: 1}, issued, key=f"{number}", address=address)
    assert 8 in audit().broken
