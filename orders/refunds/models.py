"""What is asked to go back of an order, and what was decided about it.

A request changes only under its order's row lock. Its amounts are the server's; the money itself is
a `Refund` of its payment (`orders.payments`), with the same number, made in the transaction that
accepts the request.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orders.models import Order, OrderLine
from orders.payments.models import Refund
from shop.api.idempotency import Keyed, unique_key
from shop.fields import ExactCharField


class RefundRequest(Keyed):
    """Units of one order whose money is to go back. `user` is whose key it carries: who asked for
    it, or, of a refusal, whose order it is."""

    class Status(models.TextChoices):
        REQUESTED = "requested", _("to be decided")
        DECLINED = "declined", _("declined")
        ACCEPTED = "accepted", _("accepted")

    class Origin(models.TextChoices):
        SHOPPER = "shopper", _("the shopper asked for it")
        OPERATOR = "operator", _("an operator began it")
        REFUSAL = "refusal", _("the merchant refused the order")

    refund_no = ExactCharField(_("refund number"), max_length=24, unique=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="refund_requests")
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.REQUESTED
    )
    origin = models.CharField(_("origin"), max_length=10, choices=Origin.choices)
    reason = models.CharField(_("reason"), max_length=200)
    goods_fen = models.BigIntegerField(_("goods (fen)"))
    freight_fen = models.BigIntegerField(_("freight (fen)"), default=0)
    # Whether its units went back to their pools when it was accepted.
    restocked = models.BooleanField(_("back in stock"), default=False)
    answer = models.CharField(_("answer"), max_length=200, blank=True, default="")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided at"), null=True)
    created_at = models.DateTimeField(_("asked at"))
    # None also where nothing was paid for its units.
    refund = models.OneToOneField(
        Refund, on_delete=models.PROTECT, null=True, related_name="request"
    )

    class Meta:
        verbose_name = _("refund request")
        verbose_name_plural = _("refund requests")
        constraints = [
            unique_key("refund_request"),
            models.CheckConstraint(
                condition=Q(goods_fen__gte=0, freight_fen__gte=0),
                name="refund_request_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(status="requested", decided_at__isnull=True)
                | (~Q(status="requested") & Q(decided_at__isnull=False)),
                name="refund_request_decided",
            ),
            models.CheckConstraint(
                condition=Q(status="accepted") | Q(restocked=False, refund__isnull=True),
                name="refund_request_done_if_accepted",
            ),
        ]
        # An operator's work: few rows, however many are decided.
        indexes = [models.Index(fields=["status", "id"], name="refund_request_by_status")]

    def __str__(self) -> str:
        return str(self.refund_no)

    @property
    def amount_fen(self) -> int:
        """What goes back for it, or would."""
        return self.goods_fen + self.freight_fen


class RefundLine(models.Model):
    """Units of one line of the order that a request is about, and what was paid for them (fen)."""

    request = models.ForeignKey(RefundRequest, on_delete=models.PROTECT, related_name="lines")
    line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="refund_lines")
    count = models.PositiveIntegerField()
    amount_fen = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["request", "line"], name="refund_line_once"),
            models.CheckConstraint(
                condition=Q(count__gte=1, amount_fen__gte=0), name="refund_line_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.line_id} x {self.count}"
