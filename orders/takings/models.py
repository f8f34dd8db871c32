"""What came in by the hour, and how far that is counted. `orders.takings.services` alone writes it;
all of it follows from orders, their moves and their refunds, and can be counted again."""

from django.db import models
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _


class Hour(models.Model):
    """One hour by UTC: orders that were placed in it, those of them or of others that were paid for
    in it (what costs nothing is not paid for), and the money of paid orders that it was decided in
    it to give back."""

    starts_at = models.DateTimeField(_("from"), unique=True)
    placed = models.PositiveBigIntegerField(_("orders placed"), default=0)
    paid = models.PositiveBigIntegerField(_("orders paid"), default=0)
    paid_fen = models.BigIntegerField(_("paid (fen)"), default=0)
    refunded_fen = models.BigIntegerField(_("to go back (fen)"), default=0)

    class Meta:
        verbose_name = _("takings of an hour")
        verbose_name_plural = _("takings by the hour")

    def __str__(self) -> str:
        return f"{localtime(self.starts_at):%Y-%m-%d %H:%M}"


class Tally(models.Model):
    """How far the hours are counted: the last id of each table that is in them. One row; its lock
    is held by whoever counts."""

    orders = models.BigIntegerField(default=0)
    moves = models.BigIntegerField(default=0)
    refunds = models.BigIntegerField(default=0)
    # Everything up to this moment is counted.
    until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"until {self.until}"
