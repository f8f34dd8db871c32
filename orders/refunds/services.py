"""Refunds of paid orders: asked for, declined, accepted, begun by an operator, or by a refusal.

All of it happens under the order's row lock. A request keeps its units and their money from others
until it is decided; each unit is in one request that is open or accepted, at most. Accepting one
fixes the money's way back (`orders.payments`), gives its units back to their pools where the
operator says so, and moves the order once neither a unit nor a fen of it is left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib.admin.models import ADDITION, CHANGE
from django.db.models import F
from django.utils.translation import gettext

from orders import notices
from orders.models import Order, OrderLine
from orders.payments.models import Payment, Refund
from orders.payments.refunding import refund_decide
from orders.refunds.models import RefundLine, RefundRequest
from orders.refunds.selectors import Left, Part, left_of, refundable_until
from orders.selectors import order_locked
from orders.states import State
from orders.transitions import move
from shop import transactions
from shop.api.idempotency import Answer, RequestKey, insert, once
from shop.errors import Ended, Invalid, NotFound, OrderState
from shop.numbers import new_number
from shop.operators_log import log
from shop.pools import services as pools
from shop.pools.services import Claim
from shop.pools.strategies import Take

if TYPE_CHECKING:
    from shop.accounts.models import User

UNSHIPPED = frozenset({State.PAID, State.ACCEPTED})
REFUNDABLE = UNSHIPPED | {State.SHIPPED, State.COMPLETED}
CREATED = 201
# In place of the routes of requests: what operators begin, and what the merchant refuses.
BEGUN, REFUSED = "refund-start", "refuse"

Status, Origin = RefundRequest.Status, RefundRequest.Origin


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a request is accepted. `restock`: its units go back to their pools. `freight_fen`: so
    much of the freight too; None: none, and all that is left of it with the last units."""

    restock: bool
    freight_fen: int | None = None


def refund_request(
    *, user: "User", order_no: str, key: RequestKey, items: Mapping[int, int] | None, reason: str
) -> Answer[RefundRequest]:
    """A shopper asks for the money of `items` (SKU id -> count) of an order, None for all that is
    left of it; or finds what an earlier request of theirs asked for.

    Raises NotFound, OrderState, Ended when it was shipped too long ago, Invalid for more units than
    are left.
    """

    def create(key: RequestKey) -> RefundRequest:
        def write() -> RefundRequest:
            order = order_locked(order_no=order_no, user=user)
            until = refundable_until(_refundable(order))
            if until is not None and until <= order.db_now:
                raise Ended
            return _ask(order, items, key=key, origin=Origin.SHOPPER, reason=reason)

        return transactions.run(write)

    return once(key, RefundRequest.objects.all(), create)


def refund_decline(*, refund_no: str, operator: "User", reason: str) -> bool:
    """Lets an order as it is, for `reason`; the units can be asked for again. False, and nothing
    changed, where this operator has declined it already.

    Raises NotFound, Invalid where it is decided otherwise.
    """

    def write() -> bool:
        order, request = _locked(refund_no)
        if not _is_open(request, Status.DECLINED, operator):
            return False
        _decline(order, [request], operator=operator, answer=reason)
        _log(request, operator, f"declined: {reason}", Status.DECLINED)
        return True

    return transactions.run(write)


def refund_accept(
    *, refund_no: str, operator: "User", restock: bool, freight_fen: int | None = None
) -> bool:
    """Sends the money of a request back, as `Verdict` says. False, and nothing changed, where this
    operator has accepted it already.

    Raises NotFound, OrderState, Invalid where it is decided otherwise, and for a freight that is
    out of bounds.
    """

    def write() -> bool:
        order, request = _locked(refund_no)
        if not _is_open(request, Status.ACCEPTED, operator):
            return False
        verdict = Verdict(restock, freight_fen)
        returned = _accept(_refundable(order), request, verdict, operator=operator)
        _log(request, operator, _words(request), Status.ACCEPTED)
        pools.give_back(returned)
        return True

    return transactions.run(write)


def refund_start(
    *,
    order_no: str,
    operator: "User",
    items: Mapping[int, int] | None,
    reason: str,
    restock: bool,
    freight_fen: int | None = None,
    reference: str,
) -> RefundRequest:
    """An operator sends the money of `items` (SKU id -> count; None: all that is left) of an order
    back, as `Verdict` says, at any time, once per `reference`.

    Raises NotFound, OrderState, Invalid for more units than are left, or freight out of bounds.
    """

    def create(key: RequestKey) -> RefundRequest:
        def write() -> RefundRequest:
            order = _refundable(order_locked(order_no=order_no))
            request = _ask(order, items, key=key, origin=Origin.OPERATOR, reason=reason)
            verdict = Verdict(restock, freight_fen)
            returned = _accept(order, request, verdict, operator=operator)
            _log(request, operator, _words(request), Status.ACCEPTED, flag=ADDITION)
            pools.give_back(returned)
            return request

        return transactions.run(write)

    key = RequestKey(operator.pk, BEGUN, reference, "")
    return once(key, RefundRequest.objects.all(), create).row


def refuse_rest(order: Order, *, actor: str, operator: "User | None", reason: str) -> list[Claim]:
    """Refunds, under the locked order, all that is left of it, with its units; whatever is asked
    for is overtaken by that. Returns what the caller gives back to the pools, last."""
    still_open = list(order.refund_requests.filter(status=Status.REQUESTED))
    _decline(order, still_open, operator=operator, answer=gettext("The whole order is refunded."))
    key = RequestKey(order.user_id, REFUSED, order.order_no, "")
    request = _ask(order, None, key=key, origin=Origin.REFUSAL, reason=reason)
    notices.order_refused(order)
    return _accept(order, request, Verdict(restock=True), actor=actor, operator=operator)


