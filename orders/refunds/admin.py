"""Refunds that are asked for, for operators: facts to read, and the two steps that are theirs. What
an operator begins is a step of the order (`orders.admin`)."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orders.refunds import services
from orders.refunds.forms import AcceptForm, DeclineForm
from orders.refunds.models import RefundRequest
from shop.backoffice.money import money, money_column
from shop.backoffice.steps import Step, SteppedAdmin, Table


def _is_open(request: RefundRequest) -> bool:
    return request.status == RefundRequest.Status.REQUESTED


ACCEPT = Step(
    name="accept",
    title=_("Accept"),
    done=_("%(refund)s is accepted; its money is on the way."),
    not_now=_("You have accepted it already."),
    form=AcceptForm,
    service=services.refund_accept,
    is_offered=_is_open,
)
DECLINE = Step(
    name="decline",
    title=_("Decline"),
    done=_("%(refund)s is declined."),
    not_now=_("You have declined it already."),
    form=DeclineForm,
    service=services.refund_decline,
    is_offered=_is_open,
)


@admin.register(RefundRequest)
class RefundRequestAdmin(SteppedAdmin):
    steps = (ACCEPT, DECLINE)
    called = "refund"
    list_display = (
        "refund_no",
        "order",
        "status",
        "origin",
        money_column("amount_fen", _("amount")),
        "created_at",
        "decided_by",
        "decided_at",
    )
    list_prefetch = ("order", "decided_by")
    list_filter = ("status",)
    search_fields = ("refund_no", "order__order_no")
    search_help_text = _("A whole number of its own or of its order.")
    fields: Any = (  # the stubs know no callables as fields
        *list_display[:4],
        "reason",
        money_column("goods_fen", _("goods")),
        money_column("freight_fen", _("freight")),
        list_display[4],
        "restocked",
        "answer",
        *list_display[5:],
    )
    readonly_fields = fields

    def found(self, rows: QuerySet[RefundRequest], term: str) -> QuerySet[RefundRequest]:
        # Two look-ups by index, rather than an OR across tables that would be none.
        own = list(rows.filter(refund_no=term).values_list("pk", flat=True))
        return rows.filter(pk__in=own) if own else rows.filter(order__order_no=term)

    def standing(self, fact: RefundRequest) -> str:
        text = gettext("Refund %(refund)s of %(amount)s, %(status)s: %(reason)s")
        return text % {
            "refund": fact,
            "amount": money(fact.amount_fen),
            "status": fact.get_status_display(),
            "reason": fact.reason,
        }

    def links(
        self, request: HttpRequest, fact: RefundRequest
    ) -> Sequence[tuple["str | Promise", str]]:
        return [(_("The order"), reverse("admin:orders_order_change", args=[fact.order_id]))]

    def tables(self, fact: RefundRequest) -> Sequence[Table]:
        lines = fact.lines.select_related("line__sku__goods").order_by("pk")
        return [
            Table(
                gettext("Items"),
                [gettext("SKU"), gettext("goods"), gettext("count"), gettext("amount")],
                [
                    [one.line.sku_id, str(one.line.sku), one.count, money(one.amount_fen)]
                    for one in lines
                ],
            )
        ]

    def carry_out(
        self, step: Step, fact: RefundRequest, operator: Any, said: Mapping[str, Any]
    ) -> Any:
        return step.service(refund_no=fact.refund_no, operator=operator, **said)
