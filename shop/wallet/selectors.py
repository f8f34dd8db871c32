"""Wallets as they are read: what a user has, the postings behind it, and what the house took in."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from django.db.models import QuerySet, Sum

from shop.wallet.models import Account, Currency, House, Posting

if TYPE_CHECKING:
    from shop.accounts.models import User

# Of a page for operators.
STATEMENT_ROWS = 100


def balances_of(user: "User") -> Mapping[Currency, int]:
    """What a user has in each currency; 0 where nothing ever came in."""
    rows = Account.objects.filter(user=user).values_list("currency", "balance")
    return dict.fromkeys(Currency, 0) | {
        Currency(currency): balance or 0 for currency, balance in rows
    }


def postings_of(user: "User", *, currency: str | None = None) -> Sequence[QuerySet[Posting]]:
    """A user's postings with their transactions; `currency` keeps those in that one.

    Account by account, two at most: together, newest first, MariaDB would walk through everybody's
    to find a user's who was busy long ago, and a join would sort all that the user ever had.
    """
    accounts = Account.objects.filter(user=user)
    if currency is not None:
        accounts = accounts.filter(currency=currency)
    return [account.postings.prefetch_related("transaction") for account in accounts]


def statement_page(account: Account, *, before: int | None = None) -> list[Posting]:
    """One page of what moved an account, newest first; `before`: older than this posting."""
    postings = Posting.objects.filter(account=account).prefetch_related("transaction__operator")
    if before is not None:
        postings = postings.filter(pk__lt=before)
    return list(postings.order_by("-pk")[:STATEMENT_ROWS])


def sum_of(account: Account) -> int:
    """The sum of an account's postings: what an account of the house holds, so ask seldom."""
    return int(Posting.objects.filter(account=account).aggregate(sum=Sum("amount"))["sum"] or 0)


def house_sums() -> Mapping[tuple[House, Currency], int]:
    """What each account of the house holds: the sum of all its postings, so ask seldom. Negative
    where the house gave more than it took, as with top-ups and grants."""
    return {
        (House(str(account.house)), Currency(account.currency)): sum_of(account)
        for account in Account.objects.filter(house__isnull=False).order_by("house", "currency")
    }
