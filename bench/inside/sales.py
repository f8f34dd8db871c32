"""Flash sales to race for, and what became of their orders, as the rows say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.db.models import Count, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from bench.inside import shop
from bench.load import Answers, Purchases
from bench.sales import Outcome, Settling, Way
from bench.verdict import Tally
from goods.sales.models import FlashSale
from goods.sales.services import SalePlan, sale_end, sale_schedule
from orders.models import Order, OrderLine, OrderMove
from orders.rehearsal.figures import percentile
from orders.states import State
from shop.pools.models import Placement, Pool, Strategy

# Requests allowed: more than anybody sends here, so that they are counted and turn nobody away.
RATE_PER_USER, RATE_PER_ADDRESS, RATE_IN_ALL = 1_000, 50_000, 50_000
PRICE_FEN = 9_900
SETTLED = (State.UNPAID, State.PAID)


def fresh_sale(way: Way, *, stock: int, limit: int) -> FlashSale:
    """A running sale of `stock` units, `limit` for each shopper."""
    now = timezone.now()
    return sale_schedule(
        SalePlan(
            sku=shop.fresh_sku(strategy="", stock=stock),
            price_fen=PRICE_FEN,
            total=stock,
            starts_at=now - timedelta(minutes=1),
            ends_at=now + timedelta(days=1),
            per_user_limit=limit,
            placement=Placement(way.placement),
            strategy=Strategy(way.strategy),
            gated=way.gated,
            rate_per_user=RATE_PER_USER,
            rate_per_address=RATE_PER_ADDRESS,
            rate_in_all=RATE_IN_ALL,
        )
    )


def purchases(
    sale: FlashSale, shoppers: Path, *, run: str, acknowledged: Path | None, clicks: int = 1
) -> Purchases:
    """One unit each, without an address: shoppers give it when they pay."""
    path = f"/api/v1/flash-sales/{sale.pk}/orders"
    return Purchases(shoppers, path, '{"count":1}', run, acknowledged, clicks)


def wait_settled(sale: FlashSale) -> int:
    """Waits until none of its orders is pending; returns how many still are."""
    return shop.wait_until_none(Order.objects.filter(queue_id=sale.queue_id))


def outcome(sale: FlashSale, *, loaded: int, limit: int, given: Sequence[str]) -> Outcome:
    """Waits until the sale is settled, then says what it came to. `given`: the order numbers that
    clients were told."""
    pending = wait_settled(sale)
    orders = Order.objects.filter(sale=sale).order_by()
    keys = orders.aggregate(rows=Count("pk"), keys=Count("idempotency_key", distinct=True))
    units = OrderLine.objects.filter(pool=sale.pool_id).order_by().values("order__user")
    return Outcome(
        sold=tally(sale, loaded=loaded),
        pending=pending,
        failed=orders.filter(status=State.FAILED).count(),
        breaches=units.annotate(held=Sum("count")).filter(held__gt=limit).count(),
        duplicates=keys["rows"] - keys["keys"] + len(given) - len(set(given)),
        lost=shop.lost(set(given)),
    )


def tally(sale: FlashSale, *, loaded: int) -> Tally:
    """What became of its `loaded` units, read in one statement, so in one snapshot."""
    lines = OrderLine.objects.filter(pool=OuterRef("pk")).order_by().values("pool")
    available, orders, units = (
        Pool.objects.filter(pk=sale.pool_id)
        .values_list(
            "available",
            Coalesce(Subquery(lines.annotate(n=Count("order", distinct=True)).values("n")), 0),
            Coalesce(Subquery(lines.annotate(n=Sum("count")).values("n")), 0),
        )
        .get()
    )
    return Tally(loaded=loaded, available=available, orders=orders, units=int(units))


def settling(sale: FlashSale, way: Way, run: Answers, *, name: str) -> Settling:
    """How the orders of the run `name` were settled. Where placing settles, the answer is both.

    An order's moment is when the gate admitted it (without a gate: when the terms were read), that
    of its units when the drain wrote the move, just before its COMMIT; all by one machine's clock.
    """
    if not way.queued:
        return Settling(run.accepted, 0.0, run.p50_ms, run.p99_ms)
    moves = OrderMove.objects.filter(
        order__sale=sale,
        order__idempotency_key__startswith=f"{name}-",
        source=State.PENDING,
        target__in=SETTLED,
    )
    times = list(moves.values_list("order__created_at", "created_at"))
    return settled_after(times, run)


def settled_after(times: Sequence[tuple[datetime, datetime]], run: Answers) -> Settling:
    """How what was placed in a run was settled, each at (placed, settled)."""
    waits = [1000 * (settled - placed).total_seconds() for placed, settled in times]
    settled_at = [settled.timestamp() for _, settled in times]
    return Settling(
        in_time=sum(at <= run.ended_at for at in settled_at),
        drain_seconds=max(0.0, max(settled_at, default=0.0) - run.ended_at),
        p50_ms=percentile(waits, 0.50) or 0.0,
        p99_ms=percentile(waits, 0.99) or 0.0,
    )


def last_settled(sale: FlashSale, run: Answers) -> float:
    """Seconds from the start of `run` until the last order of the sale had its units."""
    moves = OrderMove.objects.filter(
        order__sale=sale, source=State.PENDING, target__in=SETTLED
    ).order_by("-pk")
    last = moves.values_list("created_at", flat=True).first()
    return last.timestamp() - run.started_at if last else run.seconds


def moments(order_nos: Sequence[str]) -> Mapping[str, tuple[str, datetime | None]]:
    """Order number -> its key, and when it got its units if it waited for them."""
    found: dict[str, tuple[str, datetime | None]] = {}
    move = OrderMove.objects.filter(order=OuterRef("pk"), source=State.PENDING).order_by()
    for start in range(0, len(order_nos), shop.BATCH):
        orders = Order.objects.filter(order_no__in=order_nos[start : start + shop.BATCH])
        rows = orders.annotate(settled_at=Subquery(move.values("created_at")[:1]))
        for number, key, at in rows.values_list("order_no", "idempotency_key", "settled_at"):
            found[number] = key, at
    return found


@dataclass(frozen=True, slots=True)
class Running:
    """A running sale of `stock` units, as what shoppers race for (`bench.measuring.cells.Race`)."""

    sale: FlashSale
    way: Way
    stock: int
    limit: int

    def requests(
        self, shoppers: Path, *, run: str, acknowledged: Path, clicks: int = 1
    ) -> Purchases:
        return purchases(self.sale, shoppers, run=run, acknowledged=acknowledged, clicks=clicks)

    def wait_settled(self) -> int:
        return wait_settled(self.sale)

    def outcome(self, sent: Purchases) -> Outcome:
        return outcome(self.sale, loaded=self.stock, limit=self.limit, given=sent.numbers())

    def settling(self, sent: Purchases, run: Answers) -> Settling:
        return settling(self.sale, self.way, run, name=sent.run)

    def last_settled(self, run: Answers) -> float:
        return last_settled(self.sale, run)

    def end(self) -> None:
        end(self.sale)


def end(*sales: FlashSale) -> None:
    """Ends what has been measured: open sales go on costing beat and the gates' keeper time."""
    for sale in sales:
        sale_end(sale)
