"""What an operator reads of one order beside its own columns: tables of its items, history,
payments, refunds and stock movements. Reads only, through indexes, as many queries however much
there is."""

from collections.abc import Mapping

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders.models import Order
from orders.refunds.models import RefundRequest
from orders.states import State
from shop.backoffice.money import money
from shop.backoffice.steps import Table
from shop.pools.models import Movement, PoolMovement

# The words for operators; clients are told the values.
STATE_LABELS: Mapping[State, "str | Promise"] = {
    State.PENDING: gettext_lazy("pending"),
    State.UNPAID: gettext_lazy("unpaid"),
    State.CLOSING: gettext_lazy("closing"),
    State.PAID: gettext_lazy("paid"),
    State.ACCEPTED: gettext_lazy("accepted"),
    State.SHIPPED: gettext_lazy("shipped"),
    State.COMPLETED: gettext_lazy("completed"),
    State.CANCELLED: gettext_lazy("cancelled"),
    State.EXPIRED: gettext_lazy("expired"),
    State.FAILED: gettext_lazy("failed"),
    State.REFUNDING: gettext_lazy("refunding"),
    State.REFUNDED: gettext_lazy("refunded"),
}


def tables_of(order: Order) -> list[Table]:
    """The tables of one order."""
    return [
        _items(order),
        _history(order),
        _payments(order),
        _requests(order),
        _refunds(order),
        _movements(order),
    ]


def _items(order: Order) -> Table:
    """From the snapshot: what the shopper was promised, whatever the goods are called now."""
    return Table(
        _("Items"),
        [_("SKU"), _("goods"), _("spec"), _("price"), _("count"), _("subtotal")],
        [
            [
                line["sku"],
                line["goods_title"],
                line["spec"],
                money(line["price_fen"]),
                line["count"],
                money(line["price_fen"] * line["count"]),
            ]
            for line in order.snapshot
        ],
    )


def _history(order: Order) -> Table:
    return Table(
        _("History"),
        [_("when"), _("from"), _("to"), _("who"), _("reason")],
        [
            [
                move.created_at,
                STATE_LABELS[State(move.source)],
                STATE_LABELS[State(move.target)],
                move.operator or move.actor,
                move.reason,
            ]
            for move in order.moves.select_related("operator").order_by("pk")
        ],
    )


def _payments(order: Order) -> Table:
    return Table(
        _("Payments"),
        [_("number"), _("provider"), _("amount"), _("status"), _("opened"), _("succeeded")],
        [
            [
                payment.payment_no,
                payment.provider,
                money(payment.amount_fen),
                payment.get_status_display(),
                payment.created_at,
                payment.succeeded_at,
            ]
            for payment in order.payments.order_by("pk")
        ],
    )


def _requests(order: Order) -> Table:
    requests = order.refund_requests.select_related("decided_by").prefetch_related("lines__line")
    return Table(
        _("Refund requests"),
        [
            _("number"),
            _("items"),
            _("amount"),
            _("status"),
            _("origin"),
            _("reason"),
            _("back in stock"),
            _("decided by"),
            _("answer"),
        ],
        [
            [
                _linked(request),
                ", ".join(f"{one.line.sku_id} x {one.count}" for one in request.lines.all()),
                money(request.amount_fen),
                request.get_status_display(),
                request.get_origin_display(),
                request.reason,
                _("yes") if request.restocked else _("no"),
                request.decided_by,
                request.answer,
            ]
            for request in requests.order_by("pk")
        ],
    )


def _linked(request: RefundRequest) -> SafeString:
    page = reverse("admin:refunds_refundrequest_change", args=[request.pk])
    return format_html('<a href="{}">{}</a>', page, request)


def _refunds(order: Order) -> Table:
    return Table(
        _("Refunds"),
        [_("number"), _("amount"), _("status"), _("cause"), _("reason"), _("succeeded")],
        [
            [
                refund.refund_no,
                money(refund.amount_fen),
                refund.get_status_display(),
                refund.get_cause_display(),
                refund.reason,
                refund.succeeded_at,
            ]
            for refund in order.refunds.order_by("pk")
        ],
    )


def _movements(order: Order) -> Table:
    # A batch's movement is of all its orders. Pool and kind first: the ledger's index begins with
    # them, and it has no other.
    took = order.lines.values_list("reference", flat=True)
    refunded = order.refund_requests.values_list("refund_no", flat=True)
    movements = PoolMovement.objects.filter(
        pool__in=[line["pool"] for line in order.snapshot],
        kind__in=(Movement.TAKE, Movement.GIVE_BACK),
        reference__in={order.order_no, *took, *refunded},
    )
    return Table(
        _("Stock"),
        [_("when"), _("pool"), _("kind"), _("change"), _("reference")],
        [
            [
                movement.created_at,
                movement.pool_id,
                movement.get_kind_display(),
                movement.delta,
                movement.reference,
            ]
            for movement in movements.order_by("pk")
        ],
    )
