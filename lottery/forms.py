"""Forms of the admin's lottery pages. They say what an operator wants; the lottery's services do
it. None has a field for a seed, an entry, a root, a round or a result."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from goods.forms import sku_code_field, sku_of_code
from goods.models import Sku
from lottery.beacons import CHOICES
from lottery.models import Scheme
from lottery.opening import FIRST_NUMBER, MOST_PRICE, MOST_SHARES, PeriodPlan
from shop.forms import PoolPlanForm, moment_field
from shop.wallet.models import Currency


def _count(label: Any, *, most: int = MOST_SHARES, **options: Any) -> forms.IntegerField:
    return forms.IntegerField(label=label, min_value=1, max_value=most, **options)


class OpenForm(PoolPlanForm):
    """The terms of a period to be. What is committed to stands from the moment it is sent."""

    prize_title = forms.CharField(label=_("prize"), max_length=120)
    prize_title_en = forms.CharField(label=_("prize, English"), max_length=120, required=False)
    prize_image = forms.CharField(
        label=_("picture"),
        max_length=500,
        required=False,
        help_text=_("Its address. Empty: that of the SKU's goods."),
    )
    sku = sku_code_field(
        required=False,
        help_text=_("A unit of it leaves the stock at once, for whoever wins. Empty: no SKU."),
    )
    currency = forms.ChoiceField(label=_("currency"), initial=Currency.POINTS)
    share_price = _count(
        _("price of a share"), most=MOST_PRICE, help_text=_("In points, or in fen for money.")
    )
    total_shares = _count(_("shares"))
    minimum_shares = _count(
        _("shares to be sold at least"),
        initial=1,
        help_text=_("Fewer are sold when it ends: it is cancelled, and all is paid back."),
    )
    per_user_limit = _count(
        _("shares per shopper"),
        required=False,
        help_text=_("Over all entries of a shopper. Empty: no limit."),
    )
    first_number = _count(_("first number"), initial=FIRST_NUMBER)
    serial = _count(_("serial"), initial=1, help_text=_("The next one has the next."))
    ends_at = moment_field(label=_("ends at"), required=False)
    auto_renew = forms.BooleanField(
        label=_("the next one opens by itself"),
        required=False,
        help_text=_("On the same terms, as long as there is a prize."),
    )
    scheme = forms.ChoiceField(
        label=_("draw"),
        choices=Scheme.choices,
        initial=Scheme.COMMIT_BEACON,
        help_text=_("The classic formula can't be checked against the shop, and needs a sell-out."),
    )
    beacon = forms.ChoiceField(label=_("beacon"), required=False)
    public_number_source = forms.CharField(
        label=_("source of the public number"),
        max_length=200,
        required=False,
        help_text=_("Classic: which number of which day, of what, and where it can be read."),
    )
    field_order = (
        "prize_title",
        "prize_title_en",
        "prize_image",
        "sku",
        "currency",
        "share_price",
        "total_shares",
        "minimum_shares",
        "per_user_limit",
        "first_number",
        "serial",
        "ends_at",
        "auto_renew",
        "scheme",
        "beacon",
        "public_number_source",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for_money = settings.LOTTERY_FOR_MONEY
        self.fields["currency"].choices = [
            (value, label)
            for value, label in Currency.choices
            if for_money or value == Currency.POINTS
        ]
        if not for_money:
            self.fields["currency"].help_text = _("This shop sells shares for points only.")
        usual = _("as the shop's setting says")
        self.fields["beacon"].choices = [("", usual), *((name, name) for name in CHOICES)]

    def clean_sku(self) -> Sku | None:
        code = self.cleaned_data["sku"]
        return sku_of_code(code) if code else None

    def plan(self) -> PeriodPlan:
        """What the valid form says."""
        return PeriodPlan(**self.said())


class PublicNumberForm(forms.Form):
    """What one operator has read, for themselves."""

    number = forms.RegexField(
        label=_("public number"),
        regex=r"^[0-9]{5}\Z",
        help_text=_("Five digits, with leading zeros."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "numeric"}),
    )

    def clean_number(self) -> int:
        return int(self.cleaned_data["number"])
