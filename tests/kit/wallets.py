"""Wallets without an order behind them: filled by the house, paid from, and read."""

from collections.abc import Callable
from itertools import count

from shop import transactions
from shop.accounts.models import User
from shop.wallet import selectors, services
from shop.wallet.models import Currency, House, Posting

_serial = count(1)


def fund(user: User, amount: int, *, currency: str = Currency.CNY) -> None:
    """Gives `amount` to a user, out of nothing that is tested."""
    transactions.run(
        lambda: services.credit(
            user_id=user.pk,
            currency=currency,
            amount=amount,
            house=House.GRANTS,
            reference=f"fund-{next(_serial)}",
            kind="fund",
        )
    )


def spend(
    user: User, amount: int, *, reference: str, house: str = House.SALES, currency: str = "cny"
) -> None:
    """Pays in a transaction of its own. Raises what `services.pay` raises."""
    transactions.run(
        lambda: services.pay(
            user_id=user.pk,
            currency=currency,
            amount=amount,
            house=house,
            reference=reference,
            kind="test",
        )
    )


def spender(user: User, amount: int, *, reference: str) -> Callable[[], None]:
    """A runner that pays."""
    return lambda: spend(user, amount, reference=reference)


def balance(user: User, currency: Currency = Currency.CNY) -> int:
    """What a user has, as stored now."""
    return selectors.balances_of(user)[currency]


def posted(user: User) -> list[tuple[str, int, str]]:
    """(currency, amount, what it is for) of each of a user's postings, oldest first."""
    return [
        (row.account.currency, row.amount, row.reference)
        for row in Posting.objects.filter(account__user=user)
        .select_related("account")
        .order_by("pk")
    ]
