"""Payments as their owner may see them."""

from typing import TYPE_CHECKING

from orders.payments.models import Payment
from shop.errors import NotFound

if TYPE_CHECKING:
    from shop.accounts.models import User


def payment_of(user: "User", *, payment_no: str, provider: str) -> Payment:
    """Raises NotFound, also for somebody else's."""
    payment = Payment.objects.filter(payment_no=payment_no, provider=provider, user=user).first()
    if payment is None:
        raise NotFound
    return payment
