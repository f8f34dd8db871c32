"""What happens to an order after it is placed, one step at a time."""

import pytest
from django.db import OperationalError, connection

from orders import lifecycle
from orders.models import OrderLine, OrderMove
from orders.payments import refunding
from orders.payments import services as payments
from orders.payments.models import Payment, Refund, SandboxCharge
from orders.payments.providers import Charge
from orders.selectors import order_of, orders_of
from orders.states import State
from shop.errors import NotFound, OrderState
from shop.pools.models import PoolMovement
from tests.factories import make_sku, make_user, overdue, pay, place, start_payment

pytestmark = [pytest.mark.django_db]


@pytest.fixture
def shopper():
    return make_user()


@pytest.fixture
def tea():
    return make_sku(stock=10, price_fen=1000)


@pytest.fixture
def order(shopper, tea):
    return place(shopper, {tea: 3})


def counters(sku):
    sku.pool.refresh_from_db()
    return sku.stock, sku.sold


def state_of(order):
    order.refresh_from_db()
    return State(order.status)


def history(order):
    return list(
        OrderMove.objects.filter(order=order).order_by("pk").values_list("source", "target")
    )


def test_paying_moves_the_order_to_paid_and_keeps_its_units(shopper, order, tea):
    payment = pay(shopper, order)
    assert payment.status == Payment.Status.SUCCEEDED
    assert state_of(order) == State.PAID
    assert order.paid_at is not None
    assert counters(tea) == (7, 3)
    assert history(order) == [("unpaid", "paid")]


def test_a_notification_that_comes_twice_has_one_effect(shopper, order):
    payment = pay(shopper, order)
    payments.payment_succeeded(
        payment_no=payment.payment_no, provider="sandbox", amount_fen=payment.amount_fen
    )
    assert history(order) == [("unpaid", "paid")]
    assert not Refund.objects.exists()


def test_a_notification_of_another_amount_changes_nothing(shopper, order):
    payment = start_payment(shopper, order)
    with pytest.raises(Exception, match="invalid"):
        payments.payment_succeeded(
            payment_no=payment.payment_no, provider="sandbox", amount_fen=payment.amount_fen - 1
        )
    assert state_of(order) == State.UNPAID
    payment.refresh_from_db()
    assert payment.status == Payment.Status.PENDING


def test_cancelling_gives_the_units_back_at_once_and_only_once(shopper, order, tea):
    lifecycle.order_cancel(user=shopper, order_no=order.order_no)
    lifecycle.order_cancel(user=shopper, order_no=order.order_no)
    assert state_of(order) == State.CANCELLED
    assert counters(tea) == (10, 0)
    assert PoolMovement.objects.filter(reference=order.order_no, kind="give_back").count() == 1
    assert history(order) == [("unpaid", "cancelled")]


def test_a_paid_order_cannot_be_cancelled(shopper, order, tea):
    pay(shopper, order)
    with pytest.raises(OrderState) as refusal:
        lifecycle.order_cancel(user=shopper, order_no=order.order_no)
    assert refusal.value.data == {"order_status": "paid"}
    assert counters(tea) == (7, 3)


def test_somebody_elses_order_cannot_be_cancelled(order, tea):
    with pytest.raises(NotFound):
        lifecycle.order_cancel(user=make_user(), order_no=order.order_no)
    assert counters(tea) == (7, 3)


def test_an_overdue_order_is_expired_before_any_sweeper_was_there(shopper, order):
    overdue(order)
    assert order_of(shopper, order.order_no).status_now == State.EXPIRED
    assert [row.pk for row in orders_of(shopper, status="expired")] == [order.pk]
    assert list(orders_of(shopper, status="unpaid")) == []
    with pytest.raises(OrderState) as refusal:
        start_payment(shopper, order)
    assert refusal.value.data == {"order_status": "expired"}
    with pytest.raises(OrderState):
        lifecycle.order_cancel(user=shopper, order_no=order.order_no)


def test_the_sweeper_expires_what_is_overdue_and_nothing_else(shopper, order, tea):
    other = place(shopper, {tea: 2})
    overdue(order)
    assert lifecycle.orders_expire() == 1
    assert lifecycle.orders_expire() == 0
    assert state_of(order) == State.EXPIRED
    assert state_of(other) == State.UNPAID
    assert counters(tea) == (8, 2)
    assert OrderLine.objects.get(order=order).given_back == 3


