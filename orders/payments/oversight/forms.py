"""What an operator says about an alarm."""

from django import forms
from django.utils.translation import gettext_lazy as _


class HandledForm(forms.Form):
    note = forms.CharField(
        label=_("What was found, and what was done"), max_length=500, widget=forms.Textarea
    )
