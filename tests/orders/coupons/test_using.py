"""Orders with a coupon: what it takes off, whose it is meanwhile, and when it comes back."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from goods.models import Category, Goods
from orders import lifecycle
from orders.basket import CouponOf, quote
from orders.coupons.models import IssuedCoupon, Scope
from orders.models import Order, OrderLine
from orders.payments import refunding
from orders.payments import services as payments
from orders.pending import checkout_queue
from orders.pricing import line_discounts
from orders.refunds.selectors import left_of
from shop.api.fields import BIGINT_MAX
from shop.errors import CouponUnusable, Invalid, NotFound, SoldOut
from shop.pools.audit import audit
from shop.pools.drain import drain
from tests.factories import (
    make_address,
    make_shipping,
    make_sku,
    make_user,
    overdue,
    pay,
    place,
    start_payment,
)
from tests.kit.coupons import claim, make_coupon, now, place_with
from tests.kit.units import counters

pytestmark = [pytest.mark.django_db]

FREE = ("issued", None)


@pytest.fixture(params=["direct", "queued"])
def settled(request, settings):
    """Makes sure that what was placed is settled: at once, or by the drain."""
    settings.CHECKOUT_PLACEMENT = request.param

    def settle() -> None:
        if request.param == "queued":
            assert not drain(checkout_queue())

    return settle


@pytest.fixture
def tea():
    return make_sku(stock=10, price_fen=1000)


def fate(order):
    order.refresh_from_db()
    return order.failure or order.status


# --- what it takes off


def test_an_order_is_cheaper_and_its_coupon_is_its_own(shopper, tea, settled):
    make_shipping(fee_fen=800)
    issued = claim(shopper, make_coupon(off_fen=300))
    order = place_with(shopper, {tea: 2}, issued)
    settled()
    order.refresh_from_db()
    money = (order.goods_fen, order.freight_fen, order.discount_fen, order.total_fen)
    assert money == (2000, 800, 300, 2500)
    assert order.coupon_id == issued.pk
    assert now(issued) == ("used", order.pk)
    assert order.breakdown["coupon"]["kind"] == "amount"
    assert line_discounts(order.breakdown) == {tea.pk: 300}
    assert audit().broken == {}


def test_a_quote_is_the_order_that_follows(shopper):
    make_shipping(fee_fen=800)
    skus = [make_sku(price_fen=price) for price in (333, 667, 50)]
    issued = claim(shopper, make_coupon(kind="percent", percent=15, most_fen=5000))
    wanted = dict.fromkeys(skus, 3)
    basket = quote(
        {sku.pk: count for sku, count in wanted.items()}, coupon=CouponOf(shopper.pk, issued.pk)
    )
    order = place_with(shopper, wanted, issued)
    assert basket.price.total_fen == order.total_fen == 3150 - 472 + 800
    assert basket.breakdown == order.breakdown
    assert sum(line.discount_fen for line in basket.lines) == 472


def test_free_freight_is_the_freights_affair(shopper, tea):
    make_shipping(fee_fen=800)
    issued = claim(shopper, make_coupon(kind="freight"))
    order = place_with(shopper, {tea: 1}, issued)
    assert (order.freight_fen, order.discount_fen, order.total_fen) == (800, 800, 1000)
    assert line_discounts(order.breakdown) == {tea.pk: 0}
    assert audit().broken == {}


@pytest.mark.parametrize("scope", ["category", "skus"])
def test_only_what_it_is_for_counts(shopper, tea, scope):
    other = Category.objects.create(title="书")
    book = make_sku(price_fen=5000, goods=Goods.objects.create(category=other, title="书"))
    terms = {"category": {"category": other}, "skus": {"skus": [book]}}[scope]
    coupon = make_coupon(kind="percent", percent=50, scope=Scope(scope), **terms)
    issued = claim(shopper, coupon)
    with pytest.raises(CouponUnusable) as refused:
        place_with(shopper, {tea: 5}, issued)
    assert refused.value.data == {"reason": "out_of_scope"}
    order = place_with(shopper, {tea: 5, book: 1}, issued)
    assert order.discount_fen == 2500
    assert line_discounts(order.breakdown) == {tea.pk: 0, book.pk: 2500}
    assert audit().broken == {}


def test_an_order_that_costs_nothing_is_paid_for(shopper, tea, settled):
    issued = claim(shopper, make_coupon(off_fen=5000))
    order = place_with(shopper, {tea: 1}, issued)
    settled()
    assert fate(order) == "paid"
    assert (order.discount_fen, order.total_fen) == (1000, 0)
    assert audit().broken == {}


# --- what it can't be used for


def test_a_coupon_that_is_somebody_elses_or_nobodys_is_not_found(shopper, tea):
    issued = claim(make_user(), make_coupon())
    for coupon_id in (issued.pk, 10**9):
        with pytest.raises(NotFound):
            place_with(shopper, {tea: 1}, IssuedCoupon(pk=coupon_id))
    assert not Order.objects.exists()
    assert now(issued) == FREE


@pytest.mark.parametrize(
    ("moved", "reason"),
    [
        ({"expires_at": timedelta(0)}, "expired"),
        ({"valid_from": timedelta(minutes=5)}, "not_yet"),
    ],
)
def test_a_coupon_outside_its_time_is_unusable(shopper, tea, moved, reason):
    issued = claim(shopper, make_coupon())
    [(column, by)] = moved.items()
    IssuedCoupon.objects.filter(pk=issued.pk).update(**{column: issued.claimed_at + by})
    with pytest.raises(CouponUnusable) as refused:
        place_with(shopper, {tea: 1}, issued)
    assert refused.value.data["reason"] == reason
    assert not Order.objects.exists()


def test_goods_below_the_minimum_and_nothing_to_take_off_leave_the_coupon_alone(shopper, tea):
    much = claim(shopper, make_coupon(minimum_fen=1001))
    freight = claim(shopper, make_coupon(kind="freight"))  # which is free here
    for issued, about in (
        (much, {"reason": "below_minimum", "minimum_fen": 1001}),
        (freight, {"reason": "nothing_off"}),
    ):
        with pytest.raises(CouponUnusable) as refused:
            place_with(shopper, {tea: 1}, issued)
        assert refused.value.data == about
        assert now(issued) == FREE
    assert counters(tea.pool) == (10, 0)


def test_a_used_coupon_is_unusable_and_its_order_can_be_asked_for_again(shopper, tea):
    issued, address = claim(shopper, make_coupon()), make_address(shopper)
    order = place_with(shopper, {tea: 1}, issued, key="k", address=address)
    with pytest.raises(CouponUnusable) as refused:
        place_with(shopper, {tea: 1}, issued, address=address)
    assert refused.value.data == {"reason": "used"}
    assert place_with(shopper, {tea: 1}, issued, key="k", address=address).pk == order.pk
    assert Order.objects.count() == 1


def test_of_orders_that_wait_with_one_coupon_the_first_gets_it(shopper, tea, settings):
    settings.CHECKOUT_PLACEMENT = "queued"
    issued, other = claim(shopper, make_coupon()), claim(shopper, make_coupon())
    orders = [place_with(shopper, {tea: 1}, issued) for _ in range(3)]
    orders.append(place_with(shopper, {tea: 1}, other))
    orders.append(place(shopper, {tea: 1}))
    assert not drain(checkout_queue())
    unusable = "coupon_unusable"
    assert [fate(order) for order in orders] == ["unpaid", unusable, unusable, "unpaid", "unpaid"]
    assert (now(issued), now(other)) == (("used", orders[0].pk), ("used", orders[3].pk))
    assert counters(tea.pool) == (7, 3)
    assert OrderLine.objects.count() == 3
    assert audit().broken == {}


def test_an_order_without_units_uses_no_coupon(shopper, settled):
    tea, buyer = make_sku(stock=1, price_fen=1000), make_user()
    issued = claim(shopper, make_coupon())
    placed = [place(buyer, {tea: 1})]
    try:
        placed.append(place_with(shopper, {tea: 1}, issued))
    except SoldOut:
        assert len(placed) == 1
    settled()
    assert [fate(order) for order in placed] in (["unpaid"], ["unpaid", "sold_out"])
    assert now(issued) == FREE
    assert audit().broken == {}


def test_more_than_an_order_can_cost_is_refused_whatever_the_coupon_takes_off(shopper):
    dear = make_sku(price_fen=BIGINT_MAX, stock=10)
    issued = claim(shopper, make_coupon(kind="percent", percent=100, most_fen=10**12))
    with pytest.raises(Invalid):
        place_with(shopper, {dear: 2}, issued)
    make_shipping(fee_fen=1)
    with pytest.raises(Invalid):
        place_with(shopper, {dear: 1}, issued)
    assert now(issued) == FREE
    assert not Order.objects.exists()


# --- how it comes back


def cancel(user, order):
    lifecycle.order_cancel(user=user, order_no=order.order_no)


def expire(user, order):
    overdue(order)
    lifecycle.orders_expire()


def expire_with_a_payment(user, order):
    start_payment(user, order)
    overdue(order)
    lifecycle.orders_expire()
    payments.payments_close()


def refuse(user, order):
    pay(user, order)
    lifecycle.order_refuse(order_no=order.order_no, operator=user, reason="none left")


@pytest.mark.parametrize("end", [cancel, expire, expire_with_a_payment, refuse])
def test_an_order_that_ends_gives_its_coupon_back_as_valid_as_it_was(shopper, tea, settled, end):
    issued = claim(shopper, make_coupon())
    order = place_with(shopper, {tea: 1}, issued)
    settled()
    end(shopper, order)
    issued.refresh_from_db()
    assert now(issued) == FREE
    assert issued.used_at is None
    assert issued.expires_at - issued.claimed_at == timedelta(days=30)
    assert audit().broken == {}
    # The next order has it, and what is done once more to the first takes it from nobody.
    second = place_with(shopper, {tea: 1}, issued)
    settled()
    lifecycle.orders_expire()
    refunding.refunds_execute()
    if end is cancel:
        cancel(shopper, order)
    assert now(issued) == ("used", second.pk)
    assert audit().broken == {}


def test_a_refund_is_of_what_was_paid_for_each_line_and_gives_the_coupon_back_with_the_whole(
    shopper, tea
):
    pot = make_sku(price_fen=500)
    issued = claim(shopper, make_coupon(off_fen=100, scope=Scope.SKUS, skus=[pot]))
    order = place_with(shopper, {tea: 1, pot: 1}, issued)
    pay(shopper, order)
    left = left_of(order)
    assert {one.line.sku_id: one.amount_fen for one in left.parts} == {tea.pk: 1000, pot.pk: 400}
    lifecycle.order_refuse(order_no=order.order_no, operator=shopper, reason="none left")
    assert now(issued) == FREE
    assert audit().broken == {}


def test_a_coupon_that_came_back_too_late_stays_expired(shopper, tea):
    issued = claim(shopper, make_coupon())
    order = place_with(shopper, {tea: 1}, issued)
    IssuedCoupon.objects.filter(pk=issued.pk).update(expires_at=issued.claimed_at)
    cancel(shopper, order)
    with pytest.raises(CouponUnusable) as refused:
        place_with(shopper, {tea: 1}, issued)
    assert refused.value.data == {"reason": "expired"}


def test_cancelling_an_order_that_waits_takes_the_coupon_from_nobody(shopper, tea, settings):
    settings.CHECKOUT_PLACEMENT = "queued"
    issued = claim(shopper, make_coupon())
    first, second = (place_with(shopper, {tea: 1}, issued) for _ in range(2))
    cancel(shopper, first)
    assert now(issued) == FREE
    assert not drain(checkout_queue())
    assert now(issued) == ("used", second.pk)
    assert audit().broken == {}


# --- what it costs


def test_a_checkout_with_a_coupon_is_two_statements_more(shopper, tea):
    make_shipping()
    address, issued = make_address(shopper), claim(shopper, make_coupon())
    place(shopper, {tea: 1}, address=address)
    counts = []
    for buy in (
        lambda: place(shopper, {tea: 1}, address=address),
        lambda: place_with(shopper, {tea: 1}, issued, address=address),
    ):
        with CaptureQueriesContext(connection) as captured:
            buy()
        counts.append(len(captured))
    assert counts[0] <= 11
    assert counts[1] == counts[0] + 2
