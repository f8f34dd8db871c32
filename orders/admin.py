"""Orders for operators: facts to read, and the steps that are theirs: accept, refuse, ship, refund;
and for what failed of an error of ours: try again, drop.

A step is a page of its own, sent by POST, that calls a service of `orders.lifecycle`. The service
writes the order's history and the operators' log, with who and why, in the transaction that moves
the order. No form has a field for a price, a state or a counter, and none saves an order.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from orders import lifecycle
from orders.exports import LINES, ORDERS
from orders.forms import RefuseForm, ShipForm, ShippingMethodForm
from orders.models import Order, ShippingMethod
from orders.pending import was_given_up
from orders.refunds import services as refunds
from orders.refunds.forms import StartForm
from orders.refunds.selectors import refundable
from orders.selectors import orders_now
from orders.sheet import STATE_LABELS, tables_of
from orders.states import State, sources
from shop.backoffice.dress import InTables
from shop.backoffice.edits import EditsAdmin
from shop.backoffice.exports import ExportedAdmin
from shop.backoffice.facts import GivenUpFilter
from shop.backoffice.money import money_column
from shop.backoffice.steps import Step, SteppedAdmin, Table
from shop.errors import Invalid, Refusal
from shop.forms import ConfirmForm
from shop.pools.figures import failure_words, waits_words
from shop.pools.waiting import INTERNAL

ORDER_NO = re.compile(r"[0-9]{24}", re.ASCII)
# Orders, by id, among which the newest in a state are looked for that no index finds.
LOOKED_BACK = 100_000
SALE_ID = re.compile(r"[0-9]{1,18}", re.ASCII)


def _is(states: Collection[State], *, failure: str = "") -> Callable[[Any], bool]:
    """Of an order: is it in one of these states now, and, if so asked, did it fail of that?"""
    return lambda order: order.status_now in states and failure in ("", order.failure)


ACCEPT = Step(
    name="accept",
    title=_("Accept"),
    done=_("%(order)s is accepted."),
    form=ConfirmForm,
    service=lifecycle.order_accept,
    permission="orders.accept_order",
    is_offered=_is(sources(State.ACCEPTED)),
)
REFUSE = Step(
    name="refuse",
    title=_("Refuse and refund"),
    done=_("%(order)s is refused; its units are back and its money is on the way."),
    form=RefuseForm,
    service=lifecycle.order_refuse,
    permission="orders.refuse_order",
    is_offered=_is(lifecycle.REFUSABLE),
)
SHIP = Step(
    name="ship",
    title=_("Ship"),
    done=_("%(order)s is on its way."),
    form=ShipForm,
    service=lifecycle.order_ship,
    permission="orders.ship_order",
    is_offered=_is(sources(State.SHIPPED)),
)
RETRY = Step(
    name="retry",
    title=_("Try again"),
    done=_("%(order)s is back in its queue."),
    form=ConfirmForm,
    service=lifecycle.order_retry,
    permission="orders.retry_order",
    is_offered=_is(sources(State.PENDING), failure=INTERNAL),
    about=_(
        "The order goes back into its queue, with its price, its limits and as many attempts as a"
        " new one. Its shopper was told that it failed, and may have ordered again; what they do"
        " not pay expires."
    ),
)
DROP = Step(
    name="drop",
    title=_("Drop"),
    done=_("%(order)s stays failed, and is no longer one to look after."),
    form=ConfirmForm,
    service=lifecycle.order_drop,
    permission="orders.retry_order",
    is_offered=_is({State.FAILED}, failure=INTERNAL),
    about=_("The order stays failed. It is no longer listed as one to look after."),
)
REFUND = Step(
    name="refund",
    title=_("Refund"),
    done=_("Money of %(order)s is on the way back."),
    form=StartForm,
    service=refunds.refund_start,
    is_offered=_is(refunds.REFUNDABLE),
    permission="refunds.add_refundrequest",
)
STEPS = (ACCEPT, REFUSE, SHIP, REFUND, RETRY, DROP)


class StatusNowFilter(admin.SimpleListFilter):
    """By the state that holds now.

    The few orders that somebody has to look after are found through the index over the stored
    state. Where the many come to rest, the newest are near the end of the table: sorting all that
    such an index finds would take longer than reading backwards until there are enough, or until
    LOOKED_BACK orders are read: where none is in that state, that would be all of them.
    """

    resting = (State.SHIPPED, State.COMPLETED, State.CANCELLED, State.EXPIRED)

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return [(state.value, label) for state, label in STATE_LABELS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        wanted = self.value()
        if wanted is None:
            return queryset
        if wanted in self.resting:
            newest = Order.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
            return queryset.filter(status_now=wanted, pk__gt=newest - LOOKED_BACK)
        # An order that is closing, and that no sweeper has seen yet, is still stored as unpaid.
        stored = {wanted, State.UNPAID} if wanted == State.CLOSING else {wanted}
        return queryset.filter(status__in=stored, status_now=wanted)


class GivenUpOrders(GivenUpFilter):
    def given_up(self) -> Q:
        return was_given_up()


class SaleFilter(admin.SimpleListFilter):
    """By the flash sale whose id the address names; its page links here."""

    title = _("flash sale")
    parameter_name = "sale"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        sale_id = request.GET.get(self.parameter_name, "")
        return [(sale_id, sale_id)] if SALE_ID.fullmatch(sale_id) else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        return queryset.filter(sale=self.value())


class PlacedFilter(admin.SimpleListFilter):
    """By the day an order was placed, through the unique index over the order number, which begins
    with that moment in UTC (`shop.numbers`)."""

    title = _("placed at")
    parameter_name = "placed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return [("1", _("today")), ("7", _("the last 7 days")), ("30", _("the last 30 days"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        if self.value() not in ("1", "7", "30"):
            return queryset
        first_day = timezone.localdate() - timedelta(days=int(self.value() or 1) - 1)
        since = timezone.make_aware(datetime.combine(first_day, time.min)).astimezone(UTC)
        return queryset.filter(order_no__gte=f"{since:%y%m%d%H%M%S}")


@admin.register(Order)
class OrderAdmin(ExportedAdmin, SteppedAdmin):
    sheets = (ORDERS, LINES)
    export_permission = "export_order"
    export_day = "created_at"
    steps = STEPS
    called = "order"
    list_display = (
        "order_no",
        "user",
        "status_shown",
        money_column("total_fen", _("total")),
        "created_at",
        "expires_at",
        "paid_at",
    )
    list_prefetch = ("user",)
    list_filter = (StatusNowFilter, GivenUpOrders, SaleFilter, "kind", PlacedFilter)
    search_fields = ("order_no", "user__username")
    search_help_text = _("A whole order number or a whole user name.")
    actions = ("accept_ticked", "retry_ticked", "drop_ticked")
    fieldsets: Any = (  # the stubs know no callables as fields
        (
            None,
            {
                "fields": (
                    "order_no",
                    "user",
                    "kind",
                    "sale_shown",
                    "status_shown",
                    "waits",
                    "failure_shown",
                    "remark",
                )
            },
        ),
        (
            _("Price"),
            {
                "fields": (
                    money_column("goods_fen", _("goods")),
                    money_column("freight_fen", _("freight")),
                    money_column("discount_fen", _("discount")),
                    money_column("total_fen", _("total")),
                    money_column("refunded_fen", _("refunded")),
                )
            },
        ),
        (_("Time"), {"fields": ("created_at", "expires_at", "paid_at")}),
        (
            _("Delivery"),
            {"fields": ("address_shown", "shipping_method", "courier", "tracking_no")},
        ),
    )
    readonly_fields = tuple(field for _name, part in fieldsets for field in part["fields"])

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        return orders_now(super().get_queryset(request))

    def found(self, rows: QuerySet[Order], term: str) -> QuerySet[Order]:
        if ORDER_NO.fullmatch(term):
            return rows.filter(order_no=term)
        return rows.filter(user__username=term)

    @admin.display(description=_("status"))
    def status_shown(self, order: Any) -> str:
        return str(STATE_LABELS[State(order.status_now)])

    @admin.display(description=_("flash sale"))
    def sale_shown(self, order: Order) -> SafeString | str:
        if order.sale_id is None:
            return "-"
        page = reverse("admin:sales_flashsale_change", args=[order.sale_id])
        return format_html('<a href="{}">{}</a>', page, order.sale_id)

    @admin.display(description=_("queue"))
    def waits(self, order: Order) -> str:
        return waits_words(order)

    @admin.display(description=_("failure"))
    def failure_shown(self, order: Order) -> str:
        return failure_words(order)

    @admin.display(description=_("address"))
    def address_shown(self, order: Order) -> str:
        address = order.address or {}
        parts = (address.get(name) for name in ("name", "phone", "region", "detail"))
        return " ".join(part for part in parts if part) or "-"

    def tables(self, fact: Order) -> Sequence[Table]:
        return tables_of(fact)

    def standing(self, fact: Order) -> str:
        text = gettext("Order %(order)s, %(status)s.")
        return text % {"order": fact, "status": self.status_shown(fact)}

    def initial(self, fact: Order) -> Mapping[str, Any]:
        return {"refundable": refundable(fact)}

    def carry_out(self, step: Step, fact: Order, operator: Any, said: Mapping[str, Any]) -> Any:
        return step.service(order_no=fact.order_no, operator=operator, **said)

    def refused(
        self, request: HttpRequest, fact: Order, form: forms.Form, refusal: Refusal
    ) -> HttpResponse | None:
        """On the order's page: its state was in the way, and that is where it is seen; at the form,
        where that can be filled in better."""
        if isinstance(refusal, Invalid):
            return super().refused(request, fact, form, refusal)
        messages.error(request, f"{fact}: {self.why(refusal)}")
        return self.page_of(fact)

    def why(self, refusal: Refusal) -> str:
        """With the state that was in the way."""
        if "order_status" not in refusal.data:
            return super().why(refusal)
        state = STATE_LABELS[State(refusal.data["order_status"])]
        return f"{refusal.detail} " + gettext("It is: %(state)s.") % {"state": state}

    def has_accept_permission(self, request: HttpRequest) -> bool:
        return self.may_take(request, ACCEPT)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return self.may_take(request, RETRY)

    @admin.action(description=_("Accept the ticked orders"), permissions=["accept"])
    def accept_ticked(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        done = self.each_ticked(request, queryset, ACCEPT)
        if done:
            text = ngettext("%(count)d order is accepted.", "%(count)d orders are accepted.", done)
            messages.success(request, text % {"count": done})

    @admin.action(description=_("Try the ticked orders again"), permissions=["retry"])
    def retry_ticked(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        done = self.each_ticked(request, queryset, RETRY)
        if done:
            text = ngettext(
                "%(count)d order is back in its queue.",
                "%(count)d orders are back in their queues.",
                done,
            )
            messages.success(request, text % {"count": done})

    @admin.action(description=_("Drop the ticked orders"), permissions=["retry"])
    def drop_ticked(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        done = self.each_ticked(request, queryset, DROP)
        if done:
            text = ngettext("%(count)d order is dropped.", "%(count)d orders are dropped.", done)
            messages.success(request, text % {"count": done})


@admin.register(ShippingMethod)
class ShippingMethodAdmin(InTables, EditsAdmin, ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    form = ShippingMethodForm
    list_display = (
        "name",
        "name_en",
        "kind",
        money_column("fee_fen", _("fee")),
        money_column("free_above_fen", _("free from")),
        "is_active",
        "position",
    )
    list_editable = ("is_active", "position")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No: orders name it, and to find out Django would read each of them. Offer it no more."""
        return False
