"""Flash sales for operators: facts to read, a form that schedules one, and the steps that steer it.

A step is a page of its own, sent by POST, that calls a service of `goods.sales.services`; the
service writes the operators' log in the transaction that does it. No form has a field for a state,
a total or a counter, and none saves a sale.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from goods.sales import selectors, services
from goods.sales.figures import GateState, gate_view, order_counts
from goods.sales.forms import ScheduleForm
from goods.sales.models import FlashSale
from goods.sales.selectors import Status
from goods.sales.services import QUEUE_KIND
from goods.sales.steps import STEPS, UNITS
from shop.backoffice import NewestFirst, Step, SteppedAdmin, money_column
from shop.errors import InsufficientStock, Refusal

STATUS_LABELS: Mapping[Status, "str | Promise"] = {
    Status.SCHEDULED: _("scheduled"),
    Status.RUNNING: _("running"),
    Status.PAUSED: _("paused"),
    Status.SOLD_OUT: _("sold out"),
    Status.ENDED: _("ended"),
}
GATE_WORDS: Mapping[GateState, "str | Promise"] = {
    GateState.OFF: _("off"),
    GateState.NO_REDIS: _("on, but this shop has no Redis for gates: nobody gets through"),
    GateState.CLOSED: _("closed with the sale"),
    GateState.SILENT: _("Redis does not answer: buyers are told to come back in a moment"),
    GateState.COLD: _("cold: it opens by itself within seconds, or now when it is rebuilt"),
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
class FlashSaleAdmin(SteppedAdmin):
    steps = STEPS
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

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Django's own: scheduling is adding."""
        return admin.ModelAdmin.has_add_permission(self, request)

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
        said = ", ".join(f"{cause}: {count}" for cause, count in seen.by_cause) or gettext("none")
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
        view = gate_view(sale)
        if view.state in GATE_WORDS:
            return str(GATE_WORDS[view.state])
        if view.state is GateState.EQUAL:
            text = gettext("%(count)d remain, as the database says")
            return text % {"count": view.remaining}
        text = gettext("%(gate)d remain, by the database %(books)d")
        said = text % {"gate": view.remaining, "books": view.in_books}
        if view.wrong_users:
            users = ngettext(
                "%(count)d shopper is counted wrongly",
                "%(count)d shoppers are counted wrongly",
                view.wrong_users,
            )
            said += "; " + users % {"count": view.wrong_users}
        since = gettext("for %(seconds)d s; what stays is corrected by itself")
        return f"{said} ({since % {'seconds': view.seconds}})"

    # --- pages

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["subtitle"] = _title(context["original"])
        return super().render_change_form(request, context, *args, **kwargs)

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page that schedules a sale. Its reference makes a second submit of it harmless."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ScheduleForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                sale = services.sale_schedule(
                    form.plan(), operator=request.user, reference=form.cleaned_data["reference"]
                )
            except Refusal as refusal:
                _explain(form, refusal, units="total")
            else:
                text = gettext("%(sale)s is scheduled.")
                messages.success(request, text % {"sale": _title(sale)})
                if self.has_view_permission(request):
                    return redirect("admin:sales_flashsale_change", sale.pk)
                return redirect("admin:index")
        return self._page(request, "schedule", title=_("Schedule a flash sale"), form=form)

    def step_view(self, request: HttpRequest, object_id: str, step: Step) -> HttpResponseBase:
        if not self.has_operate_permission(request):
            raise PermissionDenied
        sale: Any = self.get_object(request, unquote(object_id))
        if sale is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        form = step.form(
            request.POST if request.method == "POST" else None,
            initial={
                "placement": sale.placement,
                "strategy": sale.pool.strategy,
                "gated": sale.pool.gated,
            },
        )
        if form.is_valid() and self._carry_out(request, step, sale, form):
            return redirect("admin:sales_flashsale_change", sale.pk)
        return self._page(
            request,
            "step",
            title=step.title,
            about=step.about,
            sale=sale,
            sale_title=_title(sale),
            status=self.status_shown(sale),
            form=form,
        )

    def _carry_out(
        self, request: HttpRequest, step: Step, sale: FlashSale, form: forms.Form
    ) -> bool:
        """Whether the step was done, by this submit or an earlier one; else the form says why
        not."""
        try:
            outcome = step.service(sale, operator=request.user, **form.cleaned_data)
        except Refusal as refusal:
            _explain(form, refusal, units="count")
            return False
        if step is UNITS and not outcome:
            messages.warning(request, gettext("Carried out before; nothing changed now."))
        else:
            messages.success(request, str(step.done))
        return True

    def _page(self, request: HttpRequest, name: str, **context: object) -> TemplateResponse:
        return TemplateResponse(
            request,
            f"admin/sales/flashsale/{name}.html",
            {**self.admin_site.each_context(request), "opts": self.opts, **context},
        )


def _waiting(queue_ids: Sequence[int]) -> Mapping[int, int]:
    return order_counts[QUEUE_KIND].waiting(queue_ids)


def _title(sale: FlashSale) -> str:
    return gettext("Flash sale %(number)d: %(sku)s") % {"number": sale.pk, "sku": sale.sku}


def _explain(form: forms.Form, refusal: Refusal, *, units: str) -> None:
    """Puts the refusal where it belongs in the form; `units`: the field that asks for units."""
    if isinstance(refusal, InsufficientStock):
        text = gettext("The SKU has only %(count)d units in stock.")
        form.add_error(units, text % {"count": refusal.data["available"]})
        return
    faults = refusal.data.get("errors") or [{"field": "", "message": str(refusal.detail)}]
    for fault in faults:
        form.add_error(fault["field"] if fault["field"] in form.fields else None, fault["message"])
