"""Wallets as they are read: what a user has, the postings behind it, and what the house took in."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.db.models import QuerySet, Sum

from shop.wallet.models import Account, Currency, House, Posting

if TYPE_CHECKING:
    from shop.accounts.models import User


def balances_of(user: "User") -> Mapping[Currency, int]:
    """What a user has in each currency; 0 where nothing ever came in."""
    rows = Account.objects.filter(user=user).values_list("currency", "balance")
    return dict.fromkeys(Currency, 0) | {
        Currency(currency): balance or 0 for currency, balance in rows
    }


def postings_of(user: "User", *, currency: str | None = None) -> QuerySet[Posting]:
    """A user's postings with their transactions and accounts, newest first; `currency` keeps those
    in that one."""
    accounts = Account.objects.filter(user=user)
    if currency is not None:
        accounts = accounts.filter(currency=currency)
    # Their ids, two at most, so that the postings are read by their index alone.
    mine = list(accounts.values_list("pk", flat=True))
    postings = Posting.objects.filter(account__in=mine).select_related("transaction", "account")
    return postings.order_by("-pk")


def house_sums() -> Mapping[tuple[House, Currency], int]:
    """What each account of the house holds: the sum of all its postings, so ask seldom. Negative
    where the house gave more than it took, as with top-ups and grants."""
    rows = (
        Posting.objects.filter(account__in=Account.objects.filter(house__isnull=False))
        .values_list("account__house", "account__currency")
        .annotate(Sum("amount"))
        .order_by("account__house", "account__currency")
    )
    return {(House(house), Currency(currency)): total for house, currency, total in rows}
