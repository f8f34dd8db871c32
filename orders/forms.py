"""What an operator says when they move an order on, and how parcels are sent. No field here is a
column of an order's price, state or stock; the services write those."""

from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy as _

from goods.sales.services import MAX_PRICE_FEN
from orders.models import ShippingMethod
from orders.pricing import plain

# So dear that it is a mistake; far below what an order's total holds, for any weight.
MOST_FEE = MAX_PRICE_FEN
MOST_REGIONS = 200
MOST_PREFIX = 60
# The least of each number of a shipping method.
AMOUNTS = {"fee_fen": 0, "free_above_fen": 0, "first_grams": 0, "step_grams": 1, "step_fee_fen": 0}


class RefuseForm(forms.Form):
    reason = forms.CharField(
        label=_("reason"),
        max_length=200,
        help_text=_("Kept in the order's history and its refund."),
    )


class ShipForm(forms.Form):
    courier = forms.CharField(label=_("courier"), max_length=40)
    tracking_no = forms.CharField(label=_("tracking number"), max_length=60)


class ShippingMethodForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """A way to send, each kind with the numbers it goes by; those of other kinds are let go."""

    regions = forms.CharField(
        label=_("regions"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 8}),
        help_text=_(
            "By region: one a line, the beginning of the address's region and the fee in fen."
            " The longest that fits counts; blanks and case do not. Elsewhere: the fee above."
        ),
    )

    class Meta:
        model = ShippingMethod
        fields = (
            "name",
            "name_en",
            "kind",
            "fee_fen",
            "free_above_fen",
            "first_grams",
            "step_grams",
            "step_fee_fen",
            "regions",
            "is_active",
            "position",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, least in AMOUNTS.items():
            bounds = [MinValueValidator(least), MaxValueValidator(MOST_FEE)]
            self.fields[name].validators += bounds
        for name in ("first_grams", "step_fee_fen"):
            self.fields[name].required = False
        self.initial["regions"] = "\n".join(
            f"{one['prefix']} {one['fee_fen']}" for one in self.instance.regions or ()
        )

    def clean_regions(self) -> list[dict[str, str | int]] | None:
        """What the lines say: [{prefix, fee_fen}], None for none."""
        lines = [line for line in self.cleaned_data["regions"].splitlines() if line.strip()]
        if len(lines) > MOST_REGIONS:
            raise forms.ValidationError(_("At most %(most)d.") % {"most": MOST_REGIONS})
        regions: dict[str, dict[str, str | int]] = {}
        for line in lines:
            prefix, _blank, fee = line.strip().rpartition(" ")
            prefix, is_fee = prefix.strip(), fee.isascii() and fee.isdigit() and len(fee) < 19
            if not (prefix and len(prefix) <= MOST_PREFIX and is_fee and int(fee) <= MOST_FEE):
                raise forms.ValidationError(_("Not a region and a fee: %(line)s") % {"line": line})
            if plain(prefix) in regions:
                raise forms.ValidationError(_("Twice: %(prefix)s") % {"prefix": prefix})
            regions[plain(prefix)] = {"prefix": prefix, "fee_fen": int(fee)}
        return list(regions.values()) or None

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        kind = said.get("kind")
        if kind == ShippingMethod.Kind.WEIGHT and said.get("step_grams") is None:
            self.add_error("step_grams", _("By weight it takes a step."))
        if kind == ShippingMethod.Kind.REGION and "regions" in said and not said["regions"]:
            self.add_error("regions", _("By region it takes one at least."))
        if kind == ShippingMethod.Kind.WEIGHT:
            said |= {name: said.get(name) or 0 for name in ("first_grams", "step_fee_fen")}
        else:
            said |= {"first_grams": 0, "step_grams": None, "step_fee_fen": 0}
        if kind != ShippingMethod.Kind.REGION:
            said["regions"] = None
        return said
