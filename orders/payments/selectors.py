"""Payments and refunds as their owner may see them."""

from typing import TYPE_CHECKING

from django.db.models import QuerySet

from orders.models import Order
from orders.payments.models import Payment, Refund
from shop.errors import NotFound

if TYPE_CHECKING:
    from shop.accounts.models import User


def payment_of(user: "User", *, payment_no: str, provider: str) -> Payment:
    """Raises NotFound, also for somebody else's."""
    payment = Payment.objects.filter(payment_no=payment_no, provider=provider, user=user).first()
    if payment is None:
        raise NotFound
    return payment


def refunds_of(order: Order) -> QuerySet[Refund]:
    """The refunds of an order, oldest first."""
    return Refund.objects.filter(order=order).order_by("pk")
