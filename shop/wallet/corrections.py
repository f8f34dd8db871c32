"""Grants and corrections: one operator asks, another decides, and only then it is booked.

Each step is one transaction with its entry in the operators' log. The second person is neither who
asked nor whose wallet it is; a CHECK and `manage.py audit` hold the first of these too.
"""

from typing import TYPE_CHECKING

from django.contrib.admin.models import ADDITION, LogEntry
from django.db import IntegrityError
from django.db.models.functions import Now
from django.utils.translation import gettext

from shop.errors import InsufficientBalance, Invalid
from shop.operators_log import changed
from shop.transactions import is_duplicate, run
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

    def work() -> Correction:
        correction = Correction.objects.create(
            reference=reference,
            house=house,
            user=user,
            currency=currency,
            amount=amount,
            reason=reason,
            requested_by=operator,
        )
        _log(correction, operator, f"requested: {correction}", flag=ADDITION)
        return correction

    try:
        return run(work)
    except IntegrityError as error:
        earlier = Correction.objects.filter(reference=reference).first()
        if not is_duplicate(error) or earlier is None:
            raise
        return earlier


def correction_approve(correction: Correction, *, operator: "User") -> bool:
    """Books a correction, once; False, and nothing changed, if this operator has approved it
    already.

    Raises Invalid where another has decided, or the operator may not; InsufficientBalance, and then
    it goes on waiting, where the user has less than is to be taken by now.
    """
    return _decide(correction, Correction.State.APPROVED, operator=operator)


def correction_reject(correction: Correction, *, operator: "User", reason: str) -> bool:
    """Lays a correction aside for `reason`; whoever asked for it may do so too. Otherwise as
    `correction_approve`."""
    return _decide(correction, Correction.State.REJECTED, operator=operator, reason=reason)


def _decide(
    correction: Correction, state: Correction.State, *, operator: "User", reason: str = ""
) -> bool:
    def work() -> bool:
        locked = Correction.objects.select_for_update().get(pk=correction.pk)
        if locked.state == state and locked.decided_by_id == operator.pk:
            return False
        if locked.state != Correction.State.REQUESTED:
            raise Invalid.field("", gettext("Another operator has decided about it."))
        if state is Correction.State.APPROVED:
            if operator.pk in (locked.requested_by_id, locked.user_id):
                message = gettext(
                    "A second person approves it: neither who asked for it, nor whose wallet it is."
                )
                raise Invalid.field("", message)
            _book(locked, operator=operator)
        Correction.objects.filter(pk=locked.pk).update(
            state=state, decided_by=operator, decided_at=Now()
        )
        said = f"{state}: {reason}" if reason else str(state.value)
        changed(operator, locked, said, state=state, decided_by=operator)
        return True

    return run(work)


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


def _log(correction: Correction, operator: "User", message: str, *, flag: int) -> None:
    LogEntry.objects.log_actions(operator.pk, [correction], flag, message, single_object=True)
