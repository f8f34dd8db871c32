"""The flash sale: terms that stand from the moment it is scheduled, beside a pool of its own.

What shoppers were told (price, window, limit) never changes; what operators steer while it runs
(pause, placement, gate, strategy, units added, an early end) does, through `goods.sales.services`.
"""

from django.db import models
from django.db.models import F, Q
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from goods.models import Sku
from shop.pools.models import Placement, Pool, Queue

POOL_KIND = "flash_sale"


class Protection(models.TextChoices):
    """What an order of the sale must bring along."""

    NONE = "none", _("nothing")
    TOKEN = "token", _("a one-time token")
    CAPTCHA = "captcha", _("a one-time token for a solved picture")


class FlashSale(models.Model):
    """`total` units of one SKU at `price_fen`, from `starts_at` until `ends_at`."""

    sku = models.ForeignKey(Sku, on_delete=models.PROTECT, related_name="sales")
    pool = models.OneToOneField(
        Pool, on_delete=models.PROTECT, related_name="sale", db_constraint=False
    )
    queue = models.OneToOneField(
        Queue, on_delete=models.PROTECT, related_name="sale", db_constraint=False
    )
    price_fen = models.BigIntegerField(_("sale price (fen)"))
    total = models.PositiveIntegerField(_("allotment"))
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"), db_index=True)
    paused = models.BooleanField(_("paused"), default=False)
    protection = models.CharField(
        _("protection"), max_length=10, choices=Protection.choices, default=Protection.NONE
    )
    placement = models.CharField(
        _("placement"), max_length=10, choices=Placement.choices, default=Placement.QUEUED
    )
    # Direct: requests of one process at work on it. Queued: orders that may be pending. Null: as
    # the settings say.
    concurrency_limit = models.PositiveIntegerField(_("concurrency limit"), null=True, blank=True)
    # Requests allowed in the window that the settings name, by the gate; null: any number.
    rate_per_user = models.PositiveIntegerField(_("requests per user"), null=True, blank=True)
    rate_per_address = models.PositiveIntegerField(_("requests per address"), null=True, blank=True)
    rate_in_all = models.PositiveIntegerField(_("requests in all"), null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("flash sale")
        verbose_name_plural = _("flash sales")
        constraints = [
            models.CheckConstraint(condition=Q(price_fen__gte=0), name="sale_price_not_negative"),
            models.CheckConstraint(condition=Q(total__gte=1), name="sale_total_positive"),
            models.CheckConstraint(
                condition=Q(starts_at__lt=F("ends_at")), name="sale_starts_before_it_ends"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sku} {localtime(self.starts_at):%Y-%m-%d %H:%M}"
