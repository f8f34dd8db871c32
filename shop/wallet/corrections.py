"""Grants and corrections: one operator asks, another decides, and only then it is booked.

How it is decided is `shop.approvals.deciding`'s. The second person is neither who asked nor whose
wallet it is; a CHECK and `manage.py audit` hold the first of these too.
"""

from functools import partial
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from shop.approvals import deciding
from shop.errors import InsufficientBalance, Invalid
from shop.transactions import run
from shop.wallet import selectors, services
from shop.wallet.models import Correction, Currency, House

if TYPE_CHECKING:
    from shop.accounts.models import User

# A typing error should not be worth more.
MOST_AMOUNT = 10**9
# What the ledger calls it.
KIND = {House.GRANTS: "grant", House.CORRECTIONS: "correction"}


def correction_request(
    *,
    user: "User",
    currency: Currency,
    amount: int,
    house: House,
    reason: str,
    operator: "User",
    reference: str,
) -> Correction:
    """Asks that a user's balance changes by `amount` (fen or points), once per `reference`.

    A grant (`House.GRANTS`) only adds. Raises Invalid, and InsufficientBalance where the user has
    less than is to be taken.
    """
    if amount == 0 or abs(amount) > MOST_AMOUNT:
        message = gettext("From 1 to %(most)d, or below zero.") % {"most": MOST_AMOUNT}
        raise Invalid.field("amount", message)
    if house is House.GRANTS and amount < 0:
        raise Invalid.field("amount", gettext("A grant only adds."))
    has = selectors.balances_of(user)[currency]
    if has + amount < 0:
        raise InsufficientBalance(currency=currency.value, balance=has, amount=-amount)

    return deciding.ask(
        Correction,
        operator=operator,
        reference=reference,
        house=house,
        user=user,
        currency=currency,
        amount=amount,
        reason=reason,
    )


def correction_approve(correction: Correction, *, operator: "User") -> bool:
    """Books a correction, once; False, and nothing changed, if this operator has approved it
    already.

    Raises Invalid where another has decided, or the operator may not; InsufficientBalance, and then
    it goes on waiting, where the user has less than is to be taken by now.
    """

    def book(decide: deciding.Decide) -> None:
        decide()
        _book(correction, operator=operator)

    return deciding.approve(
        correction,
        operator=operator,
        carry_out=lambda decide: run(partial(book, decide)),
    )


def correction_reject(correction: Correction, *, operator: "User", reason: str) -> bool:
    """Lays a correction aside for `reason`; whoever asked for it may do so too. Otherwise as
    `correction_approve`."""
    return deciding.reject(correction, operator=operator, reason=reason)


def _book(correction: Correction, *, operator: "User") -> None:
    step = services.credit if correction.amount > 0 else services.pay
    house = House(correction.house)
    step(
        user_id=correction.user_id,
        currency=correction.currency,
        amount=abs(correction.amount),
        house=house,
        reference=f"correction:{correction.pk}",
        kind=KIND[house],
        reason=correction.reason,
        operator=operator,
    )
