"""The demo's flash sales: one that runs, and one that a newcomer can watch open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from goods.models import Sku
from goods.sales.selectors import Status, sales_now
from goods.sales.services import SalePlan, sale_schedule
from shop.errors import InsufficientStock
from shop.pools import gate


@dataclass(frozen=True, slots=True)
class DemoSale:
    """`on_sale`: (SKU code, price in fen); the first that is in stock is sold."""

    reference: str
    on_sale: Sequence[tuple[str, int]]
    units: int
    limit: int
    starts_in: timedelta
    lasts: timedelta


RUNNING = DemoSale(
    reference="demo-sale",
    on_sale=(("LTD-COIN-1", 39_900), ("TEA-LJ-050", 6_600), ("WARE-CUP-1", 3_900)),
    units=50,
    limit=2,
    starts_in=timedelta(0),
    lasts=timedelta(hours=24),
)
# It ends before the one above, so that lists which begin with the last to end begin with that one.
OPENING = DemoSale(
    reference="demo-opening",
    on_sale=(("LTD-SHOE-42", 19_900), ("WARE-TRAY-1", 4_900), ("TEA-DHP-100", 9_900)),
    units=5,
    limit=1,
    starts_in=timedelta(seconds=60),
    lasts=timedelta(minutes=30),
)


def seed_sales() -> list[str]:
    """A flash sale that a newcomer can buy in at once, and one that opens a minute later; each only
    unless there is one: over, or sold out, it is followed by another as long as there is stock."""
    return [*_seed(RUNNING), *_seed(OPENING)]


def _seed(demo: DemoSale) -> list[str]:
    skus = Sku.objects.select_related("pool").in_bulk(
        [code for code, _ in demo.on_sale], field_name="code"
    )
    there_are = sales_now().filter(sku__in=skus.values())
    # Counted before it looks, so that of two that seed at once the second schedules none.
    reference = f"{demo.reference}-{there_are.count()}"
    gone = (Status.ENDED, Status.SOLD_OUT)
    if there_are.exclude(status_now__in=gone).exists():  # type: ignore[misc]  # annotated
        return []
    starts_at = timezone.now() + demo.starts_in
    for code, price_fen in demo.on_sale:
        if code not in skus or not skus[code].stock:
            continue
        plan = SalePlan(
            sku=skus[code],
            price_fen=price_fen,
            total=min(demo.units, skus[code].stock),
            starts_at=starts_at,
            ends_at=starts_at + demo.lasts,
            per_user_limit=demo.limit,
            gated=gate.configured(),
        )
        try:
            sale = sale_schedule(plan, reference=reference)
        except InsufficientStock:
            continue
        when = f", opens in {demo.starts_in.seconds} s" if demo.starts_in else ""
        return [f"flash sale {sale.pk}: {plan.total} of {code}{when}"]
    return []
