"""The life of a payment: started, succeeded, closed, refunded.

Every change of an order's payment happens under its order's row lock, so the two never disagree;
what is different for one without an order is `orders.payments.top_ups`. No provider is called
inside a transaction: what it must do stands in a row first, and is told to it as often as needed.
The wallet is no such provider: it is paid from, and given back to, in the transaction itself.
"""

import logging
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext

from orders import notices
from orders.models import Order
from orders.payments import top_ups, wallet
from orders.payments.models import OPEN, Payment, Refund, SandboxCharge
from orders.payments.providers import ChargeState, Provider, ProviderUnavailable
from orders.payments.sandbox import SandboxProvider
from orders.payments.wallet import WALLET
from orders.selectors import order_locked, orders_now
from orders.states import PAYABLE, State
from orders.transitions import move, release
from shop import transactions
from shop.api.idempotency import Answer, RequestKey, insert, once
from shop.errors import Ended, Invalid, NotFound, OrderState, Unavailable
from shop.failpoints import failpoint
from shop.numbers import new_number

if TYPE_CHECKING:
    from shop.accounts.models import User

log = logging.getLogger(__name__)

# A refund that the provider did not take is told again after 5 s, 10 s, ... at most 10 minutes.
REFUND_RETRY_SECONDS = 5
REFUND_RETRY_MOST_SECONDS = 600
BATCH = 100

sandbox = SandboxProvider()


def providers() -> dict[str, Provider]:
    """The remote providers that are switched on, by the name that clients use."""
    return {"sandbox": sandbox} if settings.SANDBOX_PAYMENTS else {}


def payment_start(
    *, user: "User", order_no: str, key: RequestKey, provider: str
) -> Answer[Payment]:
    """Opens a payment of the whole order, or finds the one that an earlier request opened. From the
    wallet, which is always offered, it is paid at once.

    Raises Invalid for a provider that is not offered, NotFound, OrderState when the order waits
    for no money (any more), InsufficientBalance, Busy, Unavailable when the provider does not
    answer.
    """
    if provider != WALLET and provider not in providers():
        raise _not_offered()

    def create(key: RequestKey) -> Payment:
        return transactions.run(lambda: _open_payment(user, order_no, key, provider))

    return _told(once(key, Payment.objects.all(), create))


def top_up_start(*, key: RequestKey, amount_fen: int, provider: str) -> Answer[Payment]:
    """Opens a top-up of a wallet, or finds the one that an earlier request opened.

    Raises Invalid for a provider that is not offered, the wallet among them, and for an amount out
    of bounds; Busy, Unavailable when the provider does not answer.
    """
    if provider not in providers():
        raise _not_offered()

    def create(key: RequestKey) -> Payment:
        return transactions.run(
            lambda: top_ups.open_top_up(key=key, amount_fen=amount_fen, provider=provider)
        )

    return _told(once(key, Payment.objects.all(), create))


def _not_offered() -> Invalid:
    return Invalid.field("provider", gettext("Not offered here."))


def _open_payment(user: "User", order_no: str, key: RequestKey, provider: str) -> Payment:
    order = order_locked(order_no=order_no, user=user)
    if order.status_now != State.UNPAID:
        raise OrderState(order_status=order.status_now)
    payment = Payment(
        **key.columns(),
        first_status=200,
        payment_no=new_number(order.db_now),
        order=order,
        provider=provider,
        amount_fen=order.total_fen,
    )
    if provider == WALLET:
        _pay_from_wallet(order, payment)
    else:
        insert(payment)
    return payment


def _pay_from_wallet(order: Order, payment: Payment) -> None:
    payment.status = Payment.Status.SUCCEEDED
    payment.succeeded_at = order.db_now
    insert(payment)
    # Rows of payments before those of wallets.
    payments_abandon([order])
    wallet.pay(order, payment)
    move([order], State.PAID, actor="shopper", paid_at=order.db_now)


def _told(answer: Answer[Payment]) -> Answer[Payment]:
    """The answer, once the payment's provider knows of it."""
    payment = answer.row
    if payment.params is None and payment.status == Payment.Status.PENDING:
        _tell_provider(payment)
    return answer


def _tell_provider(payment: Payment) -> None:
    try:
        payment.params = providers()[payment.provider].create(
            payment_no=payment.payment_no, amount_fen=payment.amount_fen
        )
    except ProviderUnavailable as error:
        raise Unavailable from error
    failpoint("payment.provider.after")
    Payment.objects.filter(pk=payment.pk).update(params=payment.params)


