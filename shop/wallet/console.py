"""Wallets in the console: corrections that wait for a second person, and finding a transaction."""

from collections.abc import Sequence

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from shop.backoffice.search import finder
from shop.backoffice.today import Figure, Level, Part, count_words, few, level_of, panel
from shop.wallet.models import Correction, Transaction


@panel("wallet.correction", _("corrections"))
def to_decide() -> Sequence[Part]:
    """Those that nobody but who asked has looked at."""
    count = few(Correction.objects.waiting())
    return [
        Figure(
            _("corrections for a second person"),
            count_words(count),
            level_of(count, Level.LOOK),
            query={"waits": "1"},
        )
    ]


@finder("wallet.transaction")
def by_reference(term: str) -> QuerySet[Transaction]:
    """A transaction of the ledger by its reference, such as payment:260831120000000000000000."""
    return Transaction.objects.filter(reference=term)
