"""What operators' forms share: a reference that makes sending one twice harmless, moments, and how
a pool's units are taken. A form says what is wanted; a service does it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.functional import lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from shop.pools import gate
from shop.pools.models import Placement, Strategy

MINUTES = "%Y-%m-%dT%H:%M"


class ConfirmForm(forms.Form):
    """Nothing to say: sending it is the yes."""


def new_reference() -> str:
    """Names one display of a form, so that sending it twice is harmless."""
    return f"admin-{uuid4().hex}"


def reference_field() -> forms.RegexField:
    """The reference of one display of a form."""
    return forms.RegexField(
        regex=r"^admin-[0-9a-f]{32}\Z", initial=new_reference, widget=forms.HiddenInput
    )


def _in_time_zone() -> str:
    return gettext("In the shop's time zone, %(zone)s.") % {"zone": settings.TIME_ZONE}


def moment_field(**options: Any) -> forms.DateTimeField:
    """A moment in the shop's time zone."""
    options.setdefault("help_text", lazy(_in_time_zone, str)())
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MINUTES)
    return forms.DateTimeField(widget=widget, **options)


def next_hour() -> Any:
    """The next full hour in the shop's time zone."""
    hour = timezone.localtime().replace(minute=0, second=0, microsecond=0)
    return hour + timedelta(hours=1)


def placement_field(**options: Any) -> forms.TypedChoiceField:
    """When the counter is taken."""
    return forms.TypedChoiceField(
        label=_("placement"), choices=Placement.choices, coerce=Placement, **options
    )


def strategy_field(**options: Any) -> forms.TypedChoiceField:
    """How units are taken; nothing is the shop's own setting."""
    return forms.TypedChoiceField(
        label=_("strategy"),
        choices=Strategy.choices,
        coerce=Strategy,
        empty_value=Strategy.DEFAULT,
        required=False,
        **options,
    )


class PoolPlanForm(forms.Form):
    """How the units of what a form plans will be taken, and what stands before them."""

    placement = placement_field(initial=Placement.QUEUED)
    strategy = strategy_field(initial=Strategy.DEFAULT)
    gated = forms.BooleanField(
        label=_("gate"),
        initial=gate.configured,
        required=False,
        help_text=_("Redis turns requests away before the database hears of them."),
    )
    reference = reference_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not gate.configured():
            self.fields["gated"].disabled = True
            self.fields["gated"].help_text = _("This shop has no Redis for gates.")

    def said(self) -> dict[str, Any]:
        """What the valid form says, but for its reference."""
        return {name: value for name, value in self.cleaned_data.items() if name != "reference"}
