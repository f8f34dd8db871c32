"""Coupons for operators: a form that creates one, steps that add to its issue or stop it, and the
issued ones as facts to read. No form has a field for a counter or a state, and none saves a coupon.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from goods.models import Sku
from orders.coupons import asking, selectors, services
from orders.coupons.forms import CouponForm, IssueForm
from orders.coupons.models import Coupon, IssuedCoupon
from orders.coupons.selectors import Offer, Standing
from shop.approvals.models import Proposal
from shop.backoffice.money import money_column
from shop.backoffice.steps import PlannedAdmin, Step, SteppedAdmin
from shop.forms import ConfirmForm

OFFER_LABELS: Mapping[Offer, "str | Promise"] = {
    Offer.SCHEDULED: _("scheduled"),
    Offer.OPEN: _("open"),
    Offer.SOLD_OUT: _("none is left"),
    Offer.ENDED: _("ended"),
}
STANDING_LABELS: Mapping[Standing, "str | Promise"] = {
    Standing.ISSUED: _("issued"),
    Standing.USED: _("used"),
    Standing.EXPIRED: _("expired"),
}
COUPON_ID = re.compile(r"[0-9]{1,18}", re.ASCII)
COUPON_NO = re.compile(r"[0-9]{24}", re.ASCII)


def _goes_on(coupon: Any) -> bool:
    return bool(coupon.status_now != Offer.ENDED)


ADD = Step(
    name="issue",
    title=_("Add to the issue"),
    about=_("So many more can be claimed."),
    done=_("The issue is larger."),
    not_now=_("Carried out before; nothing changed now."),
    form=IssueForm,
    service=asking.coupon_add_or_ask,
    is_offered=_goes_on,
)
STOP = Step(
    name="stop",
    title=_("Stop"),
    about=_(
        "Nobody can claim it any more. What was claimed stays valid. A coupon that is stopped can't"
        " be started again."
    ),
    done=_("The coupon is stopped."),
    not_now=_("It was stopped before; nothing changed now."),
    form=ConfirmForm,
    service=services.coupon_stop,
    is_offered=_goes_on,
)


@admin.register(Coupon)
class CouponAdmin(PlannedAdmin):
    steps = (ADD, STOP)
    called = "coupon"
    plan_form = CouponForm
    plan_title = _("Create a coupon")
    plan_done = _("%(coupon)s is created.")
    list_display = (
        "id",
        "title",
        "status_shown",
        "kind",
        "total",
        "claimed",
        "starts_at",
        "ends_at",
    )
    search_fields = ("title",)
    search_help_text = _("A whole title.")
    fieldsets: Any = (  # the stubs know no callables as fields
        (None, {"fields": ("title", "title_en", "status_shown")}),
        (
            _("What it takes off"),
            {
                "fields": (
                    "kind",
                    money_column("off_fen", _("amount off")),
                    "percent",
                    money_column("most_fen", _("at most")),
                    money_column("minimum_fen", _("from")),
                    "scope",
                    "category",
                    "skus",
                )
            },
        ),
        (_("Issue"), {"fields": ("total", "claimed", "remaining", "per_user_limit", "strategy")}),
        (_("Time"), {"fields": ("starts_at", "ends_at", "use_from", "use_until", "use_days")}),
    )
    readonly_fields = tuple(field for _name, part in fieldsets for field in part["fields"])

    def get_queryset(self, request: HttpRequest) -> QuerySet[Coupon]:
        return selectors.coupons_now()

    def found(self, rows: QuerySet[Coupon], term: str) -> QuerySet[Coupon]:
        return rows.filter(title=term)

    # --- facts

    @admin.display(description=_("status"))
    def status_shown(self, coupon: Any) -> str:
        return str(OFFER_LABELS[Offer(coupon.status_now)])

    @admin.display(description=_("claimed"))
    def claimed(self, coupon: Coupon) -> int:
        return coupon.pool.taken

    @admin.display(description=_("remaining"))
    def remaining(self, coupon: Coupon) -> int:
        return coupon.pool.available

    @admin.display(description=_("per shopper"))
    def per_user_limit(self, coupon: Coupon) -> int | str:
        limit = coupon.pool.per_user_limit
        return gettext("no limit") if limit is None else limit

    @admin.display(description=_("strategy"))
    def strategy(self, coupon: Coupon) -> str:
        return str(coupon.pool.get_strategy_display())

    @admin.display(description=_("SKUs"))
    def skus(self, coupon: Coupon) -> str:
        codes = Sku.objects.filter(pk__in=coupon.sku_ids or ()).order_by("pk")
        return ", ".join(codes.values_list("code", flat=True)) or "-"

    # --- pages

    def standing(self, fact: Coupon) -> str:
        text = gettext("Coupon %(coupon)s, %(status)s: %(claimed)d of %(total)d are claimed.")
        return text % {
            "coupon": fact,
            "status": self.status_shown(fact),
            "claimed": fact.pool.taken,
            "total": fact.total,
        }

    def links(self, request: HttpRequest, fact: Coupon) -> Sequence[tuple["str | Promise", str]]:
        address = reverse("admin:coupons_issuedcoupon_changelist")
        return [(_("Issued coupons"), f"{address}?{CouponFilter.parameter_name}={fact.pk}")]

    def begin(self, form: Any, operator: Any) -> Coupon | Proposal:
        return asking.coupon_create_or_ask(
            form.plan(), operator=operator, reference=form.cleaned_data["reference"]
        )


class CouponFilter(admin.SimpleListFilter):
    """By the coupon whose id the address names; its page links here."""

    title = _("coupon")
    parameter_name = "coupon"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        coupon_id = request.GET.get(self.parameter_name, "")
        return [(coupon_id, coupon_id)] if COUPON_ID.fullmatch(coupon_id) else []

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[IssuedCoupon]
    ) -> QuerySet[IssuedCoupon]:
        return queryset.filter(coupon=self.value())


@admin.register(IssuedCoupon)
class IssuedCouponAdmin(SteppedAdmin):
    called = "issued"
    list_display = ("coupon_no", "coupon", "user", "status_shown", "claimed_at", "expires_at")
    list_prefetch = ("coupon", "user")
    list_filter = (CouponFilter,)
    search_fields = ("coupon_no", "user__username")
    search_help_text = _("A whole number of an issued coupon or a whole user name.")
    fields = (
        "coupon_no",
        "coupon",
        "user",
        "status_shown",
        "order_shown",
        "claimed_at",
        "valid_from",
        "expires_at",
        "used_at",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[IssuedCoupon]:
        return selectors.issued_now().prefetch_related(*self.list_prefetch)

    def found(self, rows: QuerySet[IssuedCoupon], term: str) -> QuerySet[IssuedCoupon]:
        if COUPON_NO.fullmatch(term):
            return rows.filter(coupon_no=term)
        return rows.filter(user__username=term)

    @admin.display(description=_("status"))
    def status_shown(self, issued: Any) -> str:
        return str(STANDING_LABELS[Standing(issued.status_now)])

    @admin.display(description=_("order"))
    def order_shown(self, issued: IssuedCoupon) -> SafeString | str:
        if issued.order is None:
            return "-"
        page = reverse("admin:orders_order_change", args=[issued.order_id])
        return format_html('<a href="{}">{}</a>', page, issued.order)
