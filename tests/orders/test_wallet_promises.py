"""Promise 7 about wallets: silent in order, and exact about what is booked wrongly."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from orders import lifecycle
from orders.models import Order
from orders.payments import refunding
from orders.payments import services as payments
from orders.payments.models import Payment, Refund
from shop import transactions
from shop.accounts.models import User
from shop.pools.audit import audit
from shop.wallet import services as wallet
from shop.wallet.models import Transaction
from tests.factories import (
    make_sku,
    make_user,
    overdue_top_up,
    pay_from_wallet,
    place,
    start_top_up,
    top_up,
)

pytestmark = pytest.mark.django_db


@dataclass(frozen=True, slots=True)
class Till:
    """A top-up of 5,000, one of 40 that is closed, and two orders of 1,000 paid from it, of which
    one is refunded."""

    user: User
    top_up: Payment
    closed: Payment
    kept: Order
    refunded: Order


@pytest.fixture
def till(db: None) -> Till:
    user, sku = make_user(), make_sku(price_fen=1000)
    filled = top_up(user, 5000)
    closed = overdue_top_up(start_top_up(user, 40))
    payments.payments_close()
    till = Till(user, filled, closed, *(place(user, {sku: 1}) for _ in range(2)))
    for order in (till.kept, till.refunded):
        pay_from_wallet(user, order)
    lifecycle.order_refuse(order_no=till.refunded.order_no, operator=user, reason="none left")
    assert refunding.refunds_execute() == 1
    return till


def broken() -> list[str]:
    """The lines of promise 7, which alone is broken."""
    [(number, lines)] = audit().broken.items()
    assert number == 7
    return lines


def rename(prefix: str, number: str, other: str) -> None:
    """Books what stands under a number under another reference instead."""
    Transaction.objects.filter(reference=f"{prefix}:{number}").update(reference=other)


def test_a_till_in_order_keeps_its_promise(till: Till) -> None:
    report = audit()

    assert report.broken == {}
    figures = report.figures(7)
    assert (figures["top_ups"], figures["top_ups_fen"]) == (1, 5000)


def test_a_top_up_that_was_not_credited(till: Till) -> None:
    rename("top-up", till.top_up.payment_no, "elsewhere")

    number = till.top_up.payment_no
    assert broken() == [f"top-up {number}: is succeeded of 5000 fen, its user's wallet has 0"]


def test_a_top_up_that_was_credited_to_somebody_else(till: Till) -> None:
    other = make_user()
    Payment.objects.filter(pk=till.top_up.pk).update(user=other)

    number = till.top_up.payment_no
    assert broken() == [f"top-up {number}: is succeeded of 5000 fen, its user's wallet has 0"]


def test_a_top_up_of_another_amount(till: Till) -> None:
    Payment.objects.filter(pk=till.top_up.pk).update(amount_fen=5001)

    number = till.top_up.payment_no
    assert broken() == [f"top-up {number}: is succeeded of 5001 fen, its user's wallet has 5000"]


def test_a_credit_for_money_that_never_came(till: Till) -> None:
    transactions.run(
        lambda: wallet.credit(
            user_id=till.user.pk,
            currency="cny",
            amount=7,
            house="top_ups",
            reference=f"top-up:{till.closed.payment_no}",
            kind="top_up",
        )
    )

    number = till.closed.payment_no
    assert broken() == [f"top-up {number}: is closed of 40 fen, its user's wallet has 7"]


def test_a_payment_that_took_nothing(till: Till) -> None:
    number = Payment.objects.get(order=till.kept).payment_no
    rename("payment", number, "elsewhere")

    assert broken() == [f"payment {number}: is succeeded of -1000 fen, its user's wallet has 0"]


def test_a_refund_that_gave_nothing(till: Till) -> None:
    number = Refund.objects.get().refund_no
    rename("refund", number, "elsewhere")

    assert broken() == [f"refund {number}: is succeeded of 1000 fen, its user's wallet has 0"]


@pytest.mark.parametrize("prefix", ["top-up", "payment", "refund"])
def test_something_booked_under_a_number_that_nothing_has(till: Till, prefix: str) -> None:
    transactions.run(
        lambda: wallet.credit(
            user_id=till.user.pk,
            currency="cny",
            amount=7,
            house="sales",
            reference=f"{prefix}:{'9' * 24}",
            kind="hand",
        )
    )

    assert broken() == [f"transaction {prefix}:{'9' * 24}: there is no such {prefix}"]


@pytest.mark.parametrize(("status", "grace"), [("pending", 60), ("closing", 3600)])
def test_a_top_up_that_stays_open_too_long(till: Till, status: str, grace: int) -> None:
    payment = start_top_up(till.user, 100)
    mine = Payment.objects.filter(pk=payment.pk)

    def time_was_up(seconds: int) -> None:
        mine.update(status=status, expires_at=Now() - timedelta(seconds=seconds))

    time_was_up(grace - 20)
    in_time = audit().broken
    time_was_up(grace + 20)
    too_long = audit().broken

    assert in_time == {}
    [line] = too_long[2]
    seconds = int(line.removeprefix(f"top-up {payment.payment_no}: is {status}, ").split()[0])
    assert grace + 20 <= seconds <= grace + 60
    assert list(too_long) == [2]
