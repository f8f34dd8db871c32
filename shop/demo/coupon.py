"""The demo's coupon."""

from datetime import timedelta

from django.utils import timezone

from orders.coupons.models import Kind
from orders.coupons.selectors import coupons_offered
from orders.coupons.services import CouponPlan, coupon_create

TITLE, TITLE_EN = "新人满减", "Welcome"
OFF_FEN, MINIMUM_FEN = 1_000, 5_000
ISSUE = 100
CLAIMED_FOR = timedelta(days=30)
USED_FOR_DAYS = 7


def seed_coupon() -> list[str]:
    """A coupon that a newcomer can claim at once, unless there is one."""
    if coupons_offered().filter(title=TITLE).exists():
        return []
    now = timezone.now()
    plan = CouponPlan(
        title=TITLE,
        title_en=TITLE_EN,
        kind=Kind.AMOUNT,
        off_fen=OFF_FEN,
        minimum_fen=MINIMUM_FEN,
        total=ISSUE,
        starts_at=now,
        ends_at=now + CLAIMED_FOR,
        use_days=USED_FOR_DAYS,
    )
    # Of two that seed in one minute the second creates none.
    coupon = coupon_create(plan, reference=f"demo-coupon-{now:%Y%m%d%H%M}")
    return [f"coupon {coupon.pk}: {ISSUE} of {TITLE_EN}"]
