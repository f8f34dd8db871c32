"""Forms of the admin's coupon pages. They say what an operator wants; `orders.coupons.services`
does it. None has a field for a counter or a state."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from goods.forms import sku_of_code
from goods.models import Category, Sku
from goods.sales.services import MAX_PRICE_FEN
from goods.stock import MAX_UNITS
from orders.coupons.models import Kind, Scope
from orders.coupons.services import MOST_DAYS, MOST_SKUS, CouponPlan
from shop.forms import moment_field, next_hour, reference_field, strategy_field
from shop.pools.models import Strategy


def _amount(**options: Any) -> forms.IntegerField:
    return forms.IntegerField(required=False, min_value=0, max_value=MAX_PRICE_FEN, **options)


class CouponForm(forms.Form):
    """The terms of a coupon to be; none of them changes later."""

    title = forms.CharField(label=_("title"), max_length=60)
    title_en = forms.CharField(label=_("English title"), max_length=60, required=False)
    kind = forms.TypedChoiceField(label=_("kind"), choices=Kind.choices, coerce=Kind)
    off_fen = _amount(label=_("amount off (fen)"), help_text=_("Of an amount."))
    percent = forms.IntegerField(
        label=_("percent off"),
        required=False,
        min_value=1,
        max_value=100,
        help_text=_("Of a percentage: 15 takes 15 of 100 fen; rounded down to the fen."),
    )
    most_fen = _amount(label=_("at most (fen)"), help_text=_("Of a percentage."))
    minimum_fen = _amount(
        label=_("from (fen)"), initial=0, help_text=_("What the goods it is for must cost.")
    )
    scope = forms.TypedChoiceField(
        label=_("for"), choices=Scope.choices, coerce=Scope, initial=Scope.ALL
    )
    category = forms.ModelChoiceField(
        label=_("category"), queryset=Category.objects.all(), required=False
    )
    skus = forms.CharField(
        label=_("SKU codes"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("One a line."),
    )
    total = forms.IntegerField(
        label=_("issue"),
        min_value=1,
        max_value=MAX_UNITS,
        help_text=_("How many there are. More can be added later."),
    )
    per_user_limit = forms.IntegerField(
        label=_("per shopper"),
        initial=1,
        required=False,
        min_value=1,
        max_value=MAX_UNITS,
        help_text=_("Empty: no limit."),
    )
    starts_at = moment_field(label=_("claimed from"), initial=next_hour)
    ends_at = moment_field(
        label=_("claimed until"), initial=lambda: next_hour() + timedelta(days=7)
    )
    use_from = moment_field(
        label=_("used from"), required=False, help_text=_("Empty: as soon as it is claimed.")
    )
    use_until = moment_field(
        label=_("used until"), required=False, help_text=_("Either this or a number of days.")
    )
    use_days = forms.IntegerField(
        label=_("days to use it"),
        required=False,
        min_value=1,
        max_value=MOST_DAYS,
        help_text=_("Since it was claimed, or since it may be used."),
    )
    strategy = strategy_field(initial=Strategy.DEFAULT)
    reference = reference_field()

    def clean_skus(self) -> list[Sku]:
        codes = dict.fromkeys(self.cleaned_data["skus"].split())
        if len(codes) > MOST_SKUS:
            raise forms.ValidationError(_("At most %(most)d.") % {"most": MOST_SKUS})
        return [sku_of_code(code) for code in codes]

    def plan(self) -> CouponPlan:
        """What the valid form says."""
        said = {name: value for name, value in self.cleaned_data.items() if name != "reference"}
        said |= {name: said[name] or 0 for name in ("off_fen", "percent", "minimum_fen")}
        return CouponPlan(**said)


class IssueForm(forms.Form):
    """More of a coupon."""

    count = forms.IntegerField(label=_("how many more"), min_value=1, max_value=MAX_UNITS)
    reference = reference_field()
