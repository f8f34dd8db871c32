"""Refunds of paid orders, one step at a time: asked for, decided, and what becomes of the order."""

import pytest
from django.utils import timezone

from orders import lifecycle
from orders.models import OrderLine
from orders.payments.models import Refund, SandboxCharge
from orders.payments.services import sandbox_succeed
from orders.prizes import prize_order_create
from orders.refunds.models import RefundRequest
from orders.refunds.selectors import refunds_of
from orders.states import State
from shop import transactions
from shop.errors import Ended, IdempotencyKeyReused, Invalid, NotFound, OrderState
from shop.pools import services as pools
from shop.pools.audit import audit
from shop.pools.drain import drain
from shop.pools.models import PoolMovement, PoolUser
from shop.pools.services import Claim, Terms
from shop.pools.strategies import Take
from tests.factories import (
    make_sale,
    make_user,
    pay,
    pay_from_wallet,
    place,
    place_in,
    start_payment,
)
from tests.kit.desk import logged
from tests.kit.refunds import accept, ask, begin, decline, paid_order, send_money, sent, told
from tests.kit.units import counters
from tests.kit.wallets import balance, fund

pytestmark = [pytest.mark.django_db]


@pytest.fixture(autouse=True)
def promises_are_kept():
    """Whatever a test does, it leaves no promise broken."""
    yield
    assert audit().broken == {}


def state_of(order):
    order.refresh_from_db()
    return State(order.status)


def history(order):
    return list(order.moves.order_by("pk").values_list("source", "target", "actor"))


def returned(order):
    """What came back of an order: (pool, units) by the number it came under."""
    numbers = [order.order_no, *order.refund_requests.values_list("refund_no", flat=True)]
    movements = PoolMovement.objects.filter(kind="give_back", reference__in=numbers)
    return {
        movement.reference: (movement.pool_id, movement.delta)
        for movement in movements.order_by("pk")
    }


# --- asking


def test_asking_moves_no_money_no_unit_and_no_state(shopper, tea):
    order = paid_order(shopper, {tea: 3}, freight_fen=800)

    request = ask(shopper, order, {tea: 2})

    assert told(request) == ("requested", 2000)
    assert not Refund.objects.exists()
    assert counters(tea.pool) == (7, 3)
    assert state_of(order) == State.PAID
    assert [(one.line.sku_id, one.count) for one in request.lines.all()] == [(tea.pk, 2)]


def test_asking_for_all_of_it_asks_for_the_freight_too(shopper, tea, pot):
    order = paid_order(shopper, {tea: 3, pot: 1}, freight_fen=800, discount_fen=601)
    assert told(ask(shopper, order)) == ("requested", 6000 + 800 - 601)


def test_a_unit_is_asked_for_once_until_that_is_declined(shopper, operator, tea):
    order = paid_order(shopper, {tea: 3})
    first = ask(shopper, order, {tea: 2})

    with pytest.raises(Invalid) as refusal:
        ask(shopper, order, {tea: 2})
    assert [fault["field"] for fault in refusal.value.data["errors"]] == ["items"]
    ask(shopper, order, {tea: 1})
    with pytest.raises(OrderState):
        ask(shopper, order)

    decline(first, operator)
    assert told(first) == ("declined", 2000)
    assert told(ask(shopper, order, {tea: 2})) == ("requested", 2000)


def test_a_repeat_with_its_key_finds_the_request_whatever_became_of_it(shopper, operator, tea):
    order = paid_order(shopper, {tea: 1})
    request = ask(shopper, order, {tea: 1}, key="k")
    assert ask(shopper, order, {tea: 1}, key="k") == request
    accept(request, operator)
    assert ask(shopper, order, {tea: 1}, key="k") == request
    with pytest.raises(IdempotencyKeyReused):
        ask(shopper, order, key="k")
    assert RefundRequest.objects.count() == 1


def test_what_is_not_in_the_order_is_not_found(shopper, tea, pot):
    order = paid_order(shopper, {tea: 1})
    with pytest.raises(NotFound) as refusal:
        ask(shopper, order, {pot: 1})
    assert refusal.value.data == {"sku": pot.pk}
    with pytest.raises(NotFound):
        ask(make_user(), order)


def test_what_is_not_paid_is_not_refunded(shopper, operator, tea):
    order = place(shopper, {tea: 1})
    for attempt in (lambda: ask(shopper, order), lambda: begin(operator, order)):
        with pytest.raises(OrderState) as refusal:
            attempt()
        assert refusal.value.data == {"order_status": "unpaid"}
    lifecycle.order_cancel(user=shopper, order_no=order.order_no)
    with pytest.raises(OrderState):
        ask(shopper, order)


@pytest.mark.parametrize("is_completed", [False, True])
def test_some_days_after_it_was_sent_only_operators_refund(
    shopper, operator, tea, settings, is_completed
):
    settings.REFUND_DAYS = 7
    order = sent(paid_order(shopper, {tea: 2}), operator, days_ago=6)
    ask(shopper, order, {tea: 1})
    late = sent(paid_order(shopper, {tea: 2}), operator, days_ago=0 if is_completed else 8)
    if is_completed:
        lifecycle.order_confirm_receipt(user=shopper, order_no=late.order_no)
        late.moves.update(created_at=late.created_at.replace(year=2020))

    with pytest.raises(Ended):
        ask(shopper, late, {tea: 1})

    assert told(begin(operator, late, {tea: 1})) == ("pending", 1000)


