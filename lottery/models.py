"""Periods of a lottery, the entries in them and the shares that they got.

A period's terms, seed and commitment stand from the moment it opens; no form and no service changes
them. What its draw needs (when it closed, root, round) is written once, in the order in which it
becomes known, each on the condition that it is not there yet. Rows are written by this app's
services only.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from goods.models import Sku, in_reader_language
from orders.models import Order
from shop.api.idempotency import Keyed, unique_key
from shop.fields import ExactCharField
from shop.pools.models import Placement, Pool, Queue, Waits
from shop.wallet.models import Currency

POOL_KIND = "period"
QUEUE_KIND = "entries"


class Scheme(models.TextChoices):
    """How the winner is found (`docs/draw.md`)."""

    COMMIT_BEACON = "commit-beacon", _("commitment and beacon")
    CLASSIC = "classic", _("classic formula")


class Period(models.Model):
    """`total_shares` shares of one prize, sold until they are gone or `ends_at` has come."""

    class State(models.TextChoices):
        OPEN = "open", _("open")
        CLOSED = "closed", _("closed")
        DRAWN = "drawn", _("drawn")
        CANCELLED = "cancelled", _("cancelled")

    # 第 N 期: one more than that of the period it follows.
    serial = models.PositiveIntegerField(_("serial"))
    previous = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="next"
    )
    # Whoever opens it twice under one reference opens it once. Its pool was loaded, and the prize's
    # unit taken, under the same.
    reference = ExactCharField(max_length=64, unique=True, editable=False)
    pool = models.OneToOneField(
        Pool, on_delete=models.PROTECT, related_name="period", db_constraint=False
    )
    queue = models.OneToOneField(
        Queue, on_delete=models.PROTECT, related_name="period", db_constraint=False
    )
    placement = models.CharField(
        _("placement"), max_length=10, choices=Placement.choices, default=Placement.QUEUED
    )

    prize_title = models.CharField(_("prize"), max_length=120)
    prize_title_en = models.CharField(_("prize, English"), max_length=120, blank=True, default="")
    prize_image = models.CharField(_("picture"), max_length=500, blank=True, default="")
    # One unit of it is set apart while the period runs.
    sku = models.ForeignKey(
        Sku, on_delete=models.PROTECT, null=True, blank=True, related_name="periods"
    )
    currency = models.CharField(
        _("currency"), max_length=10, choices=Currency.choices, default=Currency.POINTS
    )
    share_price = models.BigIntegerField(_("price of a share"))
    total_shares = models.BigIntegerField(_("shares"))
    minimum_shares = models.BigIntegerField(_("shares to be sold at least"), default=1)
    first_number = models.BigIntegerField(_("first number"))
    ends_at = models.DateTimeField(_("ends at"), null=True, blank=True)
    auto_renew = models.BooleanField(_("the next one opens by itself"), default=False)
    scheme = models.CharField(
        _("draw"), max_length=20, choices=Scheme.choices, default=Scheme.COMMIT_BEACON
    )
    beacon = models.CharField(_("beacon"), max_length=20, blank=True, default="")

    # Classic: which public number will be used, said before anybody can know it.
    public_number_source = models.CharField(
        _("source of the public number"), max_length=200, blank=True, default=""
    )

    # Secret until the draw; never in an answer, a log or an admin page before.
    seed = models.CharField(max_length=64, editable=False)
    # The canonical terms, as they were committed to.
    terms = models.TextField(editable=False)
    commitment = models.CharField(_("commitment"), max_length=64)
    created_at = models.DateTimeField(_("opened at"))

    status = models.CharField(_("status"), max_length=10, choices=State.choices, default=State.OPEN)
    shares_sold = models.BigIntegerField(_("shares sold"), null=True)
    # When its root became public; of a cancelled one, when it was cancelled.
    closed_at = models.DateTimeField(_("closed at"), null=True)
    root = models.CharField(_("root of the entries"), max_length=64, blank=True, default="")
    beacon_round = models.BigIntegerField(_("round"), null=True)
    # Classic: the buy times whose sum counts, ascending, to the millisecond.
    buy_times = models.JSONField(null=True)
    # Classic: the public number, once two operators have typed in the same.
    public_number = models.PositiveIntegerField(_("public number"), null=True)

    # For operators: when the draw was last tried, and why it could not be done. The draw clears it.
    draw_tried_at = models.DateTimeField(_("draw tried at"), null=True)
    draw_problem = models.CharField(max_length=500, blank=True, default="")
    drawn_at = models.DateTimeField(_("drawn at"), null=True)
    beacon_value = models.CharField(max_length=200, blank=True, default="")
    beacon_signature = models.CharField(max_length=400, blank=True, default="")
    number = models.BigIntegerField(_("winning number"), null=True)
    winner = models.ForeignKey(
        "Entry",
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        verbose_name=_("winning entry"),
    )
    prize_order = models.OneToOneField(
        Order, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    # Drawn, or cancelled with all money returned, and followed where another was to follow: beat
    # looks at it no more. Periods are never deleted, and it looks each second.
    finished = models.BooleanField(default=False, editable=False)

    class Meta:
        verbose_name = _("period")
        verbose_name_plural = _("periods")
        permissions = [("enter_number", "Can type in public numbers")]
        constraints = [
            models.CheckConstraint(condition=Q(share_price__gte=1), name="period_price_positive"),
            models.CheckConstraint(
                condition=Q(total_shares__gte=1, minimum_shares__gte=1),
                name="period_shares_positive",
            ),
            models.CheckConstraint(
                condition=Q(minimum_shares__lte=models.F("total_shares")),
                name="period_minimum_within_total",
            ),
            models.CheckConstraint(
                condition=Q(status="drawn", number__isnull=False, winner__isnull=False)
                | ~Q(status="drawn"),
                name="period_drawn_has_winner",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "ends_at"], name="period_due"),
            models.Index(fields=["status", "-drawn_at"], name="period_drawn"),
            models.Index(fields=["finished", "status"], name="period_unfinished"),
        ]

    def __str__(self) -> str:
        return f"{self.prize_title} 第{self.serial}期"

    @property
    def reader_title(self) -> str:
        """The prize in the language of whoever reads now."""
        return in_reader_language(self.prize_title, self.prize_title_en)


class Entry(Keyed, Waits):
    """What a user asked for in a period: so many shares, or (`allow_partial`) what is left."""

    class State(models.TextChoices):
        PENDING = "pending", _("pending")
        CONFIRMED = "confirmed", _("confirmed")
        FAILED = "failed", _("failed")
        REFUNDED = "refunded", _("refunded")

    entry_no = ExactCharField(_("entry number"), max_length=24, unique=True)
    # Not enforced: its shared lock would wait for whoever closes the period.
    period = models.ForeignKey(
        Period,
        on_delete=models.PROTECT,
        related_name="entries",
        db_constraint=False,
        db_index=False,
    )
    status = models.CharField(_("status"), max_length=10, choices=State.choices)
    failure = models.CharField(_("failure"), max_length=30, blank=True, default="")
    wanted = models.BigIntegerField(_("shares wanted"))
    allow_partial = models.BooleanField(_("fewer will do"), default=False)
    # Of its own, 16 bytes in hex: nobody can guess a receipt who was not given it.
    nonce = models.CharField(max_length=32, editable=False)
    created_at = models.DateTimeField(_("bought at"))
    # Since when it waits again, where an operator has put it back into its queue.
    retried_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("entry")
        verbose_name_plural = _("entries")
        constraints = [
            unique_key("entry"),
            models.CheckConstraint(condition=Q(wanted__gte=1), name="entry_wanted_positive"),
            models.CheckConstraint(
                condition=Q(status="pending", queue__isnull=False)
                | (~Q(status="pending") & Q(queue__isnull=True)),
                name="entry_waits_while_pending",
            ),
        ]
        indexes = [
            # What one user has in a period.
            models.Index(fields=["user", "period"], name="entry_of_user"),
            # What a cancelled period still owes. The only one that begins with the period, or
            # MariaDB takes the other, and reads all entries of it for each batch.
            models.Index(fields=["period", "status"], name="entry_by_status"),
        ]

    def __str__(self) -> str:
        return str(self.entry_no)


class Shares(models.Model):
    """The shares that an entry got: `count` of them, from index `first` on. They are never given
    back and never sold again, so that indexes stay what they were; a cancelled period returns
    money."""

    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="shares")
    pool = models.ForeignKey(
        Pool, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    first = models.BigIntegerField()
    count = models.BigIntegerField()
    # In the period's currency.
    cost = models.BigIntegerField()
    # The movement that took them: the entry's own, or that of the batch it was settled in. The
    # wallet's transaction has the same.
    reference = ExactCharField(max_length=64)
    # The wallet's transaction that returned what they cost, where the period was cancelled.
    returned = ExactCharField(max_length=64, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pool", "first"], name="shares_first_once"),
            models.CheckConstraint(
                condition=Q(first__gte=0, count__gte=1, cost__gte=0), name="shares_in_range"
            ),
        ]
        indexes = [models.Index(fields=["pool", "reference"], name="shares_of_movement")]

    def __str__(self) -> str:
        return f"{self.first} + {self.count}"


class PublicNumber(models.Model):
    """What one operator has typed in as the classic draw's public number; two must agree."""

    period = models.ForeignKey(Period, on_delete=models.PROTECT, related_name="public_numbers")
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    number = models.PositiveIntegerField(_("public number"))
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["period", "operator"], name="public_number_once"),
            models.CheckConstraint(condition=Q(number__lte=99_999), name="public_number_digits"),
        ]

    def __str__(self) -> str:
        return f"{self.number:05d}"
