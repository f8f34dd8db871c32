"""How carts, orders and payments look on the wire. Shapes only; the services decide."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from orders.cart import MAX_LINES
from orders.models import Order, ShippingMethod
from orders.payments.models import Payment
from orders.payments.offered import Method, Where
from orders.states import State
from shop.api.fields import IdField, StrictBooleanField, StrictCharField, StrictIntegerField

MAX_COUNT = 9_999
# Far more than a sale token has.
MAX_TOKEN = 500


def local(moment: datetime | None) -> str | None:
    """RFC 3339 in the shop's time zone."""
    return timezone.localtime(moment).isoformat() if moment else None


class ItemSerializer(serializers.Serializer[Any]):
    sku = IdField()
    count = StrictIntegerField(min_value=1, max_value=MAX_COUNT)


class ItemsField(serializers.ListSerializer[Any]):
    """[{sku, count}] on the wire, SKU id -> count inside; counts of a SKU named twice add up."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=ItemSerializer(), allow_empty=False, max_length=MAX_LINES, **kwargs)

    def to_internal_value(self, data: Any) -> dict[int, int]:  # type: ignore[override]
        counts: dict[int, int] = {}
        for item in super().to_internal_value(data):
            counts[item["sku"]] = counts.get(item["sku"], 0) + item["count"]
        if max(counts.values()) > MAX_COUNT:
            message = gettext("At most %(most)d units of one SKU.") % {"most": MAX_COUNT}
            raise serializers.ValidationError([message], code="max_value")
        return counts


class QuoteRequestSerializer(serializers.Serializer[Any]):
    items = ItemsField()
    address = IdField(required=False)
    shipping_method = IdField(required=False)
    coupon = IdField(required=False, help_text="One of the shopper's own, from /me/coupons.")


class OrderRequestSerializer(serializers.Serializer[Any]):
    items = ItemsField(required=False, help_text="Either these or `from_cart: true`.")
    from_cart = StrictBooleanField(required=False)
    address = IdField()
    shipping_method = IdField(required=False)
    coupon = IdField(required=False, help_text="One of the shopper's own, from /me/coupons.")
    remark = StrictCharField(max_length=200, required=False, allow_blank=True)
    expected_total_fen = StrictIntegerField(min_value=0, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if bool(attrs.get("items")) == bool(attrs.get("from_cart")):
            message = gettext("Send either `items` or `from_cart: true`.")
            raise serializers.ValidationError({"items": [message]}, code="required")
        return attrs


class SaleOrderRequestSerializer(serializers.Serializer[Any]):
    count = StrictIntegerField(min_value=1, max_value=MAX_COUNT)
    address = IdField(required=False, help_text="May be said later.")
    token = StrictCharField(
        max_length=MAX_TOKEN, required=False, help_text="Where the sale's `protection` is not none."
    )


class OrderAddressRequestSerializer(serializers.Serializer[Any]):
    address = IdField()


class OrdersQuery(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=[state.value for state in State], required=False)


class QuoteLineSerializer(serializers.Serializer[Any]):
    sku = serializers.IntegerField(source="sku_id")
    goods_title = serializers.CharField()
    spec = serializers.CharField()
    price_fen = serializers.IntegerField()
    count = serializers.IntegerField()
    subtotal_fen = serializers.IntegerField()
    discount_fen = serializers.IntegerField(help_text="Its part of what the coupon takes off.")


class QuoteSerializer(serializers.Serializer[Any]):
    lines = QuoteLineSerializer(many=True)
    goods_fen = serializers.IntegerField(source="price.goods_fen")
    freight_fen = serializers.IntegerField(source="price.freight_fen")
    discount_fen = serializers.IntegerField(source="price.discount_fen")
    total_fen = serializers.IntegerField(source="price.total_fen")


class OrderItemSerializer(serializers.Serializer[Any]):
    sku = serializers.IntegerField()
    goods_title = serializers.CharField()
    spec = serializers.CharField()
    price_fen = serializers.IntegerField()
    count = serializers.IntegerField()


class OrderAddressSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    phone = serializers.CharField()
    region = serializers.CharField()
    detail = serializers.CharField()


class FailureSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()


# Named, because more than one schema has it.
@extend_schema_field(
    {"type": "string", "enum": [state.value for state in State]}, component_name="OrderStatusEnum"
)
class StatusField(serializers.CharField):
    """An order's state."""


