"""What came in by the hour: each row is counted once, in its hour, whoever counts and whoever dies
over it."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from orders import lifecycle
from orders.models import Order, OrderMove
from orders.payments.models import Refund
from orders.payments.services import sandbox_succeed
from orders.takings import services
from orders.takings.models import Hour, Tally
from orders.takings.selectors import takings_now
from orders.takings.services import takings_count
from orders.tasks import count_takings
from shop.pools.audit import audit
from tests.factories import make_shipping, make_sku, make_user, pay, place, start_payment

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2026, 3, 1, 15, 59, 59, 999_000, tzinfo=UTC)


@pytest.fixture(autouse=True)
def shop():
    make_shipping()
    return make_sku(stock=100, price_fen=1000)


def ordered(sku, *, paid=False):
    user = make_user()
    order = place(user, {sku: 1})
    if paid:
        pay(user, order)
    return order


def happened(order, moment):
    """Lets all of it have happened then."""
    Order.objects.filter(pk=order.pk).update(created_at=moment)
    OrderMove.objects.filter(order=order).update(created_at=moment)
    Refund.objects.filter(order=order).update(created_at=moment)


def hours():
    rows = Hour.objects.order_by("starts_at")
    return list(rows.values_list("starts_at", "placed", "paid", "paid_fen", "refunded_fen"))


def kept():
    return 6 not in audit().broken


def test_orders_payments_and_refunds_are_in_the_hours_they_happened_in(shop, operator):
    first, second, unpaid = ordered(shop, paid=True), ordered(shop, paid=True), ordered(shop)
    lifecycle.order_refuse(order_no=second.order_no, operator=operator, reason="closed")
    happened(first, LONG_AGO)
    happened(second, LONG_AGO + timedelta(milliseconds=1))
    happened(unpaid, LONG_AGO)

    assert takings_count() == 3 + 3 + 1  # orders, moves, refunds
    assert takings_count() == 0
    three = LONG_AGO.replace(minute=0, second=0, microsecond=0)
    four = three + timedelta(hours=1)
    assert hours() == [
        (three, 2, 1, first.total_fen, 0),
        (four, 1, 1, second.total_fen, second.total_fen),
    ]
    assert kept()


def test_what_is_young_is_left_for_later_and_so_is_all_behind_it(shop):
    old, young, old_behind_it = ordered(shop), ordered(shop), ordered(shop)
    for order in (old, old_behind_it):
        happened(order, LONG_AGO)
    Order.objects.filter(pk=young.pk).update(created_at=Now())
    takings_count()
    assert [row[1] for row in hours()] == [1]
    happened(young, LONG_AGO)
    takings_count()
    assert [row[1] for row in hours()] == [3]


def test_money_that_came_too_late_is_neither_taken_nor_given_back(shop):
    user = make_user()
    order = place(user, {shop: 1})
    payment = start_payment(user, order)
    lifecycle.order_cancel(user=user, order_no=order.order_no)
    sandbox_succeed(payment)
    assert Refund.objects.get().cause == Refund.Cause.LATE
    happened(order, LONG_AGO)
    takings_count()
    [(_hour, placed, paid, paid_fen, refunded_fen)] = hours()
    assert (placed, paid, paid_fen, refunded_fen) == (1, 0, 0, 0)
    assert kept()


def test_batches_go_on_where_the_last_one_ended(shop, monkeypatch):
    monkeypatch.setattr(services, "BATCH", 2)
    for order in [ordered(shop) for _ in range(5)]:
        happened(order, LONG_AGO)
    assert [takings_count() for _ in range(4)] == [2, 2, 1, 0]
    assert [row[1] for row in hours()] == [5]
    # What is not counted yet is not said to be.
    Tally.objects.update(orders=0)
    takings_count()
    assert Tally.objects.get().until == LONG_AGO


def test_who_dies_in_the_middle_has_counted_nothing(shop, monkeypatch):
    happened(ordered(shop), LONG_AGO)

    def die(_self):
        raise KeyboardInterrupt

    with monkeypatch.context() as death:
        death.setattr(Tally, "save", die)
        with pytest.raises(KeyboardInterrupt):
            takings_count()
    assert hours() == []
    assert count_takings() == 1
    assert count_takings() == 0
    assert [row[1] for row in hours()] == [1]


def test_the_audit_names_the_hour_that_a_row_is_missing_from(shop):
    orders = [ordered(shop) for _ in range(2)]
    for order in orders:
        happened(order, LONG_AGO)
    takings_count()
    assert kept()
    assert audit(sample=1).broken.get(6) is None
    Hour.objects.update(placed=F("placed") - 1)
    assert audit().broken[6] == ["hour 2026-03-01 15 (UTC): placed 1, its rows say 2"]
    # And everything can be counted again.
    call_command("count_takings", "--again", stdout=io.StringIO())
    assert kept()
    assert [row[1] for row in hours()] == [2]


def test_a_day_begins_at_the_shop_s_own_midnight(shop, settings):
    settings.TIME_ZONE = "Asia/Shanghai"
    now = takings_now()
    Tally.objects.create(pk=1, until=now.today.starts_at)
    for hour, placed in ((-25, 1), (-24, 2), (-1, 4), (0, 8)):
        Hour.objects.create(
            starts_at=now.today.starts_at + timedelta(hours=hour), placed=placed, paid_fen=placed
        )
    with CaptureQueriesContext(connection) as asked:
        now = takings_now()
    assert len(asked) == 2
    assert now.today.starts_at.utcoffset() == timedelta(hours=8)
    assert (now.today.placed, now.yesterday.placed, now.yesterday.paid_fen) == (8, 6, 6)
    assert len(now.days) == 14
    assert len(now.hours) == 24
    assert now.days[-3].placed == 1
