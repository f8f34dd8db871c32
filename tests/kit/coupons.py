"""Coupons as operators create them and shoppers claim and use them."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from goods.models import Sku
from orders.checkout import Checkout, order_place
from orders.coupons.models import Coupon, IssuedCoupon, Kind
from orders.coupons.services import CouponPlan, coupon_claim, coupon_create
from orders.models import Order
from shop.accounts.models import Address, User
from tests.factories import make_address, request_key_of


def make_plan(*, kind: str = "amount", total: int = 10, **terms: Any) -> CouponPlan:
    """100 fen off anything, claimed now, for thirty days. `terms`: the rest of a `CouponPlan`."""
    now = timezone.now()
    defaults: dict[str, Any] = {
        "title": "优惠券",
        "title_en": "Coupon",
        "off_fen": 100,
        "percent": 10,
        "most_fen": 10_000,
        "starts_at": now - timedelta(minutes=1),
        "ends_at": now + timedelta(hours=1),
        "use_days": 30 if "use_until" not in terms else None,
    }
    return CouponPlan(kind=Kind(kind), total=total, **defaults | terms)


def make_coupon(**terms: Any) -> Coupon:
    """A coupon of `make_plan`'s terms."""
    return coupon_create(make_plan(**terms))


def claim(user: User, coupon: Coupon, *, key: str = "") -> IssuedCoupon:
    """One piece for the user. Raises the refusal."""
    request_key = request_key_of(user, key, body=str(coupon.pk), route="coupon-claims")
    return coupon_claim(key=request_key, coupon_id=coupon.pk).row


def place_with(
    user: User,
    items: dict[Sku, int],
    issued: IssuedCoupon,
    *,
    key: str = "",
    address: Address | None = None,
) -> Order:
    """An order of `items` (SKU -> count) placed through checkout with the coupon."""
    answer = order_place(
        user=user,
        key=request_key_of(user, key),
        checkout=Checkout(
            items={sku.pk: number for sku, number in items.items()},
            address_id=(address or make_address(user)).pk,
            coupon_id=issued.pk,
        ),
    )
    return answer.row


def now(issued: IssuedCoupon) -> tuple[str, int | None]:
    """Whether it is used, and by which order, as stored now."""
    return IssuedCoupon.objects.values_list("status", "order_id").get(pk=issued.pk)
