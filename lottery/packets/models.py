"""The red packet, the grabs of it, and the slots that they got. Services of this app write them.

A packet's money, split and seed stand from the moment it is sent, and its slots are what its pool
counts: the k-th that is taken is worth the k-th amount of the split. A slot is never given back, so
a packet without one left stays like that. Whether a packet is open is a predicate on its pool and
on time; `ended_at` says only that what was left has gone back to the sender.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from lottery.packets.split import How
from shop.api.idempotency import Keyed, unique_key
from shop.fields import ExactCharField
from shop.pools.models import Placement, Pool, Queue, Waits

POOL_KIND = "packet"
QUEUE_KIND = "grabs"
# 128 bits, as text that goes into any address. Short enough for the code of a mini-program.
ID_LENGTH = 22
ID_PATTERN = f"[A-Za-z0-9_-]{{{ID_LENGTH}}}"
MOST_GREETING = 60


class Split(models.TextChoices):
    """How the money is split (`lottery.packets.split`)."""

    RANDOM = How.RANDOM.value, _("random")
    EQUAL = How.EQUAL.value, _("equal")


class Packet(Keyed):
    """`total_fen` of its sender's for the first `count` users who grab, until `expires_at`."""

    # Whoever knows it may look and grab.
    public_id = ExactCharField(_("id"), max_length=ID_LENGTH, unique=True)
    pool = models.OneToOneField(
        Pool, on_delete=models.PROTECT, related_name="packet", db_constraint=False
    )
    queue = models.OneToOneField(
        Queue, on_delete=models.PROTECT, related_name="packet", db_constraint=False
    )
    placement = models.CharField(_("placement"), max_length=10, choices=Placement.choices)
    total_fen = models.BigIntegerField(_("total (fen)"))
    count = models.PositiveIntegerField(_("slots"))
    split = models.CharField(_("split"), max_length=10, choices=Split.choices)
    # Empty: the shop's own.
    greeting = models.CharField(_("greeting"), max_length=MOST_GREETING, blank=True, default="")
    # Secret for ever: who knows it knows what the next one gets.
    seed = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(_("sent at"))
    expires_at = models.DateTimeField(_("expires at"))
    ended_at = models.DateTimeField(_("ended at"), null=True)
    refunded_fen = models.BigIntegerField(_("refunded (fen)"), default=0)

    class Meta:
        verbose_name = _("red packet")
        verbose_name_plural = _("red packets")
        constraints = [
            unique_key("packet"),
            models.CheckConstraint(
                condition=Q(count__gte=1, total_fen__gte=F("count")), name="packet_a_fen_each"
            ),
            models.CheckConstraint(
                condition=Q(refunded_fen__gte=0, refunded_fen__lte=F("total_fen")),
                name="packet_refunded_within",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=False) | Q(refunded_fen=0),
                name="packet_refunded_at_its_end",
            ),
        ]
        indexes = [
            # What is to be ended; what one user has sent, with its sum.
            models.Index(fields=["ended_at", "expires_at"], name="packet_due"),
            models.Index(fields=["user", "id", "total_fen"], name="packet_of_user"),
        ]

    def __str__(self) -> str:
        return str(self.public_id)

    @property
    def reference(self) -> str:
        """Under which its money came and its slots were loaded."""
        return f"packet-{self.public_id}"

    @property
    def refund_reference(self) -> str:
        """Under which what was left goes back, once."""
        return f"{self.reference}-back"


class Grab(Waits):
    """A user's one grab of a packet."""

    class State(models.TextChoices):
        PENDING = "pending", _("pending")
        CONFIRMED = "confirmed", _("confirmed")
        FAILED = "failed", _("failed")

    grab_no = ExactCharField(_("grab number"), max_length=24)
    # Not enforced: its shared lock would wait for whoever ends the packet.
    packet = models.ForeignKey(
        Packet,
        on_delete=models.PROTECT,
        related_name="grabs",
        db_constraint=False,
        db_index=False,
        verbose_name=_("red packet"),
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("user"),
    )
    status = models.CharField(_("status"), max_length=10, choices=State.choices)
    failure = models.CharField(_("failure"), max_length=30, blank=True, default="")
    created_at = models.DateTimeField(_("grabbed at"))

    class Meta:
        verbose_name = _("grab")
        verbose_name_plural = _("grabs")
        constraints = [
            # One each: a repeat waits here for its first.
            models.UniqueConstraint(fields=["packet", "user"], name="grab_once"),
            models.CheckConstraint(
                condition=Q(status="pending", queue__isnull=False)
                | (~Q(status="pending") & Q(queue__isnull=True)),
                name="grab_waits_while_pending",
            ),
        ]
        # Those that failed of us, for operators.
        indexes = [models.Index(fields=["failure"], name="grab_failed")]

    def __str__(self) -> str:
        return str(self.grab_no)


class Slot(models.Model):
    """What a grab got: the slot that was taken as number `place` (from 0) of its packet."""

    grab = models.OneToOneField(Grab, on_delete=models.PROTECT, related_name="slot")
    pool = models.ForeignKey(
        Pool, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    # The grab's, once more: so one index has all that a user got.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    place = models.PositiveIntegerField()
    amount_fen = models.BigIntegerField()
    # The movement that took it and the wallet's transaction that paid it: the grab's own, or that
    # of the batch it was settled in.
    reference = ExactCharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pool", "place"], name="slot_place_once"),
            models.CheckConstraint(condition=Q(amount_fen__gte=1), name="slot_has_a_fen"),
        ]
        indexes = [
            models.Index(fields=["pool", "reference"], name="slot_of_movement"),
            # What one user got, newest first, with its sum.
            models.Index(fields=["user", "id", "amount_fen"], name="slot_of_user"),
        ]

    def __str__(self) -> str:
        return f"{self.place}: {self.amount_fen} fen"
