"""What payments do to wallets: pay an order, give it back, fill one up.

Each is booked in the transaction that decides it, after the order's and the payment's rows are
locked and before any pool, under the payment's or refund's own number: so once, whoever repeats it.
"""

from orders.models import Order
from orders.payments.models import Payment, Refund
from shop.wallet import services as wallet
from shop.wallet.models import Currency, House

# What clients call it. It is local: nothing is told to it, and nothing waits for its answer.
WALLET = "wallet"


def pay(order: Order, payment: Payment) -> None:
    """Takes an order's money from its owner. Raises InsufficientBalance."""
    wallet.pay(
        user_id=payment.user_id,
        currency=Currency.CNY,
        amount=payment.amount_fen,
        house=House.SALES,
        reference=f"payment:{payment.payment_no}",
        kind="payment",
        what=order.order_no,
    )


def give_back(order: Order, refund: Refund) -> None:
    """Gives the money of a refund to whoever paid it from a wallet."""
    wallet.credit(
        user_id=refund.payment.user_id,
        currency=Currency.CNY,
        amount=refund.amount_fen,
        house=House.SALES,
        reference=f"refund:{refund.refund_no}",
        kind="refund",
        what=order.order_no,
    )


def fill(top_up: Payment) -> None:
    """Gives the money of a top-up, which its provider has, to its user."""
    wallet.credit(
        user_id=top_up.user_id,
        currency=Currency.CNY,
        amount=top_up.amount_fen,
        house=House.TOP_UPS,
        reference=f"top-up:{top_up.payment_no}",
        kind="top_up",
        what=top_up.payment_no,
    )
