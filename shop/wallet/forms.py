"""Forms of the admin's wallet pages. They say what an operator wants; none has a field for a
balance."""

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from shop.accounts.models import User
from shop.backoffice import steps
from shop.backoffice.money import money
from shop.errors import InsufficientBalance, Refusal
from shop.forms import reference_field
from shop.wallet.corrections import MOST_AMOUNT
from shop.wallet.models import Correction, Currency, House


def amount_of(currency: str, amount: int) -> str:
    """An amount as operators read it: money in yuan and fen, points as they are."""
    if currency == Currency.CNY:
        return money(amount)
    return gettext("%(count)d points") % {"count": amount}


class CorrectionForm(forms.Form):
    """What is to be given to a user, or put right in a wallet."""

    user = forms.CharField(label=_("user name"), max_length=150)
    house = forms.TypedChoiceField(
        label=_("kind"), choices=Correction._meta.get_field("house").choices, coerce=House
    )
    currency = forms.TypedChoiceField(
        label=_("currency"), choices=Currency.choices, coerce=Currency
    )
    amount = forms.IntegerField(
        label=_("amount"),
        min_value=-MOST_AMOUNT,
        max_value=MOST_AMOUNT,
        help_text=_("Fen or points; below zero: what is taken from the user."),
    )
    reason = forms.CharField(label=_("reason"), max_length=200)
    reference = reference_field()

    def clean_user(self) -> User:
        name = self.cleaned_data["user"]
        user = User.objects.filter(username=name).first()
        if user is None:
            raise forms.ValidationError(_("There is no user of this name."))
        return user


def explain(form: forms.Form, refusal: Refusal) -> None:
    """Puts the refusal where it belongs in the form."""
    if isinstance(refusal, InsufficientBalance):
        has = amount_of(refusal.data["currency"], refusal.data["balance"])
        text = gettext("The wallet has only %(amount)s.") % {"amount": has}
        form.add_error("amount" if "amount" in form.fields else None, text)
        return
    steps.explain(form, refusal)
