"""Payments, refunds, and the sandbox provider's own books.

A payment of an order changes only under that order's row lock; one without an order is a top-up of
its user's wallet, and changes under its own. A refund is decided, with its number and amount, in
the transaction that finds it due; the provider hears of it later.
"""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from orders.models import Order
from shop.api.idempotency import Keyed, unique_key
from shop.fields import ExactCharField


class Payment(Keyed):
    """One attempt to pay one order, or to fill a wallet.

    `pending` and `closing` are open at the provider: the money may come. `closing` is due to be
    closed there, because the order no longer wants it, or a top-up's time is up.
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("open")
        SUCCEEDED = "succeeded", _("paid")
        CLOSING = "closing", _("being closed")
        CLOSED = "closed", _("closed")

    payment_no = ExactCharField(_("payment number"), max_length=24, unique=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, null=True, related_name="payments")
    provider = models.CharField(_("provider"), max_length=10)
    amount_fen = models.BigIntegerField(_("amount (fen)"))
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.PENDING
    )
    # What the client hands to the provider's own front end; null until the provider answered.
    params = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    succeeded_at = models.DateTimeField(null=True)
    # Of a top-up alone: an order's payment is open as long as its order waits for it.
    expires_at = models.DateTimeField(_("expires at"), null=True)
    # In which of the provider's apps it is paid, and the provider's own number and moment of it.
    app_id = ExactCharField(_("app"), max_length=64, blank=True, default="")
    provider_no = ExactCharField(_("provider's number"), max_length=64, blank=True, default="")
    provider_at = models.DateTimeField(_("paid, says the provider"), null=True)
    # While it is open: how often its provider was asked about it, and when it is next.
    asks = models.PositiveIntegerField(default=0)
    ask_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        constraints = [
            unique_key("payment"),
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(
                condition=Q(order__isnull=False, expires_at__isnull=True)
                | Q(order__isnull=True, expires_at__isnull=False),
                name="payment_or_top_up",
            ),
        ]
        # The closer's work: few rows, however many payments there are.
        indexes = [
            models.Index(fields=["status", "id"], name="payment_by_status"),
            models.Index(fields=["status", "expires_at"], name="payment_due"),
            models.Index(fields=["status", "ask_at"], name="payment_to_ask"),
            # A day's account with a provider.
            models.Index(fields=["provider", "provider_at"], name="payment_of_day"),
        ]

    def __str__(self) -> str:
        return str(self.payment_no)


# The money may still come.
OPEN = (Payment.Status.PENDING, Payment.Status.CLOSING)


class Refund(models.Model):
    """Money on its way back: one payment, a fixed amount, told to the provider until it is done."""

    class Status(models.TextChoices):
        PENDING = "pending", _("decided")
        SUCCEEDED = "succeeded", _("refunded")
        # The provider can't, or won't: somebody must look. It may still succeed there.
        FAILED = "failed", _("failed")

    class Cause(models.TextChoices):
        LATE = "late", _("the payment came when the order could not take it")
        REFUSED = "refused", _("the merchant refused the order")
        REQUESTED = "requested", _("it was asked for, and accepted")

    refund_no = ExactCharField(_("refund number"), max_length=24, unique=True)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="refunds")
    amount_fen = models.BigIntegerField(_("amount (fen)"))
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.PENDING
    )
    cause = models.CharField(_("cause"), max_length=10, choices=Cause.choices)
    # Of what was accepted in parts: which one (`orders.refunds`); else 0.
    part = models.PositiveBigIntegerField(default=0, editable=False)
    reason = models.CharField(_("reason"), max_length=200, blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    succeeded_at = models.DateTimeField(null=True)
    # What the provider said last, its own number, and when it took it; "" until it did.
    provider_state = models.CharField(
        _("says the provider"), max_length=64, blank=True, default="", editable=False
    )
    provider_no = ExactCharField(_("provider's number"), max_length=64, blank=True, default="")
    provider_at = models.DateTimeField(_("taken, says the provider"), null=True)

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        constraints = [
            # A payment is refunded for one cause once, however often that is decided; what is
            # accepted in parts, once for each.
            models.UniqueConstraint(fields=["payment", "cause", "part"], name="refund_part_once"),
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="refund_amount_positive"),
        ]
        indexes = [
            models.Index(fields=["status", "due_at"], name="refund_due"),
            models.Index(fields=["provider_at"], name="refund_of_day"),
        ]

    def __str__(self) -> str:
        return str(self.refund_no)


class SandboxCharge(models.Model):
    """The sandbox provider's own record of a charge, as a remote provider would keep it."""

    class Status(models.TextChoices):
        OPEN = "open", _("open")
        PAID = "paid", _("paid")
        CLOSED = "closed", _("closed")

    payment_no = ExactCharField(max_length=24, unique=True)
    amount_fen = models.BigIntegerField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    refunded_fen = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.payment_no} {self.status}"


class SandboxRefund(models.Model):
    """A refund in the sandbox's books; its number makes a repeated call harmless."""

    refund_no = ExactCharField(max_length=24, unique=True)
    charge = models.ForeignKey(SandboxCharge, on_delete=models.PROTECT, related_name="refunds")
    amount_fen = models.BigIntegerField()

    def __str__(self) -> str:
        return str(self.refund_no)
