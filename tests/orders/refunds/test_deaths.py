"""Dying between a decision and its money, and in the middle of either: the next one carries on."""

import pytest

from orders import lifecycle, unattended
from orders.payments import refunding
from orders.payments.models import Refund, SandboxCharge, SandboxRefund
from orders.states import State
from shop.pools.audit import audit
from tests.factories import pay_from_wallet, place
from tests.faults.deaths import dying_at
from tests.kit.refunds import accept, age, ask, begin, paid_order, send_money, told
from tests.kit.units import counters
from tests.kit.wallets import balance, fund

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("deadly")]

POINTS = ["commit.before", "commit.after"]


@pytest.fixture
def order(shopper, tea):
    return paid_order(shopper, {tea: 3}, freight_fen=800)


def due_again():
    """Lets the time until the next try be over."""
    for refund in Refund.objects.filter(status=Refund.Status.PENDING):
        Refund.objects.filter(pk=refund.pk).update(due_at=refund.created_at)


@pytest.mark.parametrize("point", POINTS)
def test_who_dies_while_asking_asks_again_with_the_same_key(point, shopper, order, tea):
    with dying_at(point):
        ask(shopper, order, {tea: 1}, key="k")
    assert told(ask(shopper, order, {tea: 1}, key="k")) == ("requested", 1000)
    assert order.refund_requests.count() == 1
    assert audit().broken == {}


@pytest.mark.parametrize("point", POINTS)
def test_who_dies_while_deciding_has_decided_or_not_and_may_say_it_again(
    point, shopper, operator, order, tea
):
    request = ask(shopper, order, {tea: 2})
    with dying_at(point):
        accept(request, operator)
    was_done = point == "commit.after"
    assert told(request)[0] == ("pending" if was_done else "requested")
    assert counters(tea.pool) == ((9, 1) if was_done else (7, 3))

    assert accept(request, operator) is not was_done

    send_money()
    assert told(request) == ("succeeded", 2000)
    assert counters(tea.pool) == (9, 1)
    assert SandboxRefund.objects.count() == 1
    assert audit().broken == {}


@pytest.mark.parametrize("point", POINTS)
def test_what_an_operator_begins_and_dies_over_is_begun_once(point, operator, order, tea):
    with dying_at(point):
        begin(operator, order, {tea: 1}, reference="r")
    begin(operator, order, {tea: 1}, reference="r")
    assert Refund.objects.count() == 1
    assert counters(tea.pool) == (8, 2)
    assert audit().broken == {}


@pytest.mark.parametrize("point", [*POINTS, "refund.provider.after"])
@pytest.mark.parametrize("is_whole", [False, True], ids=["part", "whole"])
def test_who_dies_over_the_money_sends_it_once(point, is_whole, operator, order, tea):
    request = begin(operator, order, None if is_whole else {tea: 2})
    amount_fen = 3800 if is_whole else 2000
    with dying_at(point):
        refunding.refunds_execute()

    due_again()
    send_money()

    assert told(request) == ("succeeded", amount_fen)
    assert SandboxCharge.objects.get().refunded_fen == amount_fen
    order.refresh_from_db()
    assert order.refunded_fen == amount_fen
    assert order.status == (State.REFUNDED if is_whole else State.PAID)
    assert audit().broken == {}


@pytest.mark.parametrize("point", POINTS)
def test_a_wallet_is_paid_back_once(point, shopper, operator, tea):
    fund(shopper, 3000)
    order = place(shopper, {tea: 3})
    pay_from_wallet(shopper, order)
    begin(operator, order, {tea: 2})
    with dying_at(point):
        refunding.refunds_execute()
    due_again()
    send_money()
    assert balance(shopper) == 2000
    assert audit().broken == {}


@pytest.mark.parametrize("point", POINTS)
def test_a_sweeper_that_dies_over_a_refusal_is_followed_by_the_next(point, order, tea, settings):
    settings.ORDER_REFUSE_SECONDS = 60
    age(order, minutes=2)
    with dying_at(point):
        unattended.orders_refuse()
    assert unattended.orders_refuse() == (point == "commit.before")
    send_money()
    order.refresh_from_db()
    assert (order.status, order.refunded_fen) == (State.REFUNDED, 3800)
    assert counters(tea.pool) == (10, 0)
    assert audit().broken == {}


def test_a_refusal_that_died_is_said_again(operator, order, tea):
    with dying_at("commit.before"):
        lifecycle.order_refuse(order_no=order.order_no, operator=operator, reason="closed")
    assert counters(tea.pool) == (7, 3)
    lifecycle.order_refuse(order_no=order.order_no, operator=operator, reason="closed")
    assert counters(tea.pool) == (10, 0)
    assert Refund.objects.count() == 1
    assert audit().broken == {}
