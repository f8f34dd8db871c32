"""Flash sales for operators: facts to read, a form that schedules one, and the steps that steer it.

A step is a page of its own, sent by POST, that calls a service of `goods.sales.services`; the
service writes the operators' log in the transaction that does it. No form has a field for a state,
a total or a counter, and none saves a sale.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from goods.sales import selectors, services
from goods.sales.figures import order_counts
from goods.sales.forms import ScheduleForm
from goods.sales.live import WATCHED
from goods.sales.models import FlashSale
from goods.sales.selectors import Status
from goods.sales.services import QUEUE_KIND
from goods.sales.steps import STEPS
from shop.backoffice.facts import NewestFirst
from shop.backoffice.live import LiveAdmin
from shop.backoffice.money import money_column
from shop.backoffice.steps import PlannedAdmin
from shop.errors import InsufficientStock, Refusal
from shop.pools.figures import gate_words

STATUS_LABELS: Mapping[Status, "str | Promise"] = {
    Status.SCHEDULED: _("scheduled"),
    Status.RUNNING: _("running"),
    Status.PAUSED: _("paused"),
    Status.SOLD_OUT: _("sold out"),
    Status.ENDED: _("ended"),
}


class StatusFilter(admin.SimpleListFilter):
    """By the state that holds now."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return [(status.value, label) for status, label in STATUS_LABELS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(status_now=self.value()) if self.value() else queryset


class SalesList(NewestFirst):
    """Counts what waits for all sales of a page at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        waiting = _waiting([sale.queue_id for sale in self.result_list])
        for sale in self.result_list:
            sale.waiting_now = waiting.get(sale.queue_id, 0)


@admin.register(FlashSale)
class FlashSaleAdmin(LiveAdmin, PlannedAdmin):
    steps = STEPS
    watched = WATCHED
    states = STATUS_LABELS
    called = "sale"
    plan_form = ScheduleForm
    plan_title = _("Schedule a flash sale")
    plan_done = _("%(sale)s is scheduled.")
    list_display = (
        "id",
        "sku",
        "status_shown",
        "total",
        "remaining",
        "waiting",
        "settled",
        "starts_at",
        "ends_at",
        "live",
    )
    list_filter = (StatusFilter,)
    search_fields = ("sku__code",)
    search_help_text = _("A whole SKU code.")
    fieldsets: Any = (  # the stubs know no callables as fields
        (
            None,
            {
                "fields": (
                    "sku",
                    "status_shown",
                    money_column("price_fen", _("sale price")),
                    "starts_at",
                    "ends_at",
                )
            },
        ),
        (_("Units"), {"fields": ("total", "remaining", "settled")}),
        (_("Orders"), {"fields": ("waiting", "failed")}),
        (
            _("Terms"),
            {
                "fields": (
                    "per_user_limit",
                    "protection",
                    "placement",
                    "strategy",
                    "concurrency_limit",
                    "rate_per_user",
                    "rate_per_address",
                    "rate_in_all",
                )
            },
        ),
        (_("Gate"), {"fields": ("gate",)}),
    )
    readonly_fields = tuple(field for _name, part in fieldsets for field in part["fields"])

    def get_queryset(self, request: HttpRequest) -> QuerySet[FlashSale]:
        return selectors.sales_now()

    def found(self, rows: QuerySet[FlashSale], term: str) -> QuerySet[FlashSale]:
        return rows.filter(sku__code=term)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SalesList]:
        return SalesList

    # --- facts

    @admin.display(description=_("status"))
    def status_shown(self, sale: Any) -> str:
        return str(STATUS_LABELS[Status(sale.status_now)])

    @admin.display(description=_("remaining"))
    def remaining(self, sale: FlashSale) -> int:
        return sale.pool.available

    @admin.display(description=_("settled (units taken)"))
    def settled(self, sale: FlashSale) -> int:
        return sale.pool.taken

    @admin.display(description=_("pending orders"))
    def waiting(self, sale: Any) -> int:
        if not hasattr(sale, "waiting_now"):
            sale.waiting_now = _waiting([sale.queue_id]).get(sale.queue_id, 0)
        return int(sale.waiting_now)

    @admin.display(description=_("failed orders"))
    def failed(self, sale: FlashSale) -> str:
        seen = order_counts[QUEUE_KIND].failed(sale)
        said = seen.causes() or gettext("none")
        if seen.all_seen:
            return said
        text = gettext("%(failed)s (of the newest %(count)d orders)")
        return text % {"failed": said, "count": seen.looked_at}

    @admin.display(description=_("units per shopper"))
    def per_user_limit(self, sale: FlashSale) -> int | str:
        limit = sale.pool.per_user_limit
        return gettext("no limit") if limit is None else limit

    @admin.display(description=_("strategy"))
    def strategy(self, sale: FlashSale) -> str:
        return str(sale.pool.get_strategy_display())

    @admin.display(description=_("gate against database"))
    def gate(self, sale: FlashSale) -> str:
        return gate_words(sale.pool)

    # --- pages

    def title_of(self, fact: FlashSale) -> str:
        return gettext("Flash sale %(number)d: %(sku)s") % {"number": fact.pk, "sku": fact.sku}

    def standing(self, fact: FlashSale) -> str:
        text = gettext(
            "%(sale_title)s, %(status)s: %(remaining)s units remain, %(settled)s are taken."
        )
        return text % {
            "sale_title": self.title_of(fact),
            "status": self.status_shown(fact),
            "remaining": fact.pool.available,
            "settled": fact.pool.taken,
        }

    def initial(self, fact: FlashSale) -> Mapping[str, Any]:
        return {
            "placement": fact.placement,
            "strategy": fact.pool.strategy,
            "gated": fact.pool.gated,
        }

    def links(self, request: HttpRequest, fact: FlashSale) -> Sequence[tuple["str | Promise", str]]:
        orders = reverse("admin:orders_order_changelist")
        return [self.live_link(fact), (_("Orders"), f"{orders}?sale={fact.pk}")]

    def begin(self, form: Any, operator: Any) -> FlashSale:
        return services.sale_schedule(
            form.plan(), operator=operator, reference=form.cleaned_data["reference"]
        )

    def explain(self, form: forms.Form, refusal: Refusal) -> None:
        if isinstance(refusal, InsufficientStock):
            text = gettext("The SKU has only %(count)d units in stock.")
            units = "total" if "total" in form.fields else "count"
            form.add_error(units, text % {"count": refusal.data["available"]})
        else:
            super().explain(form, refusal)


def _waiting(queue_ids: Sequence[int]) -> Mapping[int, int]:
    return order_counts[QUEUE_KIND].waiting(queue_ids)
