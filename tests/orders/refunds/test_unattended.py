"""Paid orders by the clock alone: accepted, refused, completed, where the settings say so."""

import pytest

from orders import lifecycle, unattended
from orders.models import Order
from orders.states import State
from orders.tasks import answer_orders
from shop.pools.audit import audit
from tests.factories import make_user, place
from tests.kit.refunds import age, ask, decline, paid_order, send_money, sent, told
from tests.kit.units import counters

pytestmark = [pytest.mark.django_db]


@pytest.fixture(autouse=True)
def promises_are_kept():
    """Whatever a test does, it leaves no promise broken."""
    yield
    assert audit().broken == {}


@pytest.fixture
def order(shopper, tea):
    return paid_order(shopper, {tea: 2}, freight_fen=800)


def state_of(order):
    order.refresh_from_db()
    return State(order.status)


def last_move(order):
    move = order.moves.latest("pk")
    return move.source, move.target, move.actor, move.operator, move.reason


def sweep():
    return unattended.orders_accept() + unattended.orders_refuse() + unattended.orders_complete()


def test_by_default_the_merchant_answers(order, django_assert_num_queries):
    age(order, days=100)
    with django_assert_num_queries(0):
        assert answer_orders() == 0
    assert sweep() == 0
    assert state_of(order) == State.PAID


def test_where_the_shop_accepts_all_paid_orders_are_accepted(order, shopper, tea, settings):
    settings.ORDER_AUTO_ACCEPT = True
    settings.ORDER_REFUSE_SECONDS = 1
    unpaid = place(shopper, {tea: 1})
    age(order, hours=1)

    assert sweep() == 1

    assert (state_of(order), state_of(unpaid)) == (State.ACCEPTED, State.UNPAID)
    assert last_move(order) == ("paid", "accepted", "sweeper", None, "")


def test_what_is_not_answered_in_time_is_refused_and_its_money_goes_back(
    order, shopper, operator, tea, settings
):
    settings.ORDER_REFUSE_SECONDS = 600
    in_time, answered = (paid_order(shopper, {tea: 1}) for _ in range(2))
    lifecycle.order_accept(order_no=answered.order_no, operator=operator)
    age(order, minutes=11)
    age(answered, minutes=11)
    age(in_time, minutes=9)

    assert sweep() == 1

    assert state_of(order) == State.REFUNDING
    assert (state_of(in_time), state_of(answered)) == (State.PAID, State.ACCEPTED)
    assert last_move(order) == ("paid", "refunding", "sweeper", None, "no answer")
    assert counters(tea.pool) == (8, 2)
    send_money()
    assert (state_of(order), order.refunded_fen) == (State.REFUNDED, 2800)
    assert sweep() == 0


def test_a_prize_is_not_lost_by_the_merchants_silence(order, settings):
    settings.ORDER_REFUSE_SECONDS = 600
    Order.objects.filter(pk=order.pk).update(kind=Order.Kind.PRIZE)
    age(order, minutes=11)
    assert sweep() == 0
    assert state_of(order) == State.PAID


@pytest.mark.parametrize("placed_days_before", [0, 30])
def test_some_days_after_it_was_sent_an_order_is_completed(
    order, operator, settings, placed_days_before
):
    settings.ORDER_COMPLETE_DAYS = 7
    age(order, days=placed_days_before)
    sent(order, operator, days_ago=6)
    assert sweep() == 0
    age(order, days=1)
    assert sweep() == 1
    assert state_of(order) == State.COMPLETED
    assert last_move(order) == ("shipped", "completed", "sweeper", None, "")


def test_zero_days_leave_it_to_the_shopper(order, operator, settings):
    settings.ORDER_COMPLETE_DAYS = 0
    sent(order, operator, days_ago=1000)
    assert sweep() == 0


def test_whoever_asks_for_a_refund_gets_an_answer_first(order, shopper, operator, tea, settings):
    settings.ORDER_AUTO_ACCEPT = True
    request = ask(shopper, order, {tea: 1})
    assert sweep() == 0
    decline(request, operator)
    assert sweep() == 1
    settings.ORDER_COMPLETE_DAYS = 7
    lifecycle.order_ship(
        order_no=order.order_no, operator=make_user(), courier="SF", tracking_no="1"
    )
    request = ask(shopper, order, {tea: 1})
    age(order, days=8)
    assert sweep() == 0
    decline(request, operator)
    assert (sweep(), state_of(order)) == (1, State.COMPLETED)
    assert told(request)[0] == "declined"


def test_those_that_wait_for_an_answer_keep_no_other_from_its_turn(
    order, shopper, tea, settings, monkeypatch
):
    monkeypatch.setattr(unattended, "BATCH", 1)
    settings.ORDER_AUTO_ACCEPT = True
    ask(shopper, order, {tea: 1})
    later = paid_order(shopper, {tea: 1})
    assert sweep() == 1
    assert (state_of(order), state_of(later)) == (State.PAID, State.ACCEPTED)
