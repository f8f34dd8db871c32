"""Opening payments: of an order, or of a wallet's top-up.

The row is stored first, with our number, and only then told to its provider: whoever dies in
between, or is never answered, repeats the request with its key and tells the same number again.
"""

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext

from orders.models import Order
from orders.payments import top_ups, wallet
from orders.payments.models import Payment
from orders.payments.offered import providers
from orders.payments.providers import Charge, ProviderUnavailable
from orders.payments.services import ASK_SECONDS, payments_abandon
from orders.payments.wallet import WALLET
from orders.selectors import order_locked
from orders.states import State
from orders.transitions import move
from shop import transactions
from shop.api.idempotency import Answer, RequestKey, insert, once
from shop.errors import Invalid, OrderState, Unavailable
from shop.failpoints import failpoint
from shop.numbers import new_number

if TYPE_CHECKING:
    from shop.accounts.models import User


def payment_start(
    *, user: "User", order_no: str, key: RequestKey, provider: str
) -> Answer[Payment]:
    """Opens a payment of the whole order, or finds the one that an earlier request opened. From the
    wallet, which is always offered, it is paid at once.

    Raises Invalid for a provider that is not offered, or to whom the user is nobody, NotFound,
    OrderState when the order waits for no money (any more), InsufficientBalance, Busy, Unavailable
    when the provider does not answer.
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
            lambda: top_ups.open_top_up(
                key=key,
                amount_fen=amount_fen,
                provider=provider,
                app_id=providers()[provider].app_of(key.user_id),
                ask_seconds=ASK_SECONDS,
            )
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
        app_id="" if provider == WALLET else providers()[provider].app_of(user.pk),
        ask_at=order.db_now + timedelta(seconds=ASK_SECONDS),
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
        params = providers()[payment.provider].create(_charge_of(payment))
    except (ProviderUnavailable, KeyError) as error:
        raise Unavailable from error
    failpoint("payment.provider.after")
    mine = Payment.objects.filter(pk=payment.pk, status=Payment.Status.PENDING)
    if not transactions.run_statement(partial(mine.update, params=params)):
        # Closed, or being closed, meanwhile: nobody knows which of the two came first there.
        _close_again(payment)
    payment.refresh_from_db()


def _charge_of(payment: Payment) -> Charge:
    order = payment.order
    return Charge(
        payment_no=payment.payment_no,
        amount_fen=payment.amount_fen,
        user_id=payment.user_id,
        app_id=payment.app_id,
        title=order.order_no if order else payment.payment_no,
        expires_at=order.expires_at if order else payment.expires_at,
    )


def _close_again(payment: Payment) -> None:
    # Counted up, so that a close that is under way, and too early, is not taken for this one.
    closed = (Payment.Status.CLOSING, Payment.Status.CLOSED)
    again = partial(
        Payment.objects.filter(pk=payment.pk, status__in=closed).update,
        status=Payment.Status.CLOSING,
        asks=F("asks") + 1,
        ask_at=Now(),
    )
    transactions.run_statement(again)