class OrderSerializer(serializers.Serializer[Order]):
    """An order as its owner sees it; `status` is the state that holds now."""

    order_no = serializers.CharField()
    kind = serializers.ChoiceField(choices=Order.Kind.choices)
    status = StatusField()
    items = OrderItemSerializer(many=True)
    goods_fen = serializers.IntegerField()
    freight_fen = serializers.IntegerField()
    discount_fen = serializers.IntegerField()
    total_fen = serializers.IntegerField()
    coupon = serializers.IntegerField(
        allow_null=True, help_text="The issued coupon it was priced with."
    )
    address = OrderAddressSerializer(allow_null=True)
    remark = serializers.CharField()
    courier = serializers.CharField()
    tracking_no = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    paid_at = serializers.DateTimeField(allow_null=True)
    refunded_fen = serializers.IntegerField(
        help_text="All that went back for this order, also of money that came twice or too late."
    )
    failure = FailureSerializer(allow_null=True)
    server_time = serializers.DateTimeField()

    def to_representation(self, order: Order) -> dict[str, Any]:
        # Written out, because it is on the hot path: field by field through the framework costs
        # more than the order's INSERT.
        return {
            "order_no": order.order_no,
            "kind": order.kind,
            "status": getattr(order, "status_now", order.status),
            "items": [
                {name: line[name] for name in ("sku", "goods_title", "spec", "price_fen", "count")}
                for line in order.snapshot
            ],
            "goods_fen": order.goods_fen,
            "freight_fen": order.freight_fen,
            "discount_fen": order.discount_fen,
            "total_fen": order.total_fen,
            "coupon": order.coupon_id,
            "address": order.address,
            "remark": order.remark,
            "courier": order.courier,
            "tracking_no": order.tracking_no,
            "created_at": local(order.created_at),
            "expires_at": local(order.expires_at),
            "paid_at": local(order.paid_at),
            "refunded_fen": order.refunded_fen,
            "failure": {"code": order.failure} if order.failure else None,
            "server_time": local(getattr(order, "db_now", order.created_at)),
        }


class AcceptedOrderSerializer(OrderSerializer):
    """An order that was queued: its number and state at first, all of it to a repeat. `Location`
    is where to look for what became of it."""

    ALWAYS = ("order_no", "status")

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for name, field in fields.items():
            field.required = name in self.ALWAYS
        return fields


class PaymentMethodSerializer(serializers.Serializer[Method]):
    """`where`: a payment of `mini_program` can be carried out inside a mini-program only."""

    provider = serializers.CharField(help_text="What /pay and /wallet/top-ups are told.")
    where = serializers.ChoiceField(choices=[where.value for where in Where])
    tops_up = serializers.BooleanField(help_text="Whether it also fills wallets.")


class PayRequestSerializer(serializers.Serializer[Any]):
    provider = StrictCharField(max_length=10)


class TopUpRequestSerializer(serializers.Serializer[Any]):
    amount_fen = StrictIntegerField(min_value=1)
    provider = StrictCharField(max_length=10)


class PaymentSerializer(serializers.Serializer[Payment]):
    """`params` is for the provider's own front end."""

    payment_no = serializers.CharField()
    provider = serializers.CharField()
    status = serializers.ChoiceField(choices=["pending", "succeeded", "closed"])
    params = serializers.JSONField(allow_null=True)

    def to_representation(self, payment: Payment) -> dict[str, Any]:
        shown = super().to_representation(payment)
        if payment.status == Payment.Status.CLOSING:
            # Our own affair: for the client the payment is still open.
            shown["status"] = Payment.Status.PENDING.value
        return shown


class CartItemRequestSerializer(serializers.Serializer[Any]):
    count = StrictIntegerField(min_value=1, max_value=MAX_COUNT)


class CartItemSerializer(serializers.Serializer[Any]):
    sku = serializers.IntegerField(source="sku_id")
    goods_title = serializers.CharField()
    spec = serializers.CharField()
    price_fen = serializers.IntegerField()
    count = serializers.IntegerField()
    available = serializers.IntegerField()
    subtotal_fen = serializers.IntegerField()


class CartSerializer(serializers.Serializer[Any]):
    items = CartItemSerializer(many=True)
    total_fen = serializers.IntegerField()


class RegionFeeSerializer(serializers.Serializer[Any]):
    prefix = serializers.CharField()
    fee_fen = serializers.IntegerField()


# Named, because an order and a coupon have a kind too.
@extend_schema_field(
    {"type": "string", "enum": [kind.value for kind in ShippingMethod.Kind]},
    component_name="ShippingKindEnum",
)
class ShippingKindField(serializers.CharField):
    """How a shipping method's fee is counted."""


class ShippingMethodSerializer(serializers.Serializer[Any]):
    """`fee_fen` is the fee within `first_grams`, and of a region that `regions` doesn't name."""

    id = serializers.IntegerField()
    name = serializers.CharField(source="reader_name")
    fee_fen = serializers.IntegerField()
    free_above_fen = serializers.IntegerField(allow_null=True)
    kind = ShippingKindField()
    first_grams = serializers.IntegerField()
    step_grams = serializers.IntegerField(allow_null=True, help_text="By weight.")
    step_fee_fen = serializers.IntegerField(help_text="For each begun step above `first_grams`.")
    regions = RegionFeeSerializer(
        many=True,
        allow_null=True,
        help_text="The longest prefix that the address's region begins with; blanks do not count.",
    )
