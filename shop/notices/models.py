"""The outbox: one row for each thing that is to be told to one person by one channel.

It holds no openid, no phone and no text that anybody typed: it refers to the user.
"""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from shop.fields import ExactCharField


class Notice(models.Model):
    """`subject`: what of the shop it is about, by its own number. `due_at`: when it is (next) to be
    sent; while somebody sends it, when others may take it for abandoned."""

    # What delivery adds: the database's clock when it was claimed.
    db_now: datetime

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DELIVERED = "delivered", _("delivered")
        UNWANTED = "unwanted", _("not wanted")  # its person, or an operator, does not want it
        DEAD = "dead", _("given up")

    channel = models.CharField(_("channel"), max_length=20)
    event = models.CharField(_("event"), max_length=40)
    subject = ExactCharField(_("about"), max_length=64)
    # Not enforced: its shared lock would hold up an order for a change of its shopper.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    facts = models.JSONField(_("facts"))
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.WAITING
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    # What came of the last attempt, in a word and WeChat's number for it.
    failure = models.CharField(_("failure"), max_length=60, blank=True, default="")
    created_at = models.DateTimeField(_("written"))
    due_at = models.DateTimeField(_("due"))
    delivered_at = models.DateTimeField(_("delivered"), null=True)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        constraints = [
            # Told once, however often it is written. By subject first: operators search by it.
            models.UniqueConstraint(fields=["subject", "event", "channel"], name="notice_once"),
        ]
        indexes = [
            # What is due; the oldest and the newest of a state.
            models.Index(fields=["state", "due_at"], name="notice_due"),
            models.Index(fields=["state", "id"], name="notice_by_state"),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def key(self) -> str:
        """The same for every attempt, so that a receiver may know it again."""
        return f"{self.event}:{self.subject}"
