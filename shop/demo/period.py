"""The demo's lottery: a period small enough to be bought whole, drawn seconds later, and followed
by the next one."""

from goods.models import Sku
from lottery.draws.identity import LOCAL
from lottery.models import Period
from lottery.opening import PeriodPlan, period_open
from shop.errors import InsufficientStock

PRIZE_CODE = "WARE-GW-120"
SHARES = 10
SHARE_PRICE = 10
# What the first one was opened under; those that follow it open by themselves.
REFERENCE = "demo-period"


def seed_period() -> list[str]:
    """A period that a newcomer can sell out and see drawn, once: stopped or cancelled, or without a
    prize left, it is followed by none."""
    sku = Sku.objects.filter(code=PRIZE_CODE).select_related("goods").first()
    if sku is None or Period.objects.filter(reference=REFERENCE).exists():
        return []
    plan = PeriodPlan(
        prize_title=f"{sku.goods.title} {sku.spec}",
        prize_title_en=f"{sku.goods.title_en}, {sku.spec}",
        sku=sku,
        share_price=SHARE_PRICE,
        total_shares=SHARES,
        auto_renew=True,
        # It needs no network; it is not independent, which every proof of it says.
        beacon=LOCAL,
    )
    try:
        period = period_open(plan, reference=REFERENCE)
    except InsufficientStock:
        return []
    return [f"lottery period {period.pk}: {SHARES} shares at {SHARE_PRICE} points"]
