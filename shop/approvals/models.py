"""Rows that wait for a second person: the columns that all of them have, and proposals.

What is asked for never changes, only how it stands. Whether it has waited too long is a predicate
on time. `shop.approvals.deciding` writes the state; what it means to carry one out is the business
of whoever the row belongs to.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from shop.fields import ExactCharField


def patience() -> timedelta:
    """How long something waits for a second person."""
    return timedelta(hours=settings.SECOND_PERSON_HOURS)


def _waits() -> Q:
    return Q(state=Awaiting.State.REQUESTED, requested_at__gt=Now() - patience())


class AwaitingRows(models.QuerySet[Any]):
    """Rows of one kind."""

    def waiting(self) -> "AwaitingRows":
        """Those that can still be decided, by the database's clock."""
        return self.filter(_waits())

    def over(self) -> "AwaitingRows":
        """The others: decided, or too late to be."""
        return self.exclude(_waits())


class Awaiting(models.Model):
    """Asked for by one operator, decided once by another."""

    class State(models.TextChoices):
        REQUESTED = "requested", _("waits for a second person")
        APPROVED = "approved", _("approved and carried out")
        REJECTED = "rejected", _("rejected")

    # Names one display of the form, so that sending it twice asks once.
    reference = ExactCharField(max_length=64, unique=True, editable=False)
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.REQUESTED
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("requested by"),
        on_delete=models.PROTECT,
        related_name="+",
    )
    requested_at = models.DateTimeField(_("requested at"), auto_now_add=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("decided by"),
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
    )
    decided_at = models.DateTimeField(_("decided at"), null=True)

    objects = AwaitingRows.as_manager()

    # What the person who may not approve it is told.
    only_a_second_person: "str | Promise" = _("A second person approves it, not who asked for it.")

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(state="requested", decided_by__isnull=True)
                | Q(state="rejected", decided_by__isnull=False)
                | (
                    Q(state="approved", decided_by__isnull=False) & ~Q(decided_by=F("requested_by"))
                ),
                name="%(class)s_by_second_person",
            ),
        ]
        indexes = [models.Index(fields=["state", "id"], name="%(class)s_by_state")]

    def concerned(self) -> Collection[int]:
        """The ids of those who can't be its second person."""
        return (self.requested_by_id,)

    def waits(self, now: Any = None) -> bool:
        """Whether it can still be decided, now or at that moment."""
        is_late = self.requested_at + patience() <= (now or timezone.now())
        return self.state == self.State.REQUESTED and not is_late


class Proposal(Awaiting):
    """A call of a service that waits: which one (`deed`, `shop.approvals.deeds`), of which row
    (`subject`, where there is one already), and with what (`terms`)."""

    deed = models.CharField(_("what"), max_length=40)
    subject = models.BigIntegerField(null=True, editable=False)
    title = models.CharField(_("of what"), max_length=200)
    terms = models.JSONField(default=dict, editable=False)

    class Meta(Awaiting.Meta):
        verbose_name = _("proposal")
        verbose_name_plural = _("proposals")
        default_permissions = ("view",)
        permissions = [("decide_proposal", "Can decide about proposals of others")]
        indexes = [
            *Awaiting.Meta.indexes,
            # Whether somebody has asked for the same already.
            models.Index(fields=["deed", "subject"], name="proposal_of_subject"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def mark(self) -> str:
        """What the row that comes of it is known by for ever: its reference."""
        return f"proposal:{self.pk}"
