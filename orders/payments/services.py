"""The life of a payment once it is open (`orders.payments.starting`): succeeded, closed, refunded.

Every change of an order's payment happens under its order's row lock, so the two never disagree;
what is different for one without an order is `orders.payments.top_ups`. No provider is called
inside a transaction: what it must do stands in a row first, and is told to it as often as needed.
The wallet is no such provider: it is paid from, and given back to, in the transaction itself.
"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from django.db.models import F
from django.db.models.functions import Now

from orders import notices
from orders.models import Order
from orders.payments import top_ups, wallet
from orders.payments.models import OPEN, Payment, Refund, SandboxCharge
from orders.payments.offered import providers, sandbox
from orders.payments.oversight.alarms import alarm_raise, mismatch_alarm
from orders.payments.oversight.models import PaymentAlarm
from orders.payments.providers import (
    ChargeState,
    ChargeTold,
    Mismatch,
    ProviderUnavailable,
    RefundState,
    RefundTold,
)
from orders.payments.wallet import WALLET
from orders.selectors import order_locked, orders_now
from orders.states import PAYABLE, State
from orders.transitions import move, release
from shop import transactions
from shop.errors import Ended, Invalid, NotFound, OrderState
from shop.failpoints import failpoint
from shop.numbers import new_number
from shop.operators_log import changed

if TYPE_CHECKING:
    from shop.accounts.models import User

log = logging.getLogger(__name__)

# A refund that the provider did not take is told again after 5 s, 10 s, ... at most 10 minutes.
REFUND_RETRY_SECONDS = 5
REFUND_RETRY_MOST_SECONDS = 600
# An open payment is asked about after 10 s, 20 s, ... at most 5 minutes; one that is to be closed
# is closed at once, and again after 2 s, 4 s, ... as long as its provider does not answer.
ASK_SECONDS, ASK_MOST_SECONDS = 10, 300
CLOSE_SECONDS, CLOSE_MOST_SECONDS = 2, 300
BATCH = 100
# A provider that is slow does not have a worker for longer than that, and one call more.
SWEEP_SECONDS = 10.0
# Refunds that the provider has taken: it is asked how they stand, and not told again.
TAKEN = frozenset({RefundState.PROCESSING, RefundState.ABNORMAL})
DONE = RefundTold(RefundState.SUCCEEDED)
# Refunds whose money is not back. One that failed may still succeed there.
UNDONE = (Refund.Status.PENDING, Refund.Status.FAILED)


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
        if transactions.run_statement(claim) and _ask(payment, ask):
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
        top_ups.record_closed(payment.pk)
        return
    order = order_locked(pk=payment.order_id)
    still = Payment.objects.filter(pk=payment.pk, status__in=OPEN)
    if not still.update(status=Payment.Status.CLOSED):
        return
    still_open = Payment.objects.filter(order=order, status__in=OPEN).exists()
    if order.status == State.CLOSING and not still_open:
        move([order], State.EXPIRED, actor="provider")
        release([order])


def refund_decide(
    order: Order,
    payment: Payment,
    *,
    cause: Refund.Cause,
    amount_fen: int,
    reason: str = "",
    part: int = 0,
    refund_no: str = "",
) -> Refund:
    """Fixes, under the locked order, that `amount_fen` of `payment` goes back: once per cause, or
    per part of what it is refunded in (`orders.refunds`, which has its number too)."""
    return Refund.objects.create(
        refund_no=refund_no or new_number(order.db_now),
        payment=payment,
        order=order,
        amount_fen=amount_fen,
        cause=cause,
        part=part,
        reason=reason,
        due_at=order.db_now,
    )


def refunds_execute() -> int:
    """Tells providers of the refunds that are due; returns how many are done.

    Any number of these may run at once: whoever moves `due_at` makes the call.
    """
    due = Refund.objects.filter(status=Refund.Status.PENDING, due_at__lte=Now())
    done, deadline = 0, time.monotonic() + SWEEP_SECONDS
    for refund in due.select_related("payment").annotate(db_now=Now()).order_by("due_at")[:BATCH]:
        if time.monotonic() > deadline:
            break
        wait = min(REFUND_RETRY_SECONDS * 2**refund.attempts, REFUND_RETRY_MOST_SECONDS)
        unclaimed = Refund.objects.filter(
            pk=refund.pk, status=Refund.Status.PENDING, due_at=refund.due_at
        )
        claim = partial(
            unclaimed.update,
            attempts=F("attempts") + 1,
            due_at=refund.db_now + timedelta(seconds=wait),
        )
        if transactions.run_statement(claim):
            done += refund_ask(refund)
    return done


def refund_ask(refund: Refund) -> bool:
    """Tells its provider of a refund, or asks how it stands; returns whether it is done."""
    try:
        told = _tell_of_refund(refund)
    except (ProviderUnavailable, KeyError):
        log.warning("refund not taken", extra={"refund_no": refund.refund_no})
        return False
    except Mismatch as mismatch:
        mismatch_alarm(mismatch, provider=refund.payment.provider, number=refund.refund_no)
        return False
    failpoint("refund.provider.after")
    return _record_refund_told(refund, told)


def _tell_of_refund(refund: Refund) -> RefundTold:
    payment = refund.payment
    if payment.provider == WALLET:
        return DONE  # it is given where it is recorded
    provider = providers()[payment.provider]
    if refund.provider_state in TAKEN:
        return provider.query_refund(refund_no=refund.refund_no)
    return provider.refund(
        refund_no=refund.refund_no,
        payment_no=payment.payment_no,
        amount_fen=refund.amount_fen,
        total_fen=payment.amount_fen,
    )


def refund_told(*, refund_no: str, provider: str, told: RefundTold) -> None:
    """A provider says, unasked, how a refund stands. Raises NotFound for one that is not ours and
    Invalid for what is not this refund's; both leave an alarm."""
    refund = (
        Refund.objects.select_related("payment")
        .filter(refund_no=refund_no, payment__provider=provider)
        .first()
    )
    if refund is None:
        alarm_raise(
            PaymentAlarm.Kind.UNKNOWN,
            provider=provider,
            number=refund_no,
            amount_fen=told.amount_fen,
            payment_no=told.payment_no,
        )
        raise NotFound(refund=refund_no)
    if not _record_refund_told(refund, told) and _is_anothers(refund, told):
        raise Invalid.field("", "Not this refund's.")


