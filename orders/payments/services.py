"""The life of a payment once it is open (`orders.payments.starting`): succeeded or closed. How its
money goes back is `orders.payments.refunding`.

Every change of an order's payment happens under its order's row lock, so the two never disagree;
what is different for one without an order is `orders.payments.top_ups`. No provider is called
inside a transaction: what it must do stands in a row first, and is told to it as often as needed.
The wallet is no such provider: it is paid from in the transaction itself.
"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from django.db.models import F
from django.db.models.functions import Now

from orders.models import Order
from orders.payments import top_ups
from orders.payments.models import OPEN, Payment, Refund, SandboxCharge
from orders.payments.offered import providers, sandbox
from orders.payments.oversight.alarms import alarm_raise, mismatch_alarm
from orders.payments.oversight.models import PaymentAlarm
from orders.payments.providers import (
    SWEEP_SECONDS,
    ChargeState,
    ChargeTold,
    Mismatch,
    ProviderUnavailable,
)
from orders.payments.refunding import refund_decide
from orders.selectors import order_locked, orders_now
from orders.states import PAYABLE, State
from orders.transitions import move, release
from shop import transactions
from shop.errors import Ended, Invalid, NotFound, OrderState
from shop.failpoints import failpoint

if TYPE_CHECKING:
    pass

log = logging.getLogger(__name__)

# An open payment is asked about after 10 s, 20 s, ... at most 5 minutes; one that is to be closed
# is closed at once, and again after 2 s, 4 s, ... as long as its provider does not answer.
ASK_SECONDS, ASK_MOST_SECONDS = 10, 300
CLOSE_SECONDS, CLOSE_MOST_SECONDS = 2, 300
BATCH = 100


def payment_succeeded(
    *, payment_no: str, provider: str, amount_fen: int, told: ChargeTold | None = None
) -> None:
    """The provider has the money: the order is paid with it, or it goes back; a top-up is credited.

    Call it with what the provider itself says (`told`: all of it), as often as it says it. Raises
    NotFound for a payment that is not ours and Invalid for what is not the payment's; both leave an
    alarm, for somebody has money that belongs to no order.
    """
    told = told or ChargeTold(ChargeState.PAID, amount_fen=amount_fen)
    known = Payment.objects.filter(payment_no=payment_no, provider=provider).first()
    if known is None:
        alarm_raise(
            PaymentAlarm.Kind.UNKNOWN,
            provider=provider,
            number=payment_no,
            amount_fen=told.amount_fen,
            provider_no=told.provider_no,
        )
        raise NotFound(payment=payment_no)
    _check_told(known, told)
    transactions.run(lambda: _record_success(known, told))
    # Two at one moment under one number: the second of them recorded nothing.
    known.refresh_from_db()
    _check_told(known, told)


def _check_told(payment: Payment, told: ChargeTold) -> None:
    """That it is this payment's money. Raises Invalid, and leaves an alarm."""
    ours: int | str
    theirs: int | str
    if told.amount_fen != payment.amount_fen:
        kind, ours, theirs = PaymentAlarm.Kind.AMOUNT, payment.amount_fen, told.amount_fen
    elif told.app_id and told.app_id != payment.app_id:
        kind, ours, theirs = PaymentAlarm.Kind.APP, payment.app_id, told.app_id
    elif payment.provider_no and told.provider_no not in ("", payment.provider_no):
        kind, ours, theirs = PaymentAlarm.Kind.TWICE, payment.provider_no, told.provider_no
    else:
        return
    number = payment.payment_no
    alarm_raise(kind, provider=payment.provider, number=number, ours=ours, theirs=theirs)
    raise Invalid.field("", f"Not this payment's {kind.value}.")


def _record_success(known: Payment, told: ChargeTold) -> None:
    says = {"provider_no": told.provider_no, "provider_at": told.at}
    if known.order_id is None:
        top_ups.record_success(known.pk, says)
        return
    order = order_locked(pk=known.order_id)
    recorded = Payment.objects.filter(pk=known.pk).exclude(status=Payment.Status.SUCCEEDED)
    if not recorded.update(status=Payment.Status.SUCCEEDED, succeeded_at=order.db_now, **says):
        return  # said before
    # Closed already, it keeps no order from being expired, and no order can be paid with it.
    if order.status_now in PAYABLE:
        move([order], State.PAID, actor="provider", paid_at=order.db_now)
        payments_abandon([order])
    else:
        refund_decide(order, known, cause=Refund.Cause.LATE, amount_fen=known.amount_fen)


def payments_abandon(orders: list[Order]) -> None:
    """Has every open payment of locked `orders` closed at its provider, soon."""
    Payment.objects.filter(order__in=orders, status=Payment.Status.PENDING).update(
        status=Payment.Status.CLOSING, asks=0, ask_at=Now()
    )


