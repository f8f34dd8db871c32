"""Money, time and second thoughts at one moment: one wins, and the others leave nothing."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random
from threading import Barrier, BrokenBarrierError, Event

from orders import lifecycle
from orders.models import Order
from orders.payments import refunding
from orders.payments import services as payments
from orders.payments.models import Payment, Refund, SandboxCharge
from orders.states import State
from shop.errors import OrderState
from shop.pools.audit import audit
from tests.factories import make_address, make_sku, make_user, overdue, place, start_payment
from tests.kit.barrier import race
from tests.kit.marks import in_both_forms, on_mariadb
from tests.kit.units import counters

pytestmark = on_mariadb

WAIT_SECONDS = 300
# About as long as a sweep takes until it has asked the provider.
HEAD_START_SECONDS = 0.02
MOST_HEAD_START_SECONDS = 0.2
Runner = Callable[[int], None]


def meet_for_each(
    rounds: int, runners: list[Runner], *, dice: Random, head_start: float = HEAD_START_SECONDS
) -> None:
    """Runs all `runners` from one barrier for each of the rounds, with head starts by chance.

    Without them the shortest of the runners wins every round, which is no race. So that each of
    them wins one on any machine, in the first rounds one after the other is let go first, and the
    rest wait until it is done. A refusal by the order's state is an answer.
    """
    start, first_is_done = Barrier(len(runners)), [Event() for _ in runners]
    head_starts = [[dice.uniform(0, head_start) for _ in range(rounds)] for _ in runners]

    def run(own: int) -> None:
        try:
            for number, wait in enumerate(head_starts[own]):
                start.wait(WAIT_SECONDS)
                if number >= len(runners):
                    time.sleep(wait)
                elif number != own:
                    assert first_is_done[number].wait(WAIT_SECONDS)
                with suppress(OrderState):
                    runners[own](number)
                if number == own:
                    first_is_done[own].set()
        except BaseException:
            start.abort()  # nobody waits for whoever has failed
            first_is_done[own].set()
            raise

    runs = [partial(run, own) for own in range(len(runners))]
    outcomes = race(runs)
    for outcome in sorted(outcomes, key=lambda one: isinstance(one.error, BrokenBarrierError)):
        outcome.result()


def sweep(_number: int = 0) -> None:
    """What the bells ring for, once."""
    lifecycle.orders_expire()
    payments.payments_close()
    refunding.refunds_execute()


def sweep_until_idle() -> None:
    while lifecycle.orders_expire() + payments.payments_close() + refunding.refunds_execute():
        pass


def fates() -> Counter[tuple[str, bool, bool]]:
    """How many orders ended as (state, money received, money returned)."""
    returned = set(
        Refund.objects.filter(status=Refund.Status.SUCCEEDED).values_list("order_id", flat=True)
    )
    received = set(
        Payment.objects.filter(status=Payment.Status.SUCCEEDED).values_list("order_id", flat=True)
    )
    return Counter(
        (order.status, order.pk in received, order.pk in returned) for order in Order.objects.all()
    )


@in_both_forms("orders", short=60, long=500)
def test_a_payment_and_the_timeout_at_one_moment(strategy: str, dice: Random, orders: int) -> None:
    """Paid with its stock, or expired with the stock back and the money refunded, each time."""
    tea, user = make_sku(stock=orders), make_user()
    address = make_address(user)
    placed = [place(user, {tea: 1}, address=address) for _ in range(orders)]
    opened = [start_payment(user, order) for order in placed]

    def time_is_up(number: int) -> None:
        overdue(placed[number])
        sweep()

    def money_arrives(number: int) -> None:
        payments.sandbox_succeed(opened[number])

    # The last of them alone says how long a sweep takes here and now.
    began = time.monotonic()
    time_is_up(orders - 1)
    head_start = min(2 * (time.monotonic() - began), MOST_HEAD_START_SECONDS)
    meet_for_each(orders - 1, [money_arrives, time_is_up], dice=dice, head_start=head_start)
    sweep_until_idle()

    outcome = fates()
    print(outcome)
    paid = outcome[State.PAID, True, False]
    expired = outcome[State.EXPIRED, False, False] + outcome[State.EXPIRED, True, True]
    assert paid + expired == orders
    assert min(paid, expired - 1) > 0
    assert counters(tea.pool) == (expired, paid)
    # The provider's books say the same.
    kept = SandboxCharge.objects.filter(status=SandboxCharge.Status.PAID, refunded_fen=0)
    assert kept.count() == paid
    assert audit().broken == {}


@in_both_forms("orders", short=60, long=500)
def test_cancelling_paying_and_the_timeout_at_one_moment(
    strategy: str, dice: Random, orders: int
) -> None:
    """One of the three wins each order, its history is a line, and nobody's money stays."""
    tea, user = make_sku(stock=orders), make_user()
    address = make_address(user)
    placed = [place(user, {tea: 1}, address=address) for _ in range(orders)]
    opened = [start_payment(user, order) for order in placed]

    def time_is_up(number: int) -> None:
        overdue(placed[number])
        sweep()

    def money_arrives(number: int) -> None:
        payments.sandbox_succeed(opened[number])

    def shopper_cancels(number: int) -> None:
        lifecycle.order_cancel(user=user, order_no=placed[number].order_no)

    meet_for_each(orders, [shopper_cancels, money_arrives, time_is_up], dice=dice)
    sweep_until_idle()

    outcome = fates()
    print(outcome)
    paid = outcome[State.PAID, True, False]
    over = sum(
        outcome[state, money, money]
        for state in (State.CANCELLED, State.EXPIRED)
        for money in (True, False)
    )
    assert paid + over == orders
    assert {state for state, _, _ in outcome} == {State.PAID, State.CANCELLED, State.EXPIRED}
    assert counters(tea.pool) == (over, paid)
    kept = SandboxCharge.objects.filter(status=SandboxCharge.Status.PAID, refunded_fen=0)
    assert kept.count() == paid
    assert audit().broken == {}