def _refundable(order: Order) -> Order:
    if order.status not in REFUNDABLE:
        raise OrderState(order_status=order.status_now)
    return order


def _locked(refund_no: str) -> tuple[Order, RefundRequest]:
    known = RefundRequest.objects.filter(refund_no=refund_no).first()
    if known is None:
        raise NotFound(refund=refund_no)
    order = order_locked(pk=known.order_id)
    # Read again: it changes under the order's lock only.
    return order, RefundRequest.objects.get(pk=known.pk)


def _is_open(request: RefundRequest, wanted: RefundRequest.Status, operator: "User") -> bool:
    """False where this operator has decided the same before. Raises Invalid."""
    if request.status == wanted and request.decided_by_id == operator.pk:
        return False
    if request.status != Status.REQUESTED:
        raise Invalid.field("", gettext("It has been decided already."))
    return True


def _ask(
    order: Order,
    items: Mapping[int, int] | None,
    *,
    key: RequestKey,
    origin: RefundRequest.Origin,
    reason: str,
) -> RefundRequest:
    left = left_of(order)
    wanted = left.all() if items is None else left.of(items)
    if not wanted:
        raise OrderState(order_status=order.status_now)
    request = RefundRequest(
        **key.columns(),
        first_status=CREATED,
        refund_no=new_number(order.db_now),
        order=order,
        origin=origin,
        reason=reason,
        goods_fen=sum(part.amount_fen for part in wanted),
        # What it would be if it were accepted now: freight belongs to the last units.
        freight_fen=left.freight_fen if left.is_rest(_units(wanted)) else 0,
        created_at=order.db_now,
    )
    insert(request)
    RefundLine.objects.bulk_create(
        RefundLine(request=request, line=part.line, count=part.count, amount_fen=part.amount_fen)
        for part in wanted
    )
    return request


def _decline(
    order: Order, requests: list[RefundRequest], *, operator: "User | None", answer: str
) -> None:
    RefundRequest.objects.filter(pk__in=[one.pk for one in requests]).update(
        status=Status.DECLINED, decided_by=operator, decided_at=order.db_now, answer=answer
    )


def _accept(
    order: Order,
    request: RefundRequest,
    verdict: Verdict,
    *,
    operator: "User | None",
    actor: str = "operator",
) -> list[Claim]:
    """Returns what the caller gives back to the pools, last."""
    left = left_of(order, without=request)
    parts = list(request.lines.select_related("line").order_by("pk"))
    takes_rest = left.is_rest(_units(parts))
    request.freight_fen = _freight(order, left, verdict.freight_fen, takes_rest=takes_rest)
    request.status, request.restocked = Status.ACCEPTED, verdict.restock
    request.decided_by, request.decided_at = operator, order.db_now
    request.refund = _send_back(order, request)
    request.save(
        update_fields=[
            "freight_fen", "status", "restocked", "decided_by", "decided_at", "refund",
        ]
    )  # fmt: skip
    if takes_rest and request.freight_fen == left.freight_fen:
        _finish(order, actor=actor, operator=operator, reason=request.reason)
    return _returned(order, request, parts) if verdict.restock else []


def _freight(order: Order, left: Left, said: int | None, *, takes_rest: bool) -> int:
    if said is None:
        return left.freight_fen if takes_rest else 0
    if not 0 <= said <= left.freight_fen:
        message = gettext("From 0 to %(most)d fen.") % {"most": left.freight_fen}
        raise Invalid.field("freight_fen", message)
    if takes_rest and said != left.freight_fen and order.status in UNSHIPPED:
        message = gettext("Nothing of it is sent any more: all of its freight goes back.")
        raise Invalid.field("freight_fen", message)
    return said


def _send_back(order: Order, request: RefundRequest) -> Refund | None:
    if request.amount_fen == 0:
        return None
    cause = Refund.Cause.REQUESTED
    if request.origin == Origin.REFUSAL:
        cause = Refund.Cause.REFUSED
    # The one that paid it: any other that succeeded went back as it came.
    payment = Payment.objects.exclude(refunds__cause=Refund.Cause.LATE).get(
        order=order, status=Payment.Status.SUCCEEDED
    )
    return refund_decide(
        order,
        payment,
        cause=cause,
        amount_fen=request.amount_fen,
        reason=request.reason,
        part=request.pk,
        refund_no=request.refund_no,
    )


def _finish(order: Order, *, actor: str, operator: "User | None", reason: str) -> None:
    """Neither a unit nor a fen of the order is left."""
    move([order], State.REFUNDING, actor=actor, operator=operator, reason=reason)
    if not order.refunds.exclude(status=Refund.Status.SUCCEEDED).exists():
        move([order], State.REFUNDED, actor=actor, operator=operator, reason=reason)


def _returned(order: Order, request: RefundRequest, parts: list[RefundLine]) -> list[Claim]:
    for part in parts:
        OrderLine.objects.filter(pk=part.line_id).update(
            given_back=F("given_back") + part.count, restocked=F("restocked") + part.count
        )
    takes = [Take(part.line.pool_id, part.count) for part in parts]
    # Under its own number: an order's units come back in as many movements as refunds.
    return [Claim(request.refund_no, order.user_id, takes)]


def _units(parts: Sequence[Part | RefundLine]) -> int:
    return sum(part.count for part in parts)


def _words(request: RefundRequest) -> str:
    return f"accepted: {request.amount_fen} fen" + (", restocked" if request.restocked else "")


def _log(
    request: RefundRequest,
    operator: "User",
    message: str,
    target: RefundRequest.Status,
    *,
    flag: int = CHANGE,
) -> None:
    before = None if flag == ADDITION else Status.REQUESTED
    log(operator, [request], flag, message, changes={"status": (before, target)})
