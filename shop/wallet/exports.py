"""Files of the ledger: each posting with its transaction, so that both sides stand in one file."""

from django.utils.translation import gettext_lazy as _
from import_export.fields import Field
from import_export.resources import Resource

from shop.transfers.cells import Yuan
from shop.transfers.columns import moment, text, whole
from shop.transfers.sheets import Sheet
from shop.wallet.models import Currency, Posting


class MoneyField(Field):
    """A posting's amount where it is of money."""

    def get_value(self, instance: Posting) -> int | None:
        return instance.amount if instance.account.currency == Currency.CNY else None


class PostingColumns(Resource):
    transaction = text("transaction__reference", _("transaction"))
    kind = text("transaction__kind", _("kind"))
    created_at = moment("transaction__created_at", _("made at"))
    account = whole("account_id", _("account"))
    user = text("account__user__username", _("user"))
    house = text("account__house", _("of the house"))
    currency = text("account__currency", _("currency"))
    amount = whole("amount", _("amount (fen or points)"))
    amount_yuan = MoneyField("amount", _("amount (yuan)"), Yuan())
    reference = text("reference", _("reference"))
    operator = text("transaction__operator__username", _("operator"))
    reason = text("transaction__reason", _("reason"))


LEDGER = Sheet(
    name="ledger",
    title=_("transactions with their postings"),
    columns=PostingColumns,
    prefetch=("transaction__operator", "account__user"),
    children=Posting.objects.all,
    parent="transaction",
)