def payment_succeeded(*, payment_no: str, provider: str, amount_fen: int) -> None:
    """The provider has the money: the order is paid with it, or it goes back; a top-up is credited.

    Call it with what the provider itself says, as often as it says it. Raises NotFound for a
    payment that is not ours and Invalid for an amount that is not the payment's; both are logged
    as errors, for somebody has money that belongs to no order.
    """
    known = Payment.objects.filter(payment_no=payment_no, provider=provider).first()
    if known is None or known.amount_fen != amount_fen:
        log.error(
            "payment does not match",
            extra={"payment_no": payment_no, "provider": provider, "amount_fen": amount_fen},
        )
        if known is None:
            raise NotFound(payment=payment_no)
        raise Invalid.field("amount_fen", "Not this payment's.")
    transactions.run(lambda: _record_success(known))


def _record_success(known: Payment) -> None:
    if known.order_id is None:
        top_ups.record_success(known.pk)
        return
    order = order_locked(pk=known.order_id)
    recorded = Payment.objects.filter(pk=known.pk).exclude(status=Payment.Status.SUCCEEDED)
    if not recorded.update(status=Payment.Status.SUCCEEDED, succeeded_at=order.db_now):
        return  # said before
    if order.status in PAYABLE:
        move([order], State.PAID, actor="provider", paid_at=order.db_now)
        payments_abandon([order])
    else:
        refund_decide(order, known, cause=Refund.Cause.LATE, amount_fen=known.amount_fen)


def payments_abandon(orders: list[Order]) -> None:
    """Has every open payment of locked `orders` closed at its provider, soon."""
    Payment.objects.filter(order__in=orders, status=Payment.Status.PENDING).update(
        status=Payment.Status.CLOSING
    )


def payments_close() -> int:
    """Closes at their providers what orders no longer want, and top-ups whose time is up; returns
    how many got an answer.

    Safe to run any number of times at once: a close is idempotent, and what it says is recorded
    under the order's lock, or the top-up's.
    """
    transactions.run_statement(top_ups.abandon_overdue)
    due = Payment.objects.filter(status=Payment.Status.CLOSING).order_by("pk")[:BATCH]
    answered = 0
    for payment in due:
        try:
            state = providers()[payment.provider].close(payment_no=payment.payment_no)
        except (ProviderUnavailable, KeyError):
            log.warning("payment can't be closed", extra={"payment_no": payment.payment_no})
            continue
        failpoint("payment.provider.after")
        if state == ChargeState.PAID:
            transactions.run(partial(_record_success, payment))
        else:
            transactions.run(partial(_record_closed, payment))
        answered += 1
    return answered


def _record_closed(payment: Payment) -> None:
    if payment.order_id is None:
        top_ups.record_closed(payment.pk)
        return
    order = order_locked(pk=payment.order_id)
    closing = Payment.objects.filter(pk=payment.pk, status=Payment.Status.CLOSING)
    if not closing.update(status=Payment.Status.CLOSED):
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
    done = 0
    for refund in due.select_related("payment").annotate(db_now=Now()).order_by("due_at")[:BATCH]:
        wait = min(REFUND_RETRY_SECONDS * 2**refund.attempts, REFUND_RETRY_MOST_SECONDS)
        claimed = Refund.objects.filter(
            Q(pk=refund.pk, status=Refund.Status.PENDING, due_at=refund.due_at)
        ).update(attempts=F("attempts") + 1, due_at=refund.db_now + timedelta(seconds=wait))
        if not claimed:
            continue
        try:
            _tell_of_refund(refund)
        except (ProviderUnavailable, KeyError):
            log.warning("refund not taken", extra={"refund_no": refund.refund_no})
            continue
        failpoint("refund.provider.after")
        transactions.run(partial(_record_refunded, refund))
        done += 1
    return done


def _tell_of_refund(refund: Refund) -> None:
    if refund.payment.provider == WALLET:
        return  # the wallet is given it where it is recorded
    providers()[refund.payment.provider].refund(
        refund_no=refund.refund_no,
        payment_no=refund.payment.payment_no,
        amount_fen=refund.amount_fen,
    )


def _record_refunded(refund: Refund) -> None:
    order = order_locked(pk=refund.order_id)
    pending = Refund.objects.filter(pk=refund.pk, status=Refund.Status.PENDING)
    if not pending.update(status=Refund.Status.SUCCEEDED, succeeded_at=order.db_now):
        return
    if refund.payment.provider == WALLET:
        wallet.give_back(order, refund)
    notices.order_refunded(order, refund)
    refunded_fen = order.refunded_fen + refund.amount_fen
    Order.objects.filter(pk=order.pk).update(refunded_fen=refunded_fen)
    still_due = Refund.objects.filter(order=order, status=Refund.Status.PENDING).exists()
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
        waiting = Refund.objects.filter(pk=refund.pk, status=Refund.Status.PENDING)
        # The clock as it was read: whoever claims the refund compares due_at exactly.
        if not waiting.update(due_at=refund.db_now):
            return False
        LogEntry.objects.log_actions(
            operator.pk, [refund], CHANGE, "retry: due now", single_object=True
        )
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
