"""What an operator says about a refund: yes, no, or that there is to be one. The amounts are the
server's; of the freight alone it may be said how much."""

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from shop.forms import reference_field

OF_SKU = "count_"


def _restock_field() -> forms.BooleanField:
    return forms.BooleanField(
        label=_("back in stock"),
        required=False,
        initial=True,
        help_text=_("The units can be sold again. Once it is done this stands."),
    )


def _freight_field() -> forms.IntegerField:
    return forms.IntegerField(
        label=_("freight (fen)"),
        required=False,
        min_value=0,
        help_text=_("So much of the freight too. Empty: none, and all of it with the last units."),
    )


class AcceptForm(forms.Form):
    restock = _restock_field()
    freight_fen = _freight_field()


class DeclineForm(forms.Form):
    reason = forms.CharField(
        label=_("reason"), max_length=200, help_text=_("The shopper reads this.")
    )


class StartForm(forms.Form):
    """Of each SKU so many units; `refundable` in `initial` has those that are left:
    [(SKU id, words, count)]."""

    reason = forms.CharField(
        label=_("reason"), max_length=200, help_text=_("The shopper reads this.")
    )
    restock = _restock_field()
    freight_fen = _freight_field()
    reference = reference_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for sku_id, words, count in self.initial["refundable"]:
            self.fields[f"{OF_SKU}{sku_id}"] = forms.IntegerField(
                label=words, min_value=0, max_value=count, initial=count
            )

    def clean(self) -> dict[str, Any]:
        """The counts as `items`: SKU id -> count."""
        fields = super().clean() or {}
        counts = {name: fields.pop(name) for name in list(fields) if name.startswith(OF_SKU)}
        fields["items"] = {
            int(name.removeprefix(OF_SKU)): count for name, count in counts.items() if count
        }
        if not fields["items"] and not self.errors:
            raise forms.ValidationError(gettext("At least one unit."))
        return fields
