"""Payments and refunds for operators: facts to read, and telling a provider again now."""

from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from orders.payments import refunding
from orders.payments.exports import PAYMENTS, REFUNDS
from orders.payments.models import Payment, Refund
from shop.accounts.models import User
from shop.backoffice.exports import ExportedAdmin
from shop.backoffice.facts import FactsAdmin, ticked
from shop.backoffice.money import money_column
from shop.errors import Refusal


class NumberedAdmin(ExportedAdmin, FactsAdmin):
    """Facts of an order with a number of their own; found by either number."""

    export_day = "created_at"

    number: str
    list_prefetch = ("order",)
    list_filter = ("status",)
    search_help_text = _("A whole number of its own or of its order.")

    def found(self, rows: QuerySet[Any], term: str) -> QuerySet[Any]:
        # Two look-ups by index, rather than an OR across tables that would be none.
        own = list(rows.filter(**{self.number: term}).values_list("pk", flat=True))
        return rows.filter(pk__in=own) if own else rows.filter(order__order_no=term)


@admin.register(Payment)
class PaymentAdmin(NumberedAdmin):
    number = "payment_no"
    sheets = (PAYMENTS,)
    export_permission = "export_payment"
    list_display = (
        "payment_no",
        "order",
        "provider",
        money_column("amount_fen", _("amount")),
        "status",
        "created_at",
        "succeeded_at",
    )
    search_fields = ("payment_no", "order__order_no")
    fields = (*list_display[:3], "user", *list_display[3:], "provider_no", "provider_at")
    readonly_fields = fields


@admin.register(Refund)
class RefundAdmin(NumberedAdmin):
    number = "refund_no"
    sheets = (REFUNDS,)
    export_permission = "export_refund"
    list_display = (
        "refund_no",
        "order",
        money_column("amount_fen", _("amount")),
        "status",
        "cause",
        "attempts",
        "due_at",
        "succeeded_at",
    )
    search_fields = ("refund_no", "order__order_no")
    fields = (
        *(*list_display[:2], "payment", *list_display[2:], "reason", "created_at"),
        *("provider_state", "provider_no", "provider_at"),
    )
    readonly_fields = fields
    actions = ("retry_ticked",)

    @admin.action(description=_("Tell the provider again now"), permissions=["operate"])
    def retry_ticked(self, request: HttpRequest, queryset: QuerySet[Refund]) -> None:
        due = 0
        for refund in ticked(request, queryset):
            try:
                is_due = refunding.refund_retry(
                    refund_no=refund.refund_no, operator=cast("User", request.user)
                )
            except Refusal as refusal:
                messages.error(request, f"{refund}: {refusal.detail}")
                continue
            if is_due:
                due += 1
            else:
                messages.warning(request, gettext("%(refund)s is done.") % {"refund": refund})
        if due:
            text = ngettext("%(count)d refund is due now.", "%(count)d refunds are due now.", due)
            messages.success(request, text % {"count": due})
