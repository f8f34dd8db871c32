"""Placing an order: what it stores, what it takes, what it refuses and then leaves untouched."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.cart import cart_item_set, cart_lines
from orders.checkout import Checkout, order_place
from orders.models import Order, OrderLine
from orders.states import State
from shop.errors import (
    IdempotencyKeyReused,
    InsufficientStock,
    Invalid,
    NotFound,
    PriceChanged,
    SoldOut,
)
from shop.pools.models import PoolMovement
from tests.factories import (
    make_address,
    make_shipping,
    make_sku,
    make_user,
    place,
    request_key_of,
)

pytestmark = [pytest.mark.django_db]


@pytest.fixture(params=["pessimistic", "optimistic"])
def strategy(request, settings):
    settings.STOCK_STRATEGY = request.param
    return request.param


def counters(sku):
    sku.pool.refresh_from_db()
    return sku.stock, sku.sold


def test_an_order_takes_its_units_and_keeps_its_prices(strategy):
    tea, pot = make_sku(stock=10, price_fen=2500), make_sku(stock=3, price_fen=9900)
    make_shipping(fee_fen=800)
    shopper = make_user()

    order = place(shopper, {tea: 2, pot: 1})

    assert (order.goods_fen, order.freight_fen, order.total_fen) == (14900, 800, 15700)
    assert order.status == State.UNPAID
    assert (order.expires_at - order.created_at).total_seconds() == 300
    assert counters(tea) == (8, 2)
    assert counters(pot) == (2, 1)
    taken = PoolMovement.objects.filter(reference=order.order_no, kind="take")
    assert sorted(taken.values_list("pool_id", "delta")) == [(tea.pool_id, -2), (pot.pool_id, -1)]
    lines = OrderLine.objects.filter(order=order).values_list("sku_id", "count", "price_fen")
    assert sorted(lines) == [(tea.pk, 2, 2500), (pot.pk, 1, 9900)]


def test_an_order_that_one_line_cannot_fill_takes_nothing(strategy):
    tea, pot = make_sku(stock=10), make_sku(stock=1)
    with pytest.raises(InsufficientStock) as refusal:
        place(make_user(), {tea: 2, pot: 2})
    assert refusal.value.data == {"sku": pot.pk, "available": 1}
    assert counters(tea) == (10, 0)
    assert not Order.objects.exists()
    assert not PoolMovement.objects.filter(kind="take").exists()


def test_nothing_left_is_sold_out(strategy):
    tea = make_sku(stock=1)
    place(make_user(), {tea: 1})
    with pytest.raises(SoldOut):
        place(make_user(), {tea: 1})
    assert counters(tea) == (0, 1)


def test_an_order_of_nothing_to_pay_is_paid_when_it_is_placed():
    order = place(make_user(), {make_sku(price_fen=0): 1})
    assert (order.status, order.total_fen, order.expires_at) == (State.PAID, 0, None)
    assert order.paid_at == order.created_at


def test_the_same_key_and_request_is_one_order():
    tea, shopper = make_sku(stock=10), make_user()
    address = make_address(shopper)
    key = request_key_of(shopper, "k")
    checkout = Checkout(items={tea.pk: 1}, address_id=address.pk)

    first = order_place(user=shopper, key=key, checkout=checkout)
    again = order_place(user=shopper, key=key, checkout=checkout)

    assert (first.replayed, again.replayed) == (False, True)
    assert first.row.order_no == again.row.order_no
    assert counters(tea) == (9, 1)


def test_a_repeat_is_answered_although_the_world_has_moved_on():
    tea, shopper = make_sku(stock=1), make_user()
    address = make_address(shopper)
    key = request_key_of(shopper, "k")
    checkout = Checkout(items={tea.pk: 1}, address_id=address.pk)
    first = order_place(user=shopper, key=key, checkout=checkout)
    address.delete()
    type(tea).objects.filter(pk=tea.pk).update(on_shelf=False)

    again = order_place(user=shopper, key=key, checkout=checkout)

    assert again.replayed
    assert again.row.pk == first.row.pk


def test_the_same_key_for_another_request_is_refused():
    tea, shopper = make_sku(stock=10), make_user()
    checkout = Checkout(items={tea.pk: 1}, address_id=make_address(shopper).pk)
    order_place(user=shopper, key=request_key_of(shopper, "k", "a"), checkout=checkout)
    with pytest.raises(IdempotencyKeyReused):
        order_place(user=shopper, key=request_key_of(shopper, "k", "b"), checkout=checkout)
    assert counters(tea) == (9, 1)


def test_the_same_key_of_another_shopper_is_another_order():
    tea = make_sku(stock=10)
    assert place(make_user(), {tea: 1}, key="k").pk != place(make_user(), {tea: 1}, key="k").pk
    assert counters(tea) == (8, 2)


def test_a_refusal_stores_nothing_so_its_key_can_be_used_again():
    tea, shopper = make_sku(stock=1), make_user()
    with pytest.raises(InsufficientStock):
        place(shopper, {tea: 2}, key="k")
    assert place(shopper, {tea: 1}, key="k").status == State.UNPAID


def test_an_unexpected_total_is_refused_with_the_total_of_now():
    tea, shopper = make_sku(price_fen=1000), make_user()
    checkout = Checkout(
        items={tea.pk: 1}, address_id=make_address(shopper).pk, expected_total_fen=999
    )
    with pytest.raises(PriceChanged) as refusal:
        order_place(user=shopper, key=request_key_of(shopper), checkout=checkout)
    assert refusal.value.data == {"total_fen": 1000}
    assert counters(tea) == (10, 0)


def test_somebody_elses_address_is_not_found():
    tea, shopper, other = make_sku(), make_user(), make_user()
    with pytest.raises(NotFound):
        place(shopper, {tea: 1}, address=make_address(other))
    assert counters(tea) == (10, 0)


@pytest.mark.parametrize("what", ["sku", "goods"])
def test_what_is_off_the_shelf_cannot_be_ordered(what):
    tea = make_sku()
    row = tea if what == "sku" else tea.goods
    type(row).objects.filter(pk=row.pk).update(on_shelf=False)
    with pytest.raises(NotFound):
        place(make_user(), {tea: 1})


def test_the_cart_loses_exactly_what_was_ordered():
    tea, pot, shopper = make_sku(), make_sku(), make_user()
    cart_item_set(user=shopper, sku_id=tea.pk, count=2)
    cart_item_set(user=shopper, sku_id=pot.pk, count=1)
    checkout = Checkout(items=None, address_id=make_address(shopper).pk)

    answer = order_place(user=shopper, key=request_key_of(shopper), checkout=checkout)

    assert {line["sku"]: line["count"] for line in answer.row.snapshot} == {tea.pk: 2, pot.pk: 1}
    assert cart_lines(shopper) == {}


def test_the_cart_survives_a_failed_order():
    tea, pot, shopper = make_sku(stock=5), make_sku(stock=0), make_user()
    cart_item_set(user=shopper, sku_id=tea.pk, count=2)
    cart_item_set(user=shopper, sku_id=pot.pk, count=1)
    checkout = Checkout(items=None, address_id=make_address(shopper).pk)
    with pytest.raises(SoldOut):
        order_place(user=shopper, key=request_key_of(shopper), checkout=checkout)
    assert cart_lines(shopper) == {tea.pk: 2, pot.pk: 1}


def test_ordering_an_empty_cart_is_invalid():
    shopper = make_user()
    checkout = Checkout(items=None, address_id=make_address(shopper).pk)
    with pytest.raises(Invalid):
        order_place(user=shopper, key=request_key_of(shopper), checkout=checkout)


def test_a_cart_that_changes_while_it_is_ordered_is_priced_anew(monkeypatch):
    """Another device adds a unit between the read of the cart and the order's transaction."""
    tea, shopper = make_sku(price_fen=1000), make_user()
    cart_item_set(user=shopper, sku_id=tea.pk, count=1)
    seen = []

    def read_then_change(user):
        lines = cart_lines(user)
        if not seen:
            cart_item_set(user=user, sku_id=tea.pk, count=2)
        seen.append(lines)
        return lines

    monkeypatch.setattr("orders.cart.cart_lines", read_then_change)
    checkout = Checkout(items=None, address_id=make_address(shopper).pk)
    answer = order_place(user=shopper, key=request_key_of(shopper), checkout=checkout)

    assert seen == [{tea.pk: 1}, {tea.pk: 2}]
    assert answer.row.goods_fen == 2000
    assert counters(tea) == (8, 2)
    assert cart_lines(shopper) == {}


def test_a_one_line_checkout_is_few_statements(strategy):
    tea, shopper = make_sku(), make_user()
    make_shipping()
    address = make_address(shopper)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        place(shopper, {tea: 1}, address=address)
    statements = [query["sql"] for query in captured]
    # One more by HTTP: who is asking.
    assert len(statements) <= 11, statements
