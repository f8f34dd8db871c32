"""What can still be refunded of an order, until when, and its refunds as their owner sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max, Sum
from django.utils.translation import gettext

from orders.models import Order, OrderLine
from orders.payments.models import Refund
from orders.pricing import line_discounts
from orders.refunds.amounts import paid, part
from orders.refunds.models import RefundLine, RefundRequest
from orders.states import State
from shop.errors import Invalid, NotFound

DELIVERED = (State.SHIPPED, State.COMPLETED)


@dataclass(frozen=True, slots=True)
class Part:
    """`count` units of a line, and what was paid for them (fen)."""

    line: OrderLine
    count: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Left:
    """The units and the money that no refund of an order has, or asks for. `held`: units that are
    asked for, and not decided."""

    parts: Sequence[Part]
    freight_fen: int
    held: int

    def all(self) -> list[Part]:
        """Every unit that is left."""
        return [part for part in self.parts if part.count]

    def counts(self) -> dict[int, int]:
        """SKU id -> units left, of each SKU of the order."""
        counts: dict[int, int] = {}
        for one in self.parts:
            counts[one.line.sku_id] = counts.get(one.line.sku_id, 0) + one.count
        return counts

    def of(self, items: Mapping[int, int]) -> list[Part]:
        """The units of `items` (SKU id -> count) with their money. Raises NotFound for a SKU that
        the order has not, Invalid for more than is left."""
        counts = self.counts()
        wanted = []
        for sku_id, count in items.items():
            if sku_id not in counts:
                raise NotFound(sku=sku_id)
            if count > counts[sku_id]:
                message = gettext("Of SKU %(sku)d, %(most)d units can be refunded.")
                words = message % {"sku": sku_id, "most": counts[sku_id]}
                raise Invalid.field("items", words, code="max_value")
            wanted += self._of_sku(sku_id, count)
        return wanted

    def _of_sku(self, sku_id: int, count: int) -> list[Part]:
        taken = []
        for one in self.parts:
            units = min(count, one.count) if one.line.sku_id == sku_id else 0
            if units:
                fen = part(left_fen=one.amount_fen, left=one.count, count=units)
                taken.append(Part(one.line, units, fen))
                count -= units
        return taken

    def is_rest(self, units: int) -> bool:
        """Whether no unit of the order is left, or asked for, beside so many."""
        return self.held == 0 and sum(one.count for one in self.parts) == units


def left_of(order: Order, *, without: RefundRequest | None = None) -> Left:
    """What is left of a paid order; `without`: as if this request were not there. Trust it under
    the order's lock alone."""
    lines = list(order.lines.order_by("pk"))
    requests = order.refund_requests.exclude(status=RefundRequest.Status.DECLINED)
    if without is not None:
        requests = requests.exclude(pk=without.pk)
    of_lines = RefundLine.objects.filter(request__in=requests)
    gone = {
        line_id: (count, fen)
        for line_id, count, fen in of_lines.values_list("line").annotate(
            Sum("count"), Sum("amount_fen")
        )
    }
    off = line_discounts(order.breakdown)
    was = paid(
        [line.price_fen * line.count for line in lines],
        off=[off.get(line.sku_id, 0) for line in lines],
        freight_fen=order.freight_fen,
        discount_fen=order.discount_fen,
    )
    parts = []
    for line, fen in zip(lines, was.lines, strict=True):
        gone_count, gone_fen = gone.get(line.pk, (0, 0))
        parts.append(Part(line, line.count - gone_count, fen - gone_fen))
    gone_freight = requests.aggregate(fen=Sum("freight_fen"))["fen"] or 0
    asked_for = of_lines.filter(request__status=RefundRequest.Status.REQUESTED)
    return Left(
        parts=parts,
        freight_fen=was.freight_fen - gone_freight,
        held=asked_for.aggregate(units=Sum("count"))["units"] or 0,
    )


def refundable_until(order: Order) -> datetime | None:
    """Until when a shopper may ask for a refund of a paid order; None: it is not shipped yet."""
    if order.status not in DELIVERED:
        return None
    moves = order.moves.filter(target__in=DELIVERED)
    since: datetime = moves.aggregate(last=Max("created_at"))["last"]
    return since + timedelta(days=settings.REFUND_DAYS)


def refundable(order: Order) -> list[tuple[int, str, int]]:
    """(SKU id, what it is called, units) of what an operator may still refund of an order."""
    names = {line["sku"]: f"{line['goods_title']} {line['spec']}" for line in order.snapshot}
    counts = left_of(order).counts()
    return [(sku_id, names[sku_id], count) for sku_id, count in counts.items() if count]


@dataclass(frozen=True, slots=True)
class Shown:
    """A refund as the order's owner sees it: asked for, or of money that came too late."""

    refund_no: str
    status: str
    amount_fen: int
    items: Sequence[Mapping[str, int]]
    reason: str
    answer: str
    created_at: datetime


def shown(request: RefundRequest) -> Shown:
    """A request, and how far its money is."""
    counts: dict[int, int] = {}
    for one in request.lines.all():
        counts[one.line.sku_id] = counts.get(one.line.sku_id, 0) + one.count
    return Shown(
        refund_no=request.refund_no,
        status=_status(request),
        amount_fen=request.amount_fen,
        items=[{"sku": sku_id, "count": count} for sku_id, count in counts.items()],
        reason=request.reason,
        answer=request.answer,
        created_at=request.created_at,
    )


def _status(request: RefundRequest) -> str:
    if request.status != RefundRequest.Status.ACCEPTED:
        return request.status
    # Nothing was paid, so nothing is under way.
    return request.refund.status if request.refund else Refund.Status.SUCCEEDED.value


def refunds_of(order: Order) -> list[Shown]:
    """The refunds of an order, oldest first; those that nobody asked for too."""
    requests = order.refund_requests.select_related("refund").prefetch_related("lines__line")
    refunds = [
        Shown(
            refund_no=refund.refund_no,
            status=refund.status,
            amount_fen=refund.amount_fen,
            items=[],
            reason=refund.reason,
            answer="",
            created_at=refund.created_at,
        )
        for refund in order.refunds.filter(request=None)
    ]
    return sorted([*map(shown, requests), *refunds], key=lambda one: one.refund_no)