# --- deciding


def test_a_part_accepted_sends_its_money_back_and_lets_the_order_go_on(shopper, operator, tea):
    order = paid_order(shopper, {tea: 3}, freight_fen=800)
    request = ask(shopper, order, {tea: 2})

    assert accept(request, operator) is True

    assert told(request) == ("pending", 2000)
    assert counters(tea.pool) == (9, 1)
    assert returned(order) == {request.refund_no: (tea.pool_id, 2)}
    refund = Refund.objects.get()
    assert (refund.refund_no, refund.cause) == (request.refund_no, Refund.Cause.REQUESTED)
    send_money()
    assert told(request) == ("succeeded", 2000)
    assert state_of(order) == State.PAID
    assert order.refunded_fen == 2000
    assert SandboxCharge.objects.get().refunded_fen == 2000
    assert logged(request) == [(operator.pk, 2, "accepted: 2000 fen, restocked")]
    sent(order, operator)
    assert state_of(order) == State.SHIPPED


def test_units_stay_taken_where_the_operator_says_so(shopper, operator, tea):
    order = paid_order(shopper, {tea: 3})
    accept(ask(shopper, order, {tea: 2}), operator, restock=False)
    assert counters(tea.pool) == (7, 3)
    assert returned(order) == {}
    assert OrderLine.objects.get().given_back == 0
    # What is refunded is refunded: it can't be asked for again to get it back in stock.
    with pytest.raises(Invalid):
        begin(operator, order, {tea: 2})


def test_a_whole_refund_takes_the_order_with_it(shopper, operator, tea, pot):
    order = sent(paid_order(shopper, {tea: 3, pot: 1}, freight_fen=800), operator)
    accept(ask(shopper, order), operator, restock=False)
    assert state_of(order) == State.REFUNDING
    send_money()
    assert state_of(order) == State.REFUNDED
    assert order.refunded_fen == order.total_fen == 6800
    assert history(order)[-2:] == [
        ("shipped", "refunding", "operator"),
        ("refunding", "refunded", "provider"),
    ]
    assert (counters(tea.pool), counters(pot.pool)) == ((7, 3), (4, 1))


def test_parts_that_make_it_whole_do_too_and_the_last_one_takes_the_freight(
    shopper, operator, tea, pot
):
    """Each part is rounded, all of them are exact."""
    order = paid_order(shopper, {tea: 3, pot: 1}, freight_fen=801, discount_fen=1000)
    amounts = []
    for items in ({tea: 1}, {pot: 1}, {tea: 1}, {tea: 1}):
        assert state_of(order) == State.PAID
        request = ask(shopper, order, items)
        accept(request, operator)
        amounts.append(told(request)[1])

    assert amounts == [833, 2500, 833, 834 + 801]
    assert state_of(order) == State.REFUNDING
    send_money()
    assert state_of(order) == State.REFUNDED
    assert sum(amounts) == order.refunded_fen == order.total_fen
    assert (counters(tea.pool), counters(pot.pool)) == ((10, 0), (5, 0))
    assert len(returned(order)) == 4


def test_a_part_is_worth_the_freight_only_if_it_turns_out_to_be_the_last(shopper, operator, tea):
    order = paid_order(shopper, {tea: 2}, freight_fen=800)
    first, second = ask(shopper, order, {tea: 1}), ask(shopper, order, {tea: 1})
    assert [told(one) for one in (first, second)] == [("requested", 1000), ("requested", 1000)]
    accept(second, operator)
    assert (told(second), state_of(order)) == (("pending", 1000), State.PAID)
    accept(first, operator)
    assert (told(first), state_of(order)) == (("pending", 1800), State.REFUNDING)


@pytest.mark.parametrize("freight_fen", [-1, 801])
def test_freight_goes_back_within_bounds(shopper, operator, tea, freight_fen):
    order = paid_order(shopper, {tea: 2}, freight_fen=800)
    request = ask(shopper, order, {tea: 1})
    with pytest.raises(Invalid) as refusal:
        accept(request, operator, freight_fen=freight_fen)
    assert [fault["field"] for fault in refusal.value.data["errors"]] == ["freight_fen"]
    assert told(request) == ("requested", 1000)
    assert counters(tea.pool) == (8, 2)
    assert not Refund.objects.exists()


def test_freight_given_with_a_part_is_not_given_again(shopper, operator, tea):
    order = paid_order(shopper, {tea: 2}, freight_fen=800)
    begin(operator, order, {tea: 1}, freight_fen=500)
    with pytest.raises(Invalid):
        begin(operator, order, {tea: 1}, freight_fen=301)
    last = begin(operator, order)
    assert told(last) == ("pending", 1300)
    assert state_of(order) == State.REFUNDING


