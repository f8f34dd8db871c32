"""The coupon, and the pieces of it that shoppers hold. Services of this app write them.

What a coupon takes off, and for what, stands from the moment it is created. Its issue is what its
pool counts: claiming one takes a unit, which never goes back. Using it is another matter: an issued
coupon is an order's while that order lives, and is the shopper's again, with the validity it had,
when the order does not. Whether it has expired is a predicate on time.
"""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from goods.models import Category, in_reader_language
from orders import pricing
from shop.api.idempotency import Keyed, unique_key
from shop.fields import ExactCharField
from shop.pools.models import Pool

POOL_KIND = "coupon"


class Kind(models.TextChoices):
    """What it takes off (`orders.pricing`)."""

    AMOUNT = pricing.Kind.AMOUNT.value, _("an amount")
    PERCENT = pricing.Kind.PERCENT.value, _("a percentage")
    FREIGHT = pricing.Kind.FREIGHT.value, _("the freight")


class Scope(models.TextChoices):
    """Which goods count for it."""

    ALL = "all", _("all goods")
    CATEGORY = "category", _("one category")
    SKUS = "skus", _("some SKUs")


class Coupon(models.Model):
    """`total` pieces, claimed from `starts_at` until `ends_at`."""

    title = models.CharField(_("title"), max_length=60)
    title_en = models.CharField(_("English title"), max_length=60, blank=True, default="")
    pool = models.OneToOneField(
        Pool, on_delete=models.PROTECT, related_name="coupon", db_constraint=False
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    off_fen = models.BigIntegerField(_("amount off (fen)"), default=0)
    percent = models.PositiveSmallIntegerField(_("percent off"), default=0)
    most_fen = models.BigIntegerField(_("at most (fen)"), null=True)
    minimum_fen = models.BigIntegerField(_("from (fen)"), default=0)
    scope = models.CharField(_("for"), max_length=10, choices=Scope.choices, default=Scope.ALL)
    category = models.ForeignKey(
        Category,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("category"),
    )
    sku_ids = models.JSONField(_("SKUs"), null=True)
    total = models.PositiveIntegerField(_("issue"))
    # Creating it twice under one reference is creating it once.
    reference = ExactCharField(max_length=64, unique=True, editable=False)
    starts_at = models.DateTimeField(_("claimed from"))
    ends_at = models.DateTimeField(_("claimed until"), db_index=True)
    # Used from (null: at once) until; or for so many days since it was claimed.
    use_from = models.DateTimeField(_("used from"), null=True)
    use_until = models.DateTimeField(_("used until"), null=True)
    use_days = models.PositiveSmallIntegerField(_("days to use it"), null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("coupon")
        verbose_name_plural = _("coupons")
        constraints = [
            models.CheckConstraint(
                condition=(Q(kind="amount") & Q(off_fen__gte=1))
                | (Q(kind="percent") & Q(percent__gte=1) & Q(percent__lte=100))
                | Q(kind="freight"),
                name="coupon_takes_something_off",
            ),
            models.CheckConstraint(
                condition=Q(minimum_fen__gte=0) & Q(off_fen__gte=0), name="coupon_not_negative"
            ),
            models.CheckConstraint(
                condition=(Q(use_until__isnull=True) & Q(use_days__isnull=False))
                | (Q(use_until__isnull=False) & Q(use_days__isnull=True)),
                name="coupon_used_until_or_for",
            ),
            models.CheckConstraint(
                condition=Q(starts_at__lt=F("ends_at")), name="coupon_starts_before_it_ends"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def reader_title(self) -> str:
        """The title in the language of whoever reads now."""
        return in_reader_language(self.title, self.title_en)

    @property
    def discount(self) -> pricing.Discount:
        """What it takes off, for `orders.pricing`."""
        return pricing.Discount(
            kind=pricing.Kind(self.kind),
            minimum_fen=self.minimum_fen,
            off_fen=self.off_fen,
            percent=self.percent,
            most_fen=self.most_fen,
        )

    def covers(self, *, sku_id: int, category_id: int) -> bool:
        """Whether a SKU, of goods in this category, counts for it."""
        match self.scope:
            case Scope.CATEGORY:
                return category_id == self.category_id
            case Scope.SKUS:
                return sku_id in (self.sku_ids or ())
            case _:
                return True


class IssuedCoupon(Keyed):
    """One piece, a user's: free, or used by `order`."""

    class Status(models.TextChoices):
        ISSUED = "issued", _("issued")
        USED = "used", _("used")

    # Also the reference of the movement that took it from its coupon's pool.
    coupon_no = ExactCharField(_("number"), max_length=24, unique=True)
    # Neither is enforced: a claim would wait for whoever adds to the coupon, or stops it.
    coupon = models.ForeignKey(
        Coupon,
        on_delete=models.PROTECT,
        related_name="issued",
        db_constraint=False,
        verbose_name=_("coupon"),
    )
    pool = models.ForeignKey(
        Pool, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.ISSUED
    )
    # No order has two.
    order = models.OneToOneField(
        "orders.Order",
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("order"),
    )
    claimed_at = models.DateTimeField(_("claimed at"))
    valid_from = models.DateTimeField(_("valid from"))
    expires_at = models.DateTimeField(_("expires at"))
    used_at = models.DateTimeField(_("used at"), null=True)

    class Meta:
        verbose_name = _("issued coupon")
        verbose_name_plural = _("issued coupons")
        constraints = [
            unique_key("issued_coupon"),
            models.CheckConstraint(
                condition=(Q(status="used") & Q(order__isnull=False) & Q(used_at__isnull=False))
                | (Q(status="issued") & Q(order__isnull=True) & Q(used_at__isnull=True)),
                name="issued_coupon_used_by_an_order",
            ),
        ]
        indexes = [
            # A shopper's, newest first; who holds how many of one.
            models.Index(fields=["user", "-id"], name="issued_coupon_of_user"),
            models.Index(fields=["pool", "user"], name="issued_coupon_of_pool"),
        ]

    def __str__(self) -> str:
        return str(self.coupon_no)
