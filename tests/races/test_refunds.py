"""Requests, decisions, refusals and the clock at one moment: units and money go back once."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random
from threading import Barrier
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from goods.models import Sku
from orders import lifecycle, unattended
from orders.models import Order
from orders.payments.models import Refund, SandboxCharge
from orders.refunds import selectors, services
from orders.refunds.models import RefundRequest
from orders.selectors import orders_now
from orders.states import State
from shop.accounts.models import User
from shop.errors import Invalid, OrderState, Refusal
from shop.pools.audit import audit
from tests.factories import make_sku, make_user
from tests.kit.barrier import Outcome, race
from tests.kit.marks import in_both_forms, on_mariadb
from tests.kit.refunds import accept, age, ask, begin, decline, paid_order, send_money, sent, told
from tests.kit.units import counters
from tests.races.test_payments import meet_for_each

pytestmark = on_mariadb

ORDERS = 40


@pytest.fixture
def shopper() -> User:
    return make_user()


@pytest.fixture
def operators() -> list[User]:
    return [make_user(is_staff=True) for _ in range(4)]


@pytest.fixture
def tea() -> Sku:
    return make_sku(stock=1000, price_fen=1000)


def codes(outcomes: list[Outcome[object]]) -> Counter[str]:
    """How many ended in which refusal ("": in none); anything else is raised."""
    ended: Counter[str] = Counter()
    for outcome in outcomes:
        if outcome.error is not None and not isinstance(outcome.error, Refusal):
            raise outcome.error
        ended[outcome.error.code if isinstance(outcome.error, Refusal) else ""] += 1
    return ended


def test_four_operators_decide_about_one_refund_at_once(
    shopper: User, operators: list[User], tea: Sku
) -> None:
    for _ in range(10):
        order = paid_order(shopper, {tea: 2})
        request = ask(shopper, order, {tea: 1})
        runners: list[Callable[[], object]] = [
            partial(step, request, operator)
            for step, operator in zip((accept, decline, accept, decline), operators, strict=True)
        ]

        assert codes(race(runners)) == {"": 1, "invalid": 3}

        request.refresh_from_db()
        is_accepted = request.status == RefundRequest.Status.ACCEPTED
        assert Refund.objects.filter(order=order).count() == is_accepted
        assert order.lines.get().given_back == is_accepted
    assert audit().broken == {}


def test_twenty_parts_of_one_order_at_once_are_never_more_than_it(shopper: User, tea: Sku) -> None:
    order = paid_order(shopper, {tea: 7}, freight_fen=800, discount_fen=6)

    outcomes = race([partial(ask, shopper, order, {tea: 1})] * 20)

    ended = codes(list(outcomes))
    assert ended[""] == 7
    assert ended["invalid"] == 13
    assert sum(one.amount_fen for one in order.refund_requests.all()) == order.total_fen - 800


def test_parts_are_accepted_at_once_and_the_last_of_them_ends_the_order(
    shopper: User, operators: list[User], tea: Sku
) -> None:
    order = paid_order(shopper, {tea: 8}, freight_fen=801, discount_fen=13)
    requests = [ask(shopper, order, {tea: 1}) for _ in range(8)]

    for outcome in race(
        [partial(accept, request, operators[n % 4]) for n, request in enumerate(requests)]
    ):
        outcome.result()
    send_money()

    order.refresh_from_db()
    assert (order.status, order.refunded_fen) == (State.REFUNDED, order.total_fen)
    assert SandboxCharge.objects.get().refunded_fen == order.total_fen
    assert counters(tea.pool) == (1000, 0)
    # One of them was the last, and has the freight.
    assert Counter(one.freight_fen for one in order.refund_requests.all()) == {0: 7, 801: 1}
    assert audit().broken == {}


def test_one_key_20_times_at_once_is_one_request(shopper: User, tea: Sku) -> None:
    order = paid_order(shopper, {tea: 20})
    outcomes = race([partial(ask, shopper, order, {tea: 1}, key="k")] * 20)
    assert len({outcome.result().pk for outcome in outcomes}) == 1
    assert order.refund_requests.count() == 1


def test_one_form_20_times_at_once_is_one_refund(operators: list[User], tea: Sku) -> None:
    order = paid_order(make_user(), {tea: 20})
    sending = partial(begin, operators[0], order, {tea: 1}, reference="r")
    for outcome in race([sending] * 20):
        outcome.result()
    assert Refund.objects.count() == 1
    assert counters(tea.pool) == (981, 19)


@in_both_forms("rounds", short=15, long=300)
def test_a_request_and_the_clock_that_completes_the_order(
    shopper: User, operators: list[User], tea: Sku, settings: Settings, dice: Random, rounds: int
) -> None:
    """Asked for in time, or completed; never a request that nobody waits for, or a lost one."""
    settings.ORDER_COMPLETE_DAYS = 7
    orders = [sent(paid_order(shopper, {tea: 1}), operators[0]) for _ in range(rounds)]
    requests: dict[int, RefundRequest] = {}

    def shopper_asks(number: int) -> None:
        requests[number] = ask(shopper, orders[number])

    def its_time_is_up(number: int) -> None:
        age(orders[number], days=8)
        unattended.orders_complete()

    meet_for_each(rounds, [shopper_asks, its_time_is_up], dice=dice)

    outcome = Counter(Order.objects.values_list("status", flat=True))
    print(outcome)
    assert outcome[State.SHIPPED] + outcome[State.COMPLETED] == rounds
    assert len(requests) == rounds
    for request in requests.values():
        accept(request, operators[0])
    send_money()
    assert set(Order.objects.values_list("status", flat=True)) == {State.REFUNDED}
    assert audit().broken == {}


@in_both_forms("rounds", short=15, long=300)
def test_a_refusal_the_clock_and_a_decision_at_one_moment(
    shopper: User, operators: list[User], tea: Sku, settings: Settings, dice: Random, rounds: int
) -> None:
    """Whoever is first, all of the order's money goes back, and each unit once at most."""
    settings.ORDER_REFUSE_SECONDS = 60
    orders = [paid_order(shopper, {tea: 2}, freight_fen=800) for _ in range(rounds)]
    requests = [ask(shopper, order, {tea: 1}) for order in orders]

    def merchant_refuses(number: int) -> None:
        lifecycle.order_refuse(
            order_no=orders[number].order_no, operator=operators[0], reason="closed"
        )

    def operator_accepts(number: int) -> None:
        try:
            accept(requests[number], operators[1])
        except Invalid as refusal:
            raise OrderState(order_status="declined") from refusal

    def clock_refuses(number: int) -> None:
        age(orders[number], minutes=2)
        unattended.orders_refuse()

    meet_for_each(rounds, [merchant_refuses, operator_accepts, clock_refuses], dice=dice)
    while unattended.orders_refuse():
        pass
    send_money()

    assert set(Order.objects.values_list("status", "refunded_fen")) == {(State.REFUNDED, 2800)}
    answered = Counter(told(request)[0] for request in requests)
    print(answered)
    assert set(answered) <= {"succeeded", "declined"}
    assert counters(tea.pool) == (1000, 0)
    assert audit().broken == {}


