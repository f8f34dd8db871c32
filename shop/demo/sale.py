"""The demo's flash sale."""

from datetime import timedelta

from django.utils import timezone

from goods.models import Sku
from goods.sales.selectors import Status, sales_now
from goods.sales.services import SalePlan, sale_schedule
from shop.errors import InsufficientStock
from shop.pools import gate

# What it sells: (SKU code, price in fen). The first that is in stock.
ON_SALE = (("LTD-COIN-1", 39_900), ("TEA-LJ-050", 6_600), ("WARE-CUP-1", 3_900))
SALE_UNITS = 50
SALE_LIMIT = 2
SALE_LASTS = timedelta(hours=24)


def seed_sale() -> list[str]:
    """A flash sale that a newcomer can buy in at once, unless there is one: over, or sold out, it
    is followed by another as long as there is stock."""
    skus = Sku.objects.select_related("pool").in_bulk(
        [code for code, _ in ON_SALE], field_name="code"
    )
    there_are = sales_now().filter(sku__in=skus.values())
    # Counted before it looks, so that of two that seed at once the second schedules none.
    reference = f"demo-sale-{there_are.count()}"
    gone = (Status.ENDED, Status.SOLD_OUT)
    if there_are.exclude(status_now__in=gone).exists():  # type: ignore[misc]  # annotated
        return []
    now = timezone.now()
    for code, price_fen in ON_SALE:
        if code not in skus or not skus[code].stock:
            continue
        plan = SalePlan(
            sku=skus[code],
            price_fen=price_fen,
            total=min(SALE_UNITS, skus[code].stock),
            starts_at=now,
            ends_at=now + SALE_LASTS,
            per_user_limit=SALE_LIMIT,
            gated=gate.configured(),
        )
        try:
            sale = sale_schedule(plan, reference=reference)
        except InsufficientStock:
            continue
        return [f"flash sale {sale.pk}: {plan.total} of {code}"]
    return []
