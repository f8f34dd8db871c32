"""The counter of one finite thing, and the ledger of every change of it.

A pool's row is apart from what it belongs to: descriptions are edited and saved whole, counters are
only taken from and given back to, by `shop.pools.services`. Nobody points an enforced foreign key
at a pool: its shared lock would wait for, or deadlock with, the UPDATE that follows it.
"""

from collections.abc import Iterable

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from shop.fields import ExactCharField


class Strategy(models.TextChoices):
    """How a transaction takes units; `shop.pools.strategies` has the code."""

    DEFAULT = "", _("as the shop's setting says")
    PESSIMISTIC = "pessimistic", _("pessimistic (SELECT ... FOR UPDATE)")
    OPTIMISTIC = "optimistic", _("optimistic (conditional UPDATE)")


class Placement(models.TextChoices):
    """When a pool's counter is taken."""

    DIRECT = "direct", _("direct: in the request")
    QUEUED = "queued", _("queued: Celery, for many orders at once")


class PoolQuerySet(models.QuerySet["Pool"]):
    def locked(self, pool_ids: Iterable[int]) -> "PoolQuerySet":
        """The one way rows are locked: these pools, by ascending id, whoever asks."""
        return self.select_for_update().filter(pk__in=list(pool_ids)).order_by("pk")


class Pool(models.Model):
    """`available` units can be taken, `taken` units are; a closed pool gives none."""

    kind = models.CharField(max_length=20)
    available = models.BigIntegerField(default=0)
    taken = models.BigIntegerField(default=0)
    open = models.BooleanField(default=True)
    strategy = models.CharField(
        max_length=12, choices=Strategy.choices, default=Strategy.DEFAULT, blank=True
    )
    # Units one user may hold (null: any number); then each holder has a PoolUser.
    per_user_limit = models.PositiveIntegerField(null=True)
    # Whether Redis turns requests away before the database hears of them (`shop.pools.gate`).
    gated = models.BooleanField(default=False)

    objects = PoolQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["gated", "open"], name="pool_gated")]
        constraints = [
            models.CheckConstraint(
                condition=Q(available__gte=0), name="pool_available_not_negative"
            ),
            models.CheckConstraint(condition=Q(taken__gte=0), name="pool_taken_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}: {self.available} available, {self.taken} taken"


class Movement(models.TextChoices):
    """Why a counter changed."""

    TAKE = "take", _("taken")
    GIVE_BACK = "give_back", _("given back")
    LOAD = "load", _("loaded")
    ADJUST = "adjust", _("adjusted")
    TRANSFER = "transfer", _("transferred")


class PoolMovement(models.Model):
    """One change of one pool, written in the transaction that makes it; never edited.

    `delta` is the change of `available`. What is taken leaves `available` for `taken` and what is
    given back returns, so for these two kinds `taken` changes by -delta; for the others not at all.
    """

    pool = models.ForeignKey(
        Pool,
        on_delete=models.PROTECT,
        related_name="movements",
        db_constraint=False,
        db_index=False,
    )
    kind = models.CharField(max_length=10, choices=Movement.choices)
    delta = models.BigIntegerField()
    # The order, batch of orders, transfer or stock run behind it. With pool and kind unique:
    # nothing is taken, given back or loaded twice for the same reason, whoever repeats it.
    reference = ExactCharField(max_length=64)
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    reason = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["pool", "kind", "reference"], name="pool_movement_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.delta:+d} ({self.reference})"


class PoolUser(models.Model):
    """How many units of a limited pool one user holds. Made by upsert, changed on a condition."""

    pk = models.CompositePrimaryKey("pool_id", "user_id")
    pool = models.ForeignKey(
        Pool, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    taken = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"user {self.user_id} holds {self.taken} of pool {self.pool_id}"


class QueueQuerySet(models.QuerySet["Queue"]):
    def for_draining(self) -> "QueueQuerySet":
        """Locks the queue for the transaction's life, or finds nothing: somebody else drains it."""
        return self.select_for_update(skip_locked=True)


class Queue(models.Model):
    """What pending rows wait in. Its row lock is the lease of whoever drains it: it goes with the
    transaction, so a dead drain never holds it. `kind` says who settles (`shop.pools.drain`)."""

    kind = models.CharField(max_length=20)
    name = models.CharField(max_length=40, unique=True)

    objects = QueueQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.name)


class Waits(models.Model):
    """What may wait in a queue until it is settled: an order, an entry, a grab."""

    # Null as soon as it is settled, so the index holds the waiting. Not enforced: a shared lock on
    # the queue's row would wait for whoever drains it.
    queue = models.ForeignKey(
        Queue, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    # Settlings that ended in an error of ours.
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)

    class Meta:
        abstract = True