def test_of_what_was_sent_the_merchant_may_keep_the_freight_and_then_it_is_not_refunded(
    shopper, operator, tea
):
    order = paid_order(shopper, {tea: 1}, freight_fen=800)
    with pytest.raises(Invalid):
        begin(operator, order, freight_fen=0)
    sent(order, operator)
    begin(operator, order, freight_fen=0)
    send_money()
    assert state_of(order) == State.SHIPPED
    assert order.refunded_fen == 1000
    with pytest.raises(OrderState):
        begin(operator, order)


def test_a_decision_stands(shopper, operator, tea):
    order = paid_order(shopper, {tea: 2})
    other = make_user(is_staff=True)
    yes, no = ask(shopper, order, {tea: 1}), ask(shopper, order, {tea: 1})
    accept(yes, operator)
    decline(no, operator)
    # Sent twice by the same operator it is the same decision.
    assert accept(yes, operator) is False
    assert decline(no, operator) is False
    for attempt in (
        lambda: decline(yes, operator),
        lambda: accept(no, operator),
        lambda: accept(yes, other),
        lambda: decline(no, other),
    ):
        with pytest.raises(Invalid):
            attempt()
    assert Refund.objects.count() == 1
    assert counters(tea.pool) == (9, 1)
    assert len(logged(yes)) == len(logged(no)) == 1


def test_what_an_operator_begins_is_begun_once(shopper, operator, tea):
    order = paid_order(shopper, {tea: 3})
    one = begin(operator, order, {tea: 1}, reference="r")
    assert begin(operator, order, {tea: 1}, reference="r") == one
    assert Refund.objects.count() == 1
    assert logged(one) == [(operator.pk, 1, "accepted: 1000 fen, restocked")]


# --- the merchant's no


def test_a_refusal_refunds_what_is_left_and_overtakes_what_is_asked_for(shopper, operator, tea):
    order = paid_order(shopper, {tea: 3}, freight_fen=800)
    accept(ask(shopper, order, {tea: 1}), operator, restock=False)
    waiting = ask(shopper, order, {tea: 1})

    lifecycle.order_refuse(order_no=order.order_no, operator=operator, reason="closed")

    assert told(waiting)[0] == "declined"
    refusal = order.refund_requests.get(origin=RefundRequest.Origin.REFUSAL)
    assert told(refusal) == ("pending", 2800)
    assert returned(order) == {refusal.refund_no: (tea.pool_id, 2)}
    assert counters(tea.pool) == (9, 1)
    send_money()
    assert (state_of(order), order.refunded_fen) == (State.REFUNDED, 3800)


# --- whoever paid, and whatever it was


def test_a_wallet_gets_each_part_back(shopper, operator, tea):
    fund(shopper, 5000)
    order = place(shopper, {tea: 3})
    pay_from_wallet(shopper, order)
    accept(ask(shopper, order, {tea: 1}), operator)
    assert balance(shopper) == 2000
    send_money()
    assert balance(shopper) == 3000
    accept(ask(shopper, order), operator)
    send_money()
    assert (balance(shopper), state_of(order)) == (5000, State.REFUNDED)


def test_a_sale_gets_its_units_back_and_its_shopper_the_right_to_others(shopper, operator):
    sale = make_sale(total=5, price_fen=100, per_user_limit=2)
    order = place_in(sale, shopper, 2)
    drain(sale.queue_id)
    pay(shopper, order)
    request = begin(operator, order, {sale.sku: 1})
    assert told(request) == ("pending", 100)
    assert counters(sale.pool) == (4, 1)
    assert PoolUser.objects.get(user=shopper).taken == 1
    begin(operator, order, restock=False)
    assert PoolUser.objects.get(user=shopper).taken == 1
    assert state_of(order) == State.REFUNDING


def test_a_prize_has_no_money_and_its_unit_comes_back(shopper, operator, tea):
    def win():
        pools.take(Claim("draw-1", 0, [Take(tea.pool_id, 1)]), terms={tea.pool_id: Terms()})
        return prize_order_create(
            user_id=shopper.pk, sku=tea, reference="draw-1", draw="d", now=timezone.now()
        )

    order = transactions.run(win)
    request = ask(shopper, order)
    assert told(request) == ("requested", 0)
    accept(request, operator)
    assert told(request) == ("succeeded", 0)
    assert state_of(order) == State.REFUNDED
    assert counters(tea.pool) == (10, 0)
    assert not Refund.objects.exists()


def test_a_payment_that_came_second_is_refunded_beside_it(shopper, operator, tea):
    order = place(shopper, {tea: 2})
    first, second = start_payment(shopper, order), start_payment(shopper, order)
    sandbox_succeed(first)
    sandbox_succeed(second)

    begin(operator, order, {tea: 1})
    send_money()

    back = dict(Refund.objects.values_list("payment__payment_no", "amount_fen"))
    assert back == {first.payment_no: 1000, second.payment_no: 2000}
    assert (state_of(order), order.refunded_fen) == (State.PAID, 3000)
    late, asked_for = refunds_of(order)
    assert (late.amount_fen, late.items) == (2000, [])
    assert (asked_for.amount_fen, asked_for.items) == (1000, [{"sku": tea.pk, "count": 1}])
