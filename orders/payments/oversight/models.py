"""Alarms about money, and the accounts of each day.

Both are facts: services write them, and an operator only says that one is seen to. They name
payments and refunds by their numbers, since much of what they tell of is no row of the shop's.
"""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from shop.fields import ExactCharField


class PaymentAlarm(models.Model):
    """Something about money that does not fit, once however often it is seen."""

    class Kind(models.TextChoices):
        UNKNOWN = "unknown", _("a payment or refund that is not the shop's")
        AMOUNT = "amount", _("of another amount")
        APP = "app", _("of another mini-program")
        MERCHANT = "merchant", _("of another merchant")
        CURRENCY = "currency", _("in another currency")
        NUMBER = "number", _("of another number than was asked for")
        TWICE = "twice", _("paid twice under one number")
        REFUND = "refund", _("a refund that the provider does not do")
        BILL = "bill", _("the provider's bill says otherwise")

    kind = models.CharField(_("what"), max_length=10, choices=Kind.choices)
    provider = models.CharField(_("provider"), max_length=10)
    number = ExactCharField(_("number"), max_length=64)
    facts = models.JSONField(_("facts"), default=dict)
    # SHA-256 of all of the above: the same again is no other alarm.
    fingerprint = ExactCharField(max_length=64, unique=True, editable=False)
    times = models.PositiveIntegerField(_("times seen"), default=1)
    first_at = models.DateTimeField(_("first seen"), auto_now_add=True)
    last_at = models.DateTimeField(_("last seen"))
    handled_at = models.DateTimeField(_("seen to at"), null=True)
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("seen to by"),
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
    )
    note = models.CharField(_("note"), max_length=500, blank=True, default="")

    class Meta:
        verbose_name = _("payment alarm")
        verbose_name_plural = _("payment alarms")
        indexes = [
            models.Index(fields=["handled_at", "id"], name="alarm_to_see_to"),
            models.Index(fields=["number"], name="alarm_by_number"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


class Reconciliation(models.Model):
    """One day's account with one provider: what its bill says beside what the shop has."""

    provider = models.CharField(_("provider"), max_length=10)
    day = models.DateField(_("day"))
    payments = models.PositiveIntegerField(_("payments in the bill"))
    paid_fen = models.BigIntegerField(_("paid (fen)"))
    refunds = models.PositiveIntegerField(_("refunds in the bill"))
    refunded_fen = models.BigIntegerField(_("refunded (fen)"))
    # [{what, number, ours, theirs}]: all of them, however many.
    differences = models.JSONField(_("differences"), default=list)
    runs = models.PositiveIntegerField(_("times compared"), default=1)
    compared_at = models.DateTimeField(_("last compared"))

    class Meta:
        verbose_name = _("day's account")
        verbose_name_plural = _("days' accounts")
        constraints = [
            models.UniqueConstraint(fields=["provider", "day"], name="reconciliation_once"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.day}"
