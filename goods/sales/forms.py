"""Forms of the admin's flash sale pages. They say what an operator wants; `goods.sales.services`
does it. None has a field for a counter or a state."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from goods.forms import sku_code_field, sku_of_code
from goods.models import Sku
from goods.sales.models import Protection
from goods.sales.services import MAX_PRICE_FEN, SalePlan
from goods.stock import MAX_UNITS
from shop.forms import (
    PoolPlanForm,
    moment_field,
    next_hour,
    placement_field,
    reference_field,
    strategy_field,
)


def _number(label: Any, *, help_text: Any) -> forms.IntegerField:
    """At least 1, or nothing."""
    return forms.IntegerField(
        label=label, help_text=help_text, required=False, min_value=1, max_value=MAX_UNITS
    )


class ScheduleForm(PoolPlanForm):
    """The terms of a sale to be."""

    sku = sku_code_field(
        help_text=_("Its units leave the SKU's stock at once and wait for the sale."),
    )
    price_fen = forms.IntegerField(
        label=_("sale price (fen)"),
        min_value=0,
        max_value=MAX_PRICE_FEN,
        help_text=_("100 fen are ¥1."),
    )
    total = forms.IntegerField(label=_("allotment"), min_value=1, max_value=MAX_UNITS)
    starts_at = moment_field(label=_("starts at"), initial=next_hour)
    ends_at = moment_field(label=_("ends at"), initial=lambda: next_hour() + timedelta(hours=1))
    per_user_limit = forms.IntegerField(
        label=_("units per shopper"),
        initial=1,
        required=False,
        min_value=1,
        max_value=MAX_UNITS,
        help_text=_("Over all orders of a shopper. Empty: no limit."),
    )
    protection = forms.TypedChoiceField(
        label=_("protection"),
        choices=Protection.choices,
        coerce=Protection,
        initial=Protection.NONE,
        help_text=_("What an order must bring along."),
    )
    concurrency_limit = _number(
        _("concurrency limit"),
        help_text=_(
            "Direct: requests of one process at work on it. Queued: orders that may be pending."
            " Empty: as the settings say."
        ),
    )
    rate_per_user = _number(
        _("requests per user"), help_text=_("In the settings' window, by the gate. Empty: any.")
    )
    rate_per_address = _number(
        _("requests per address"), help_text=_("In the settings' window, by the gate. Empty: any.")
    )
    rate_in_all = _number(
        _("requests in all"), help_text=_("In the settings' window, by the gate. Empty: any.")
    )
    field_order = (
        "sku",
        "price_fen",
        "total",
        "starts_at",
        "ends_at",
        "per_user_limit",
        "protection",
        "placement",
        "strategy",
        "gated",
    )

    def clean_sku(self) -> Sku:
        return sku_of_code(self.cleaned_data["sku"])

    def clean_ends_at(self) -> Any:
        ends_at = self.cleaned_data["ends_at"]
        if ends_at <= timezone.now():
            raise forms.ValidationError(_("A sale must end in the future."))
        return ends_at

    def plan(self) -> SalePlan:
        """What the valid form says."""
        return SalePlan(**self.said())


class UnitsForm(forms.Form):
    """More units for a sale."""

    count = forms.IntegerField(
        label=_("units"),
        min_value=1,
        max_value=MAX_UNITS,
        help_text=_("They leave the SKU's stock for the sale's."),
    )
    reference = reference_field()


class PlacementForm(forms.Form):
    """When the counter is taken."""

    placement = placement_field()


class PoolForm(forms.Form):
    """How units are taken, and what stands before them."""

    strategy = strategy_field()
    gated = forms.BooleanField(label=_("gate"), required=False)
