"""The console's menu, by the job that somebody is at, and not by the app that a model lives in."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

# Job -> its lists, each with the symbol beside it (a name of Google's Material Symbols).
JOBS = (
    (_("Takings"), (("takings.hour", "bar_chart"),)),
    (
        _("Goods"),
        (("goods.goods", "storefront"), ("goods.sku", "inventory_2"), ("goods.category", "sell")),
    ),
    (_("Sales"), (("sales.flashsale", "bolt"), ("coupons.coupon", "local_activity"))),
    (
        _("Orders"),
        (
            ("orders.order", "receipt_long"),
            ("refunds.refundrequest", "assignment_return"),
            ("orders.shippingmethod", "local_shipping"),
        ),
    ),
    (_("Lottery"), (("lottery.period", "casino"), ("lottery.entry", "confirmation_number"))),
    (_("Red packets"), (("packets.packet", "redeem"), ("packets.grab", "front_hand"))),
    (
        _("People"),
        (
            ("accounts.user", "person"),
            ("auth.group", "groups"),
            ("coupons.issuedcoupon", "loyalty"),
        ),
    ),
    (
        _("Money"),
        (
            ("payments.payment", "payments"),
            ("payments.refund", "undo"),
            ("wallet.account", "account_balance_wallet"),
            ("wallet.transaction", "menu_book"),
            ("wallet.correction", "edit_note"),
            ("approvals.proposal", "approval"),
            ("oversight.reconciliation", "balance"),
        ),
    ),
    (
        _("Health"),
        (
            ("oversight.paymentalarm", "notification_important"),
            ("notices.notice", "mail"),
            ("transfers.transfer", "swap_vert"),
            ("admin.logentry", "history"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The menu of whoever asks, as django-unfold draws it: only what they may look at."""
    jobs = [
        {"title": title, "separator": True, "items": list(_items(request, lists))}
        for title, lists in JOBS
    ]
    home = {"title": _("Today"), "icon": "dashboard", "link": reverse("admin:index")}
    return [{"items": [home]}, *(job for job in jobs if job["items"])]


def _items(request: HttpRequest, lists: tuple[tuple[str, str], ...]) -> Iterator[dict[str, Any]]:
    for label, icon in lists:
        pages = admin.site.get_model_admin(apps.get_model(label))
        if pages.has_view_permission(request):
            yield {
                "title": capfirst(pages.opts.verbose_name_plural),
                "icon": icon,
                "link": reverse(f"admin:{label.replace('.', '_')}_changelist"),
            }
