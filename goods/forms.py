"""Forms of the admin's goods pages. None of them has a field for a counter."""

from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from goods import selectors
from goods.models import Sku
from goods.stock import MAX_UNITS
from shop.backoffice.dress import labelled
from shop.forms import reference_field
from shop.pools.models import Strategy


class SkuForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """A SKU's description, and how orders take from it, which is its pool's column."""

    strategy = forms.ChoiceField(
        label=_("strategy"), choices=Strategy.choices, required=False, initial=Strategy.DEFAULT
    )

    class Meta:
        model = Sku
        fields = ("code", "spec", "price_fen", "grams", "on_shelf")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["grams"].required = False
        labelled(self.fields["strategy"])
        if self.instance.pk:
            self.initial["strategy"] = self.instance.pool.strategy

    def clean_grams(self) -> int:
        """As it was where nothing is said."""
        grams: int | None = self.cleaned_data["grams"]
        return self.instance.grams if grams is None else grams


class SkuFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """Refuses to delete what is part of the books."""

    def clean(self) -> None:
        super().clean()
        for form in self.initial_forms:
            if form.cleaned_data.get("DELETE") and selectors.sku_has_history(form.instance):
                raise forms.ValidationError(
                    _("%(code)s was sold or its stock moved: put it off the shelf instead."),
                    params={"code": form.instance.code},
                )


class SkuCodeInput(forms.TextInput):
    """A code that may be typed, or chosen from the newest SKUs on the shelf."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        offered = f"{name}-offered"
        field = super().render(name, value, {**(attrs or {}), "list": offered}, renderer)
        options = format_html_join(
            "",
            '<option value="{}">{}</option>',
            ((sku.code, f"{sku.goods} {sku.spec}") for sku in selectors.skus_offered()),
        )
        return format_html('{}<datalist id="{}">{}</datalist>', field, offered, options)


def sku_code_field(**options: Any) -> forms.CharField:
    """A SKU, named by its code; `sku_of_code` finds it."""
    return forms.CharField(label=_("SKU code"), max_length=64, widget=SkuCodeInput, **options)


def sku_of_code(code: str) -> Sku:
    """The SKU that an operator has named by its code. Raises ValidationError."""
    sku = Sku.objects.filter(code=code).first()
    if sku is None:
        raise forms.ValidationError(_("No SKU has this code."))
    return sku


class AdjustForm(forms.Form):
    """Units in (or out, below zero) for a reason."""

    delta = forms.IntegerField(
        label=_("change"),
        min_value=-MAX_UNITS,
        max_value=MAX_UNITS,
        help_text=_("Units that come in; below zero: units that go out."),
    )
    reason = forms.CharField(label=_("reason"), max_length=200)
    reference = reference_field()

    def clean_delta(self) -> int:
        delta: int = self.cleaned_data["delta"]
        if delta == 0:
            raise forms.ValidationError(_("A change of nothing is no change."))
        return delta