def test_a_batch_of_overdue_orders_gives_each_its_own_movement(shopper, tea):
    pot = make_sku(stock=5)
    orders = [overdue(place(shopper, {tea: 2, pot: 1})) for _ in range(3)]
    assert lifecycle.orders_expire() == 3
    assert counters(tea) == (10, 0)
    assert counters(pot) == (5, 0)
    back = PoolMovement.objects.filter(kind="give_back").values_list("reference", "delta")
    assert sorted(back) == sorted((o.order_no, n) for o in orders for n in (2, 1))


def test_an_overdue_order_with_an_open_payment_waits_for_the_provider(shopper, order, tea):
    payment = start_payment(shopper, order)
    overdue(order)
    assert order_of(shopper, order.order_no).status_now == State.CLOSING
    lifecycle.orders_expire()
    assert state_of(order) == State.CLOSING
    assert counters(tea) == (7, 3)

    assert payments.payments_close() == 1

    payment.refresh_from_db()
    assert payment.status == Payment.Status.CLOSED
    assert SandboxCharge.objects.get().status == SandboxCharge.Status.CLOSED
    assert state_of(order) == State.EXPIRED
    assert counters(tea) == (10, 0)
    with pytest.raises(OrderState):
        payments.sandbox_succeed(payment)


def test_money_that_was_there_before_the_close_pays_the_order(shopper, order, tea):
    payment = start_payment(shopper, order)
    payments.sandbox.succeed(payment_no=payment.payment_no)  # its notification is lost
    overdue(order)
    lifecycle.orders_expire()
    payments.payments_close()
    assert state_of(order) == State.PAID
    assert counters(tea) == (7, 3)
    assert not Refund.objects.exists()


def test_money_that_comes_after_the_cancel_goes_back_once(shopper, order, tea):
    payment = start_payment(shopper, order)
    lifecycle.order_cancel(user=shopper, order_no=order.order_no)
    payments.sandbox_succeed(payment)
    payments.sandbox_succeed(payment)
    payments.payments_close()

    refund = Refund.objects.get()
    assert (refund.amount_fen, refund.cause) == (order.total_fen, Refund.Cause.LATE)
    assert refunding.refunds_execute() == 1
    assert refunding.refunds_execute() == 0

    assert state_of(order) == State.CANCELLED
    assert order.refunded_fen == order.total_fen
    assert SandboxCharge.objects.get().refunded_fen == order.total_fen
    assert counters(tea) == (10, 0)


def test_the_second_of_two_payments_goes_back(shopper, order):
    first, second = start_payment(shopper, order), start_payment(shopper, order)
    payments.sandbox_succeed(first)
    payments.sandbox_succeed(second)
    assert state_of(order) == State.PAID
    assert Refund.objects.get().payment == second


def test_paying_one_of_two_payments_closes_the_other(shopper, order):
    first, second = start_payment(shopper, order), start_payment(shopper, order)
    payments.sandbox_succeed(first)
    payments.payments_close()
    second.refresh_from_db()
    assert second.status == Payment.Status.CLOSED
    assert state_of(order) == State.PAID


def test_a_charge_that_never_reached_the_provider_is_closed_there_for_ever(shopper, order):
    payment = start_payment(shopper, order)
    SandboxCharge.objects.all().delete()
    overdue(order)
    lifecycle.orders_expire()
    payments.payments_close()
    payments.sandbox.create(Charge(payment.payment_no, payment.amount_fen))
    assert SandboxCharge.objects.get().status == SandboxCharge.Status.CLOSED
    assert state_of(order) == State.EXPIRED


def test_the_merchant_accepts_ships_and_the_shopper_confirms(shopper, order):
    operator = make_user(is_staff=True)
    pay(shopper, order)
    lifecycle.order_accept(order_no=order.order_no, operator=operator)
    lifecycle.order_ship(
        order_no=order.order_no, operator=operator, courier="SF", tracking_no="SF1"
    )
    lifecycle.order_confirm_receipt(user=shopper, order_no=order.order_no)
    lifecycle.order_confirm_receipt(user=shopper, order_no=order.order_no)
    assert state_of(order) == State.COMPLETED
    assert history(order) == [
        ("unpaid", "paid"),
        ("paid", "accepted"),
        ("accepted", "shipped"),
        ("shipped", "completed"),
    ]
    assert (order.courier, order.tracking_no) == ("SF", "SF1")


