"""What an operator says when they move an order on. No field here is a column of the order's price,
state or stock; the services write those."""

from django import forms
from django.utils.translation import gettext_lazy as _


class RefuseForm(forms.Form):
    reason = forms.CharField(
        label=_("reason"),
        max_length=200,
        help_text=_("Kept in the order's history and its refund."),
    )


class ShipForm(forms.Form):
    courier = forms.CharField(label=_("courier"), max_length=40)
    tracking_no = forms.CharField(label=_("tracking number"), max_length=60)
