"""Forms of the admin's flash sale pages. They say what an operator wants; `goods.sales.services`
does it. None has a field for a counter or a state."""

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from goods.models import Sku
from goods.sales.models import Protection
from goods.sales.services import MAX_PRICE_FEN, SalePlan
from goods.stock import MAX_UNITS
from shop.backoffice import reference_field
from shop.pools import gate
from shop.pools.models import Placement, Strategy

MINUTES = "%Y-%m-%dT%H:%M"


def _moment(**options: Any) -> forms.DateTimeField:
    """A moment in the shop's time zone."""
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MINUTES)
    return forms.DateTimeField(widget=widget, **options)


def _next_hour() -> Any:
    hour = timezone.localtime().replace(minute=0, second=0, microsecond=0)
    return hour + timedelta(hours=1)


def _number(label: Any, *, help_text: Any) -> forms.IntegerField:
    """At least 1, or nothing."""
    return forms.IntegerField(
        label=label, help_text=help_text, required=False, min_value=1, max_value=MAX_UNITS
    )


def _placement(**options: Any) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(
        label=_("placement"), choices=Placement.choices, coerce=Placement, **options
    )


def _strategy(**options: Any) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(
        label=_("strategy"),
        choices=Strategy.choices,
        coerce=Strategy,
        empty_value=Strategy.DEFAULT,
        required=False,
        **options,
    )


class ScheduleForm(forms.Form):
    """The terms of a sale to be."""

    sku = forms.CharField(
        label=_("SKU code"),
        max_length=64,
        help_text=_("Its units leave the SKU's stock at once and wait for the sale."),
    )
    price_fen = forms.IntegerField(
        label=_("sale price (fen)"), min_value=0, max_value=MAX_PRICE_FEN
    )
    total = forms.IntegerField(label=_("allotment"), min_value=1, max_value=MAX_UNITS)
    starts_at = _moment(label=_("starts at"), initial=_next_hour)
    ends_at = _moment(label=_("ends at"), initial=lambda: _next_hour() + timedelta(hours=1))
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
    placement = _placement(initial=Placement.QUEUED)
    strategy = _strategy(initial=Strategy.DEFAULT)
    gated = forms.BooleanField(
        label=_("gate"),
        initial=gate.configured,
        required=False,
        help_text=_("Redis turns requests away before the database hears of them."),
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
    reference = reference_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = _("In the shop's time zone, %(zone)s.") % {"zone": settings.TIME_ZONE}
        self.fields["starts_at"].help_text = self.fields["ends_at"].help_text = zone
        if not gate.configured():
            self.fields["gated"].disabled = True
            self.fields["gated"].help_text = _("This shop has no Redis for gates.")

    def clean_sku(self) -> Sku:
        sku = Sku.objects.filter(code=self.cleaned_data["sku"]).first()
        if sku is None:
            raise forms.ValidationError(_("No SKU has this code."))
        return sku

    def clean_ends_at(self) -> Any:
        ends_at = self.cleaned_data["ends_at"]
        if ends_at <= timezone.now():
            raise forms.ValidationError(_("A sale must end in the future."))
        return ends_at

    def plan(self) -> SalePlan:
        """What the valid form says."""
        said = {name: value for name, value in self.cleaned_data.items() if name != "reference"}
        return SalePlan(**said)


class ConfirmForm(forms.Form):
    """Nothing to say: sending it is the yes."""


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

    placement = _placement()


class PoolForm(forms.Form):
    """How units are taken, and what stands before them."""

    strategy = _strategy()
    gated = forms.BooleanField(label=_("gate"), required=False)