def test_four_sweepers_at_once_refuse_each_order_once(
    shopper: User, tea: Sku, settings: Settings
) -> None:
    settings.ORDER_REFUSE_SECONDS = 60
    for _ in range(ORDERS):
        age(paid_order(shopper, {tea: 1}), minutes=2)

    def sweep_all() -> int:
        total = 0
        while moved := unattended.orders_refuse():
            total += moved
        return total

    assert sum(outcome.result() for outcome in race([sweep_all] * 4)) == ORDERS
    assert Refund.objects.count() == ORDERS
    assert counters(tea.pool) == (1000, 0)
    assert audit().broken == {}


def test_without_the_orders_lock_a_unit_is_refunded_twice(
    shopper: User, tea: Sku, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the fault is there to be had, and the audit sees it."""
    order = paid_order(shopper, {tea: 1})
    both_have_looked = Barrier(2)

    def looking(*arguments: Any, **options: Any) -> selectors.Left:
        left = selectors.left_of(*arguments, **options)
        both_have_looked.wait(120)
        return left

    monkeypatch.setattr(
        services, "order_locked", lambda **lookup: orders_now(Order.objects.all()).get(**lookup)
    )
    monkeypatch.setattr(services, "left_of", looking)

    for outcome in race([partial(ask, shopper, order)] * 2):
        outcome.result()

    assert order.refund_requests.count() == 2
    assert set(audit().broken) == {7, 8}
