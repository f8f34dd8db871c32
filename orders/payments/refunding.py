"""Money that goes back: decided under the order's lock, told to its provider until it is done.

What an order is refunded, and why, is for others to decide (`orders.refunds`, `orders.lifecycle`,
`orders.payments.services` for what came too late). No provider is called inside a transaction: the
refund stands in a row first, and is told to it as often as needed. The wallet is no such provider:
it is given back to in the transaction that records the refund.
"""

import logging
import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from django.db.models import F
from django.db.models.functions import Now

from orders import notices
from orders.models import Order
from orders.payments import wallet
from orders.payments.models import Payment, Refund
from orders.payments.offered import providers
from orders.payments.oversight.alarms import alarm_raise, mismatch_alarm
from orders.payments.oversight.models import PaymentAlarm
from orders.payments.providers import (
    SWEEP_SECONDS,
    Mismatch,
    ProviderUnavailable,
    RefundState,
    RefundTold,
)
from orders.payments.wallet import WALLET
from orders.selectors import order_locked
from orders.states import State
from orders.transitions import move
from shop import transactions
from shop.errors import Invalid, NotFound
from shop.failpoints import failpoint
from shop.numbers import new_number
from shop.operators_log import changed

if TYPE_CHECKING:
    from shop.accounts.models import User

log = logging.getLogger(__name__)

# A refund that the provider did not take is told again after 5 s, 10 s, ... at most 10 minutes.
RETRY_SECONDS, RETRY_MOST_SECONDS = 5, 600
BATCH = 100
# Refunds that the provider has taken: it is asked how they stand, and not told again.
TAKEN = frozenset({RefundState.PROCESSING, RefundState.ABNORMAL})
DONE = RefundTold(RefundState.SUCCEEDED)
# Refunds whose money is not back. One that failed may still succeed there.
UNDONE = (Refund.Status.PENDING, Refund.Status.FAILED)


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
        wait = min(RETRY_SECONDS * 2**refund.attempts, RETRY_MOST_SECONDS)
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