def _is_anothers(refund: Refund, told: RefundTold) -> bool:
    return told.amount_fen not in (None, refund.amount_fen) or told.payment_no not in (
        "",
        refund.payment.payment_no,
    )


def _record_refund_told(refund: Refund, told: RefundTold) -> bool:
    """Writes down what a provider says of a refund, as often as it says it; returns whether it is
    done. What it will not do, and what does not fit, leaves an alarm."""
    raised = partial(alarm_raise, provider=refund.payment.provider, number=refund.refund_no)
    if _is_anothers(refund, told):
        ours = [refund.amount_fen, refund.payment.payment_no]
        raised(PaymentAlarm.Kind.AMOUNT, ours=ours, theirs=[told.amount_fen, told.payment_no])
        return False
    if told.state is RefundState.SUCCEEDED:
        transactions.run(partial(_record_refunded, refund, told))
        return True
    says = {
        "provider_state": told.state.value,
        "provider_no": told.provider_no,
        "provider_at": refund.provider_at or told.at,
    }
    status = Refund.Status.FAILED
    if told.state is RefundState.PROCESSING:
        status = Refund.Status.PENDING
    pending = Refund.objects.filter(pk=refund.pk, status=Refund.Status.PENDING)
    is_new = transactions.run_statement(lambda: pending.update(status=status, **says))
    if is_new and status == Refund.Status.FAILED:
        raised(PaymentAlarm.Kind.REFUND, state=told.state.value, why=told.why)
    return False


def _record_refunded(refund: Refund, told: RefundTold = DONE) -> None:
    order = order_locked(pk=refund.order_id)
    undone = Refund.objects.filter(pk=refund.pk, status__in=UNDONE)
    if not undone.update(
        status=Refund.Status.SUCCEEDED,
        succeeded_at=order.db_now,
        provider_state=told.state.value,
        provider_no=told.provider_no,
        provider_at=refund.provider_at or told.at,
    ):
        return
    if refund.payment.provider == WALLET:
        wallet.give_back(order, refund)
    notices.order_refunded(order, refund)
    refunded_fen = order.refunded_fen + refund.amount_fen
    Order.objects.filter(pk=order.pk).update(refunded_fen=refunded_fen)
    still_due = Refund.objects.filter(order=order, status__in=UNDONE).exists()
    if order.status == State.REFUNDING and not still_due:
        move([order], State.REFUNDED, actor="provider")


def refund_retry(*, refund_no: str, operator: "User") -> bool:
    """Makes a refund that the provider has not done yet due now, for an operator.

    Returns False, and changes nothing, for one that is done. Leaves an entry in the operator's
    log, in the same transaction. Raises NotFound.
    """

    def write() -> bool:
        refunds = Refund.objects.select_for_update().annotate(db_now=Now())
        refund = refunds.filter(refund_no=refund_no).first()
        if refund is None:
            raise NotFound(refund=refund_no)
        waiting = Refund.objects.filter(pk=refund.pk, status__in=UNDONE)
        # The clock as it was read: whoever claims the refund compares due_at exactly.
        if not waiting.update(status=Refund.Status.PENDING, due_at=refund.db_now):
            return False
        due = {"status": Refund.Status.PENDING, "due_at": refund.db_now}
        changed(operator, refund, "retry: due now", **due)
        return True

    return transactions.run(write)


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
