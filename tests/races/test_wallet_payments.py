"""Paying from a wallet against time, second thoughts, another payment and another order."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random

from orders import lifecycle
from orders.models import Order
from orders.payments import refunding
from orders.payments import services as payments
from orders.payments.models import Payment, Refund, SandboxCharge
from orders.states import State
from shop.errors import InsufficientBalance, OrderState
from shop.pools.audit import audit
from shop.wallet.models import Posting, Transaction
from tests.factories import (
    make_address,
    make_sku,
    make_user,
    overdue,
    overdue_top_up,
    pay_from_wallet,
    place,
    start_payment,
    start_top_up,
)
from tests.kit.barrier import race
from tests.kit.marks import on_mariadb
from tests.kit.units import counters
from tests.kit.wallets import balance, fund
from tests.races.test_payments import fates, meet_for_each, sweep, sweep_until_idle

pytestmark = on_mariadb

ORDERS = 80
PRICE_FEN = 100


def test_the_wallet_the_timeout_and_a_cancel_at_one_moment(dice: Random) -> None:
    """One of the three wins each order: paid with its money, or over with the money untouched."""
    tea, user = make_sku(stock=ORDERS, price_fen=PRICE_FEN), make_user()
    fund(user, ORDERS * PRICE_FEN)
    address = make_address(user)
    placed = [place(user, {tea: 1}, address=address) for _ in range(ORDERS)]

    def time_is_up(number: int) -> None:
        overdue(placed[number])
        sweep()

    def wallet_pays(number: int) -> None:
        pay_from_wallet(user, placed[number])

    def shopper_cancels(number: int) -> None:
        lifecycle.order_cancel(user=user, order_no=placed[number].order_no)

    meet_for_each(ORDERS, [wallet_pays, time_is_up, shopper_cancels], dice=dice)
    sweep_until_idle()

    outcome = fates()
    print(outcome)
    paid = outcome[State.PAID, True, False]
    expired, cancelled = (
        outcome[state, False, False] for state in (State.EXPIRED, State.CANCELLED)
    )
    assert paid + expired + cancelled == ORDERS
    assert min(paid, expired, cancelled) > 0
    assert counters(tea.pool) == (ORDERS - paid, paid)
    assert balance(user) == (ORDERS - paid) * PRICE_FEN
    assert Payment.objects.count() == paid
    assert audit().broken == {}


def test_the_wallet_and_the_sandbox_pay_one_order_at_one_moment(dice: Random) -> None:
    """Whichever is first keeps it; what comes from the sandbox second goes back there, and the
    wallet that is second is not touched."""
    tea, user = make_sku(stock=ORDERS, price_fen=PRICE_FEN), make_user()
    fund(user, ORDERS * PRICE_FEN)
    address = make_address(user)
    placed = [place(user, {tea: 1}, address=address) for _ in range(ORDERS)]
    opened = [start_payment(user, order) for order in placed]

    def wallet_pays(number: int) -> None:
        pay_from_wallet(user, placed[number])

    def money_arrives(number: int) -> None:
        payments.sandbox_succeed(opened[number])

    meet_for_each(ORDERS, [wallet_pays, money_arrives], dice=dice)
    sweep_until_idle()

    assert set(Order.objects.values_list("status", flat=True)) == {State.PAID}
    from_wallet = Payment.objects.filter(provider="wallet").count()
    kept = SandboxCharge.objects.filter(status="paid", refunded_fen=0).count()
    assert from_wallet + kept == ORDERS
    assert min(from_wallet, kept) > 0
    assert balance(user) == kept * PRICE_FEN
    assert counters(tea.pool) == (0, ORDERS)
    assert audit().broken == {}


def tried(runner: Callable[[], object]) -> str:
    """What became of it: "paid", or the code of the refusal."""
    try:
        runner()
    except (InsufficientBalance, OrderState) as refusal:
        return refusal.code
    return "paid"


def test_of_two_orders_and_a_balance_for_one_one_is_paid() -> None:
    for _ in range(30):
        user = make_user()
        fund(user, PRICE_FEN + PRICE_FEN // 2)
        orders = [place(user, {make_sku(stock=1, price_fen=PRICE_FEN): 1}) for _ in range(2)]

        runners = [partial(tried, partial(pay_from_wallet, user, order)) for order in orders]
        outcomes = [outcome.result() for outcome in race(runners)]

        assert sorted(outcomes) == ["insufficient_balance", "paid"]
        assert balance(user) == PRICE_FEN // 2
        paid = orders[outcomes.index("paid")]
        assert Payment.objects.get(user=user).order == paid
        assert {order.pk for order in Order.objects.filter(user=user, status="paid")} == {paid.pk}
    assert audit().broken == {}


def test_50_payments_of_50_orders_at_once_pay_as_many_as_the_balance_covers() -> None:
    tea, user = make_sku(stock=50, price_fen=PRICE_FEN), make_user()
    fund(user, 20 * PRICE_FEN + 99)
    address = make_address(user)
    placed = [place(user, {tea: 1}, address=address) for _ in range(50)]

    runners = [partial(tried, partial(pay_from_wallet, user, order)) for order in placed]
    outcomes = Counter(outcome.result() for outcome in race(runners))

    assert outcomes == {"paid": 20, "insufficient_balance": 30}
    assert balance(user) == 99
    assert Payment.objects.count() == 20
    assert Order.objects.filter(status="paid").count() == 20
    assert audit().broken == {}


def test_50_payments_of_one_order_at_once_pay_it_once() -> None:
    user = make_user()
    fund(user, 50 * PRICE_FEN)
    order = place(user, {make_sku(stock=1, price_fen=PRICE_FEN): 1})

    runners = [partial(tried, partial(pay_from_wallet, user, order))] * 50
    outcomes = Counter(outcome.result() for outcome in race(runners))

    assert outcomes == {"paid": 1, "order_state": 49}
    assert balance(user) == 49 * PRICE_FEN
    assert audit().broken == {}


def test_one_key_20_times_at_once_is_one_payment() -> None:
    user = make_user()
    fund(user, 20 * PRICE_FEN)
    order = place(user, {make_sku(stock=1, price_fen=PRICE_FEN): 1})

    outcomes = race([partial(pay_from_wallet, user, order, key="k")] * 20)

    assert {outcome.result().pk for outcome in outcomes} == {Payment.objects.get().pk}
    assert balance(user) == 19 * PRICE_FEN
    assert audit().broken == {}


def test_a_top_up_told_20_times_while_it_is_closed_and_spent_is_credited_once() -> None:
    user = make_user()
    order = place(user, {make_sku(stock=1, price_fen=PRICE_FEN): 1})
    payment = overdue_top_up(start_top_up(user, PRICE_FEN))
    payments.sandbox.succeed(payment_no=payment.payment_no)
    tell = partial(
        payments.payment_succeeded,
        payment_no=payment.payment_no,
        provider="sandbox",
        amount_fen=PRICE_FEN,
    )

    def spend() -> None:
        with suppress(InsufficientBalance, OrderState):
            pay_from_wallet(user, order)

    for outcome in race([tell] * 20 + [sweep] * 4 + [spend] * 8):
        outcome.result()
    sweep_until_idle()

    payment.refresh_from_db()
    assert payment.status == Payment.Status.SUCCEEDED
    assert Transaction.objects.filter(kind="top_up").count() == 1
    spent = Payment.objects.filter(provider="wallet").count()
    assert balance(user) == (1 - spent) * PRICE_FEN
    assert audit().broken == {}


def test_four_sweepers_at_once_give_each_refund_back_once() -> None:
    tea, user, operator = make_sku(stock=60, price_fen=PRICE_FEN), make_user(), make_user()
    fund(user, 60 * PRICE_FEN)
    address = make_address(user)
    for _ in range(60):
        order = place(user, {tea: 1}, address=address)
        pay_from_wallet(user, order)
        lifecycle.order_refuse(order_no=order.order_no, operator=operator, reason="none left")

    outcomes = race([refunding.refunds_execute] * 4)

    assert sum(outcome.result() for outcome in outcomes) <= 60
    sweep_until_idle()
    assert balance(user) == 60 * PRICE_FEN
    assert Posting.objects.filter(transaction__kind="refund", account__user=user).count() == 60
    assert set(Refund.objects.values_list("status", flat=True)) == {"succeeded"}
    assert counters(tea.pool) == (60, 0)
    assert audit().broken == {}