def test_a_refused_order_gives_units_and_money_back(shopper, order, tea):
    pay(shopper, order)
    lifecycle.order_refuse(
        order_no=order.order_no, operator=make_user(is_staff=True), reason="closed tonight"
    )
    assert state_of(order) == State.REFUNDING
    assert counters(tea) == (10, 0)
    refunding.refunds_execute()
    assert state_of(order) == State.REFUNDED
    assert order.refunded_fen == order.total_fen


def test_a_refused_order_that_was_paid_twice_gets_each_payment_back_once(shopper, order):
    first, second = start_payment(shopper, order), start_payment(shopper, order)
    payments.sandbox_succeed(first)
    payments.sandbox_succeed(second)
    refunding.refunds_execute()
    lifecycle.order_refuse(order_no=order.order_no, operator=make_user(), reason="closed")
    refunding.refunds_execute()
    assert state_of(order) == State.REFUNDED
    refunded = Refund.objects.values_list("payment_id", "amount_fen", "status")
    assert sorted(refunded) == [
        (first.pk, order.total_fen, "succeeded"),
        (second.pk, order.total_fen, "succeeded"),
    ]


def test_a_refused_order_of_nothing_to_pay_is_refunded_at_once(shopper, tea):
    free = place(shopper, {make_sku(price_fen=0): 1})
    lifecycle.order_refuse(order_no=free.order_no, operator=make_user(), reason="closed")
    assert state_of(free) == State.REFUNDED
    assert not Refund.objects.exists()


@pytest.mark.parametrize("step", ["accept", "refuse", "ship"])
def test_an_unpaid_order_is_not_the_merchants_yet(order, tea, step):
    operator = make_user(is_staff=True)
    steps = {
        "accept": lambda: lifecycle.order_accept(order_no=order.order_no, operator=operator),
        "refuse": lambda: lifecycle.order_refuse(
            order_no=order.order_no, operator=operator, reason="no"
        ),
        "ship": lambda: lifecycle.order_ship(
            order_no=order.order_no, operator=operator, courier="SF", tracking_no="1"
        ),
    }
    with pytest.raises(OrderState):
        steps[step]()
    assert state_of(order) == State.UNPAID
    assert counters(tea) == (7, 3)
    assert history(order) == []


class Deadlocks:
    """The database breaks off the first UPDATE of a table, as if two had waited for each other."""

    def __init__(self, table):
        self._table = table
        self.seen = 0

    def __call__(self, execute, sql, params, many, context):
        if not self.seen and sql.startswith("UPDATE") and self._table in sql:
            self.seen += 1
            raise OperationalError(1213, "Deadlock found when trying to get lock")
        return execute(sql, params, many, context)


@pytest.mark.django_db(transaction=True)
def test_a_deadlock_over_a_claim_stops_no_sweep(shopper, order, operator):
    start_payment(shopper, order)
    lifecycle.order_cancel(user=shopper, order_no=order.order_no)
    with connection.execute_wrapper(deadlock := Deadlocks("payments_payment")):
        assert payments.payments_close() == 1
    assert deadlock.seen == 1

    paid = place(shopper, {make_sku(stock=1): 1})
    pay(shopper, paid)
    lifecycle.order_refuse(order_no=paid.order_no, operator=operator, reason="sold out")
    with connection.execute_wrapper(deadlock := Deadlocks("payments_refund")):
        assert refunding.refunds_execute() == 1
    assert deadlock.seen == 1


@pytest.mark.django_db(transaction=True)
def test_a_deadlock_over_what_a_provider_said_opens_the_payment_all_the_same(shopper, order):
    with connection.execute_wrapper(deadlock := Deadlocks("payments_payment")):
        payment = start_payment(shopper, order)
    assert deadlock.seen == 1
    assert payment.params is not None
