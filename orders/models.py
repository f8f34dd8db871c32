"""The cart, the order and its history. Rows are written by this app's services only."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from goods.models import Sku, in_reader_language
from goods.sales.models import FlashSale
from orders.states import State
from shop.api.idempotency import Keyed, unique_key
from shop.fields import ExactCharField
from shop.pools.models import Pool, Waits


class ShippingMethod(models.Model):
    """What sending costs, by its kind; free from a goods total on (null: never free).

    Flat: the fee. By weight: the fee up to `first_grams`, and `step_fee_fen` for each begun
    `step_grams` above. By region: the fee of the longest of `regions` ([{prefix, fee_fen}]) that
    the address's region begins with, else the fee.
    """

    class Kind(models.TextChoices):
        FLAT = "flat", _("flat")
        WEIGHT = "weight", _("by weight")
        REGION = "region", _("by region")

    name = models.CharField(_("name"), max_length=60)
    name_en = models.CharField(_("English name"), max_length=60, blank=True, default="")
    fee_fen = models.BigIntegerField(_("fee (fen)"), default=0)
    free_above_fen = models.BigIntegerField(_("free from (fen)"), null=True, blank=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.FLAT)
    first_grams = models.PositiveIntegerField(_("weight within the fee (g)"), default=0)
    step_grams = models.PositiveIntegerField(_("step of weight (g)"), null=True, blank=True)
    step_fee_fen = models.BigIntegerField(_("fee for each step (fen)"), default=0)
    regions = models.JSONField(_("regions"), null=True, blank=True)
    is_active = models.BooleanField(_("offered"), default=True)
    position = models.IntegerField(_("position"), default=0)

    class Meta:
        ordering = ["position", "pk"]
        verbose_name = _("shipping method")
        verbose_name_plural = _("shipping methods")
        constraints = [
            models.CheckConstraint(condition=Q(fee_fen__gte=0), name="shipping_fee_not_negative"),
            models.CheckConstraint(
                condition=Q(step_fee_fen__gte=0), name="shipping_step_fee_not_negative"
            ),
            models.CheckConstraint(
                condition=~Q(kind="weight") | Q(step_grams__isnull=False, step_grams__gte=1),
                name="shipping_weight_has_a_step",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def reader_name(self) -> str:
        """The name in the language of whoever reads now."""
        return in_reader_language(self.name, self.name_en)


class CartItem(models.Model):
    """One line of a shopper's cart. It reserves nothing."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="cart_items",
        db_index=False,
    )
    sku = models.ForeignKey(Sku, on_delete=models.CASCADE, related_name="+")
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "sku"], name="cart_item_once"),
            models.CheckConstraint(condition=Q(count__gte=1), name="cart_item_count_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.sku_id} x {self.count}"


class Order(Keyed, Waits):
    """What a shopper was promised, priced at the server when it was placed.

    `snapshot` holds the priced lines as they are shown for ever: a list of {sku, pool,
    goods_title, spec, price_fen, count}. `OrderLine`s say which units it holds.
    `breakdown` says how a coupon's discount came about (`orders.basket`); null: there is none.
    """

    # What `orders.selectors.orders_now` adds: the state that holds at this moment, and the moment.
    status_now: str
    db_now: datetime

    class Kind(models.TextChoices):
        GOODS = "goods", _("goods")
        FLASH_SALE = "flash_sale", _("flash sale")
        PRIZE = "prize", _("prize")

    order_no = ExactCharField(_("order number"), max_length=24, unique=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="orders", db_index=False
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.GOODS)
    status = models.CharField(
        _("status"), max_length=10, choices=[(state.value, state.value) for state in State]
    )
    snapshot = models.JSONField()
    goods_fen = models.BigIntegerField(_("goods (fen)"))
    freight_fen = models.BigIntegerField(_("freight (fen)"))
    discount_fen = models.BigIntegerField(_("discount (fen)"), default=0)
    total_fen = models.BigIntegerField(_("total (fen)"))
    refunded_fen = models.BigIntegerField(_("refunded (fen)"), default=0)
    # Neither constraint nor index: each costs every order, and a method is never deleted.
    shipping_method = models.ForeignKey(
        ShippingMethod,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    # As little. The coupon it was priced with; whose that is now, the coupon says.
    coupon = models.ForeignKey(
        "coupons.IssuedCoupon",
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        verbose_name=_("coupon"),
    )
    breakdown = models.JSONField(null=True, editable=False)
    # Not enforced: its shared lock would wait for an operator's change of the sale.
    sale = models.ForeignKey(
        FlashSale, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    # The sale token that it was placed with: no token buys twice, whatever Redis forgets.
    token_id = ExactCharField(max_length=32, null=True, unique=True, editable=False)
    # Its lines leave the shopper's cart when it is settled.
    from_cart = models.BooleanField(default=False, editable=False)
    address = models.JSONField(_("address"), null=True)
    remark = models.CharField(_("remark"), max_length=200, blank=True, default="")
    courier = models.CharField(_("courier"), max_length=40, blank=True, default="")
    tracking_no = models.CharField(_("tracking number"), max_length=60, blank=True, default="")
    failure = models.CharField(_("failure"), max_length=30, blank=True, default="")
    created_at = models.DateTimeField(_("placed at"))
    expires_at = models.DateTimeField(_("expires at"), null=True)
    paid_at = models.DateTimeField(_("paid at"), null=True)

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        # Nobody edits an order: what is done to one has a permission for each job.
        default_permissions = ("view",)
        permissions = [
            ("accept_order", "Can accept orders"),
            ("refuse_order", "Can refuse orders, all their money back"),
            ("ship_order", "Can ship orders"),
            ("retry_order", "Can try failed orders again, or drop them"),
        ]
        constraints = [
            unique_key("order"),
            models.CheckConstraint(
                condition=Q(
                    total_fen=F("goods_fen") + F("freight_fen") - F("discount_fen"),
                    total_fen__gte=0,
                ),
                name="order_total_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(refunded_fen__gte=0), name="order_refunded_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(status="pending", queue__isnull=False)
                | (~Q(status="pending") & Q(queue__isnull=True)),
                name="order_waits_while_pending",
            ),
        ]
        indexes = [
            # A shopper's orders, newest first; what is due, for sweepers; what failed of us.
            models.Index(fields=["user", "-id"], name="order_of_user"),
            models.Index(fields=["status", "expires_at", "attempts"], name="order_due"),
        ]

    def __str__(self) -> str:
        return str(self.order_no)


class OrderLine(models.Model):
    """Units of one pool that an order holds: `count` taken, `given_back` of them returned, and
    `restocked` of those by refunds, each under its refund's number; the others all at once."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines")
    sku = models.ForeignKey(Sku, on_delete=models.PROTECT, related_name="+")
    pool = models.ForeignKey(
        Pool, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    # The movement that took them: the order's own, or that of the batch it was settled in.
    reference = ExactCharField(max_length=64)
    price_fen = models.BigIntegerField()
    count = models.PositiveIntegerField()
    given_back = models.PositiveIntegerField(default=0)
    # The database's default: the hot path stores lines without it.
    restocked = models.PositiveIntegerField(db_default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(count__gte=1), name="order_line_count_positive"),
            models.CheckConstraint(
                condition=Q(given_back__lte=F("count")), name="order_line_given_back_within"
            ),
            models.CheckConstraint(
                condition=Q(restocked__lte=F("given_back")), name="order_line_restocked_within"
            ),
        ]
        indexes = [models.Index(fields=["pool", "reference"], name="order_line_of_movement")]

    def __str__(self) -> str:
        return f"{self.sku_id} x {self.count}"


class OrderMove(models.Model):
    """One move of one order's state, append-only. An order's first state has none: it is the
    order's own row."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="moves")
    source = models.CharField(max_length=10)
    target = models.CharField(max_length=10)
    # Who moved it: "shopper", "provider", "sweeper", or the operator below.
    actor = models.CharField(max_length=20)
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    reason = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"