def test_four_sweepers_at_once_expire_each_order_once(strategy: str) -> None:
    tea, user = make_sku(stock=300), make_user()
    address = make_address(user)
    for _ in range(300):
        overdue(place(user, {tea: 1}, address=address))

    def sweep_all() -> int:
        total = 0
        while moved := lifecycle.orders_expire():
            total += moved
        return total

    outcomes = race([sweep_all] * 4)

    assert sum(outcome.result() for outcome in outcomes) == 300
    assert counters(tea.pool) == (300, 0)
    assert audit().broken == {}


def test_one_key_20_times_at_once_is_one_payment() -> None:
    user = make_user()
    order = place(user, {make_sku(stock=1): 1})

    outcomes = race([partial(start_payment, user, order, key="k")] * 20)

    payment = Payment.objects.get()
    assert {outcome.result().pk for outcome in outcomes} == {payment.pk}
    assert SandboxCharge.objects.get().payment_no == payment.payment_no
    assert audit().broken == {}


def test_one_payment_told_20_times_at_once_has_one_effect() -> None:
    tea, user = make_sku(stock=1, price_fen=1000), make_user()
    payment = start_payment(user, place(user, {tea: 1}))
    payments.sandbox.succeed(payment_no=payment.payment_no)
    tell = partial(
        payments.payment_succeeded,
        payment_no=payment.payment_no,
        provider="sandbox",
        amount_fen=payment.amount_fen,
    )

    for outcome in race([tell] * 20):
        outcome.result()

    order = Order.objects.get()
    assert order.status == State.PAID
    assert order.moves.count() == 1
    assert not Refund.objects.exists()
    assert audit().broken == {}


def test_two_payments_of_one_order_at_once_leave_one_and_refund_the_other() -> None:
    tea, user = make_sku(stock=1, price_fen=1000), make_user()
    order = place(user, {tea: 1})
    one, two = start_payment(user, order), start_payment(user, order)

    for outcome in race([partial(payments.sandbox_succeed, payment) for payment in (one, two)]):
        outcome.result()
    sweep_until_idle()

    order.refresh_from_db()
    assert (order.status, order.refunded_fen) == (State.PAID, 1000)
    assert Payment.objects.filter(status=Payment.Status.SUCCEEDED).count() == 2
    assert Refund.objects.get().cause == Refund.Cause.LATE
    assert audit().broken == {}
