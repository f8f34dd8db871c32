"""Coupons on the wire. Shapes only."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from orders.coupons.models import Coupon, IssuedCoupon, Kind, Scope
from orders.coupons.selectors import Offer, Standing


# Named, because an order and a shipping method have a kind too.
@extend_schema_field(
    {"type": "string", "enum": [kind.value for kind in Kind]}, component_name="CouponKindEnum"
)
class KindField(serializers.CharField):
    """What a coupon takes off."""


class CouponTermsSerializer(serializers.Serializer[Coupon]):
    """What a coupon takes off, and for what."""

    id = serializers.IntegerField()
    title = serializers.CharField(source="reader_title")
    kind = KindField()
    off_fen = serializers.IntegerField(help_text="Of an amount: what it takes off.")
    percent = serializers.IntegerField(help_text="Of a percentage: what it takes off, rounded down")
    most_fen = serializers.IntegerField(allow_null=True, help_text="... and no more than this.")
    minimum_fen = serializers.IntegerField(help_text="What the goods it is for must cost.")
    scope = serializers.ChoiceField(choices=Scope.choices)
    category = serializers.IntegerField(source="category_id", allow_null=True)
    skus = serializers.ListField(
        source="sku_ids", child=serializers.IntegerField(), allow_null=True
    )


class CouponSerializer(CouponTermsSerializer):
    """A coupon as shoppers see it; count down by `server_time`, not by the phone's clock."""

    starts_at = serializers.DateTimeField(help_text="Claimed from then ...")
    ends_at = serializers.DateTimeField(help_text="... until then.")
    use_from = serializers.DateTimeField(allow_null=True, help_text="null: as soon as claimed.")
    use_until = serializers.DateTimeField(allow_null=True, help_text="null: see `use_days`.")
    use_days = serializers.IntegerField(allow_null=True, help_text="Days from when it is valid.")
    per_user_limit = serializers.IntegerField(
        source="pool.per_user_limit", allow_null=True, help_text="null: no limit."
    )
    total = serializers.IntegerField()
    remaining = serializers.IntegerField(source="pool.available")
    status = serializers.ChoiceField(source="status_now", choices=[offer.value for offer in Offer])
    server_time = serializers.DateTimeField(source="db_now")


class IssuedCouponSerializer(serializers.Serializer[IssuedCoupon]):
    """One of a shopper's own; its `id` is what an order names."""

    id = serializers.IntegerField()
    coupon = CouponTermsSerializer()
    status = serializers.ChoiceField(
        source="status_now", choices=[standing.value for standing in Standing]
    )
    order_no = serializers.SerializerMethodField()
    claimed_at = serializers.DateTimeField()
    valid_from = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    server_time = serializers.DateTimeField(source="db_now")

    def get_order_no(self, issued: IssuedCoupon) -> str | None:
        """The order that has used it."""
        return issued.order.order_no if issued.order else None


class IssuedCouponsQuery(serializers.Serializer[Any]):
    """What GET /me/coupons understands."""

    status = serializers.ChoiceField(
        choices=[standing.value for standing in Standing], required=False
    )
