"""The ledger: accounts, transactions and their postings. `shop.wallet.services` alone writes them;
what operators ask of it stands in `Correction`, until a second one has decided.

Every amount is an integer: fen where the currency is `cny`, points where it is `points`. A
transaction's postings sum to zero in each currency, and neither is ever edited. A user's account
keeps its balance beside its postings, because a payment decides by it. An account of the house
keeps none: it is summed when somebody asks, so that no payment waits for another at the row of
`sales`. Nobody points an enforced foreign key at an account: its shared lock would wait for, or
deadlock with, the UPDATE that follows it.
"""

from collections.abc import Collection

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from shop.approvals.models import Awaiting
from shop.fields import ExactCharField


class Currency(models.TextChoices):
    """What is counted, and in which unit."""

    CNY = "cny", _("money (fen)")
    POINTS = "points", _("points")


class House(models.TextChoices):
    """The house's accounts, by what they are for: where a user's amounts come from and go to."""

    TOP_UPS = "top_ups", _("top-ups: money that providers hold for us")
    SALES = "sales", _("sales: orders paid and refunded")
    LOTTERY = "lottery", _("lottery: shares bought and returned")
    PACKETS = "packets", _("red packets: sent, and not grabbed yet")
    GRANTS = "grants", _("grants: given by the house")
    CORRECTIONS = "corrections", _("corrections by operators")


class Account(models.Model):
    """One currency of one user, or of the house for one purpose."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    house = models.CharField(_("of the house"), max_length=12, choices=House.choices, null=True)
    currency = models.CharField(_("currency"), max_length=6, choices=Currency.choices)
    balance = models.BigIntegerField(_("balance"), null=True)

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints = [
            models.UniqueConstraint(fields=["user", "currency"], name="account_of_user"),
            models.UniqueConstraint(fields=["house", "currency"], name="account_of_house"),
            models.CheckConstraint(
                condition=Q(user__isnull=False, house__isnull=True, balance__isnull=False)
                | Q(user__isnull=True, house__isnull=False, balance__isnull=True),
                name="account_has_one_owner",
            ),
            models.CheckConstraint(
                condition=Q(balance__gte=0), name="account_balance_not_negative"
            ),
        ]

    def __str__(self) -> str:
        owner = self.house or f"user {self.user_id}"
        return f"{owner} ({self.currency})"


class Transaction(models.Model):
    """One thing that happened to money or points: a payment, a grant, a batch of a draw's returns.

    Its reference is unique, so that nothing is booked twice, whoever repeats it.
    """

    reference = ExactCharField(_("reference"), max_length=64, unique=True)
    # What happened, in the word of the app behind it: "payment", "entry", "grab".
    kind = models.CharField(_("kind"), max_length=20)
    reason = models.CharField(_("reason"), max_length=200, blank=True, default="")
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("operator"),
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
    )
    created_at = models.DateTimeField(_("made at"), auto_now_add=True)

    class Meta:
        verbose_name = _("transaction")
        verbose_name_plural = _("transactions")

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"


class Posting(models.Model):
    """What one transaction adds to (negative: takes from) one account."""

    transaction = models.ForeignKey(Transaction, on_delete=models.PROTECT, related_name="postings")
    account = models.ForeignKey(
        Account,
        on_delete=models.PROTECT,
        related_name="postings",
        db_constraint=False,
        db_index=False,
    )
    amount = models.BigIntegerField(_("amount"))
    # What it is for: an entry, an order; of a batch's postings each has its own.
    reference = ExactCharField(_("reference"), max_length=64)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(amount=0), name="posting_amount_not_zero"),
        ]
        # An account's statement, newest first; with the amount, so that its sum is read here too.
        indexes = [models.Index(fields=["account", "id", "amount"], name="posting_of_account")]

    def __str__(self) -> str:
        return f"{self.amount:+d} ({self.reference})"


class Correction(Awaiting):
    """What an operator wants to give a user, or to put right in a wallet: nothing is booked before
    another operator approves it."""

    house = models.CharField(
        _("kind"),
        max_length=12,
        choices=[(house.value, house.label) for house in (House.GRANTS, House.CORRECTIONS)],
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.PROTECT,
        related_name="+",
    )
    currency = models.CharField(_("currency"), max_length=6, choices=Currency.choices)
    # What the user's balance changes by.
    amount = models.BigIntegerField(_("amount"))
    reason = models.CharField(_("reason"), max_length=200)

    only_a_second_person = _(
        "A second person approves it: neither who asked for it, nor whose wallet it is."
    )

    class Meta(Awaiting.Meta):
        verbose_name = _("correction")
        verbose_name_plural = _("corrections")
        default_permissions = ("add", "view")
        permissions = [("approve_correction", "Can decide about corrections")]
        constraints = [
            *Awaiting.Meta.constraints,
            models.CheckConstraint(
                condition=Q(amount__gt=0) | Q(amount__lt=0, house=House.CORRECTIONS),
                name="correction_amount",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount:+d} {self.currency}: {self.reason}"

    def concerned(self) -> Collection[int]:
        return (self.requested_by_id, self.user_id)