def payments_close() -> int:
    """Closes at their providers what orders no longer want, and top-ups whose time is up; returns
    how many got an answer.

    Safe to run any number of times at once: a close is idempotent, and what it says is recorded
    under the order's lock, or the top-up's.
    """
    transactions.run_statement(top_ups.abandon_overdue)
    return _each_due(
        Payment.Status.CLOSING,
        lambda payment: providers()[payment.provider].close(payment_no=payment.payment_no),
        seconds=CLOSE_SECONDS,
        most_seconds=CLOSE_MOST_SECONDS,
    )


def payments_ask() -> int:
    """Asks providers about payments that are open for some time: what told of the money may be
    lost. Returns how many got an answer. Safe as `payments_close`."""
    return _each_due(
        Payment.Status.PENDING,
        _query,
        seconds=ASK_SECONDS * 2,
        most_seconds=ASK_MOST_SECONDS,
    )


def payment_ask(payment: Payment) -> bool:
    """Asks about one payment now, and records what is said; returns whether there was an answer."""
    return _ask(payment, _query)


def _query(payment: Payment) -> ChargeTold:
    return providers()[payment.provider].query(payment_no=payment.payment_no)


def _each_due(
    status: Payment.Status,
    ask: Callable[[Payment], ChargeTold],
    *,
    seconds: int,
    most_seconds: int,
) -> int:
    """Asks about payments of that status that are due, each by whoever claims it."""
    due = Payment.objects.filter(status=status, ask_at__lte=Now()).annotate(db_now=Now())
    answered, deadline = 0, time.monotonic() + SWEEP_SECONDS
    for payment in due.order_by("ask_at")[:BATCH]:
        if time.monotonic() > deadline:
            break
        wait = min(seconds * 2 ** min(payment.asks, 20), most_seconds)
        unclaimed = Payment.objects.filter(pk=payment.pk, status=status, asks=payment.asks)
        claim = partial(
            unclaimed.update,
            asks=F("asks") + 1,
            ask_at=payment.db_now + timedelta(seconds=wait),
        )
        if not transactions.run_statement(claim):
            continue
        payment.asks += 1
        if _ask(payment, ask):
            answered += 1
    return answered


def _ask(payment: Payment, ask: Callable[[Payment], ChargeTold]) -> bool:
    """Whether the provider answered; what it said is recorded."""
    number = payment.payment_no
    try:
        told = ask(payment)
    except (ProviderUnavailable, KeyError):
        doing = "closed" if payment.status == Payment.Status.CLOSING else "asked about"
        log.warning("payment can't be %s", doing, extra={"payment_no": number})
        return False
    except Mismatch as mismatch:
        mismatch_alarm(mismatch, provider=payment.provider, number=number)
        return False
    failpoint("payment.provider.after")
    if told.state is ChargeState.PAID:
        try:
            payment_succeeded(
                payment_no=number,
                provider=payment.provider,
                amount_fen=told.amount_fen,
                told=told,
            )
        except Invalid:
            return False  # there is an alarm, and it is asked about again
    elif told.state is ChargeState.CLOSED:
        transactions.run(partial(_record_closed, payment))
    return True


def _record_closed(payment: Payment) -> None:
    if payment.order_id is None:
        top_ups.record_closed(payment)
        return
    order = order_locked(pk=payment.order_id)
    # Unless it was asked once more since, or has to be: then that answer is the one that counts.
    still = Payment.objects.filter(pk=payment.pk, status__in=OPEN, asks=payment.asks)
    if not still.update(status=Payment.Status.CLOSED):
        return
    still_open = Payment.objects.filter(order=order, status__in=OPEN).exists()
    if order.status == State.CLOSING and not still_open:
        move([order], State.EXPIRED, actor="provider")
        release([order])


def sandbox_succeed(payment: Payment) -> None:
    """What the sandbox's shopper and its notification do: pay `payment`, then tell the shop.

    Raises NotFound when it never reached the sandbox; when it is closed there, OrderState, or Ended
    for a top-up.
    """
    try:
        state = sandbox.succeed(payment_no=payment.payment_no)
    except SandboxCharge.DoesNotExist as error:
        raise NotFound from error
    failpoint("sandbox.succeed.after")
    if state != ChargeState.PAID:
        if payment.order_id is None:
            raise Ended
        order = orders_now(Order.objects.filter(pk=payment.order_id)).get()
        raise OrderState(order_status=order.status_now)
    payment_succeeded(
        payment_no=payment.payment_no, provider=payment.provider, amount_fen=payment.amount_fen
    )
