"""Operators who ask for corrections."""

from itertools import count

from shop.accounts.models import User
from shop.wallet.corrections import correction_request
from shop.wallet.models import Correction, Currency, House
from tests.factories import make_user

_serial = count(1)


def ask(
    user: User,
    amount: int,
    *,
    operator: User | None = None,
    currency: Currency = Currency.CNY,
    house: House = House.CORRECTIONS,
    reason: str = "counted twice",
    reference: str = "",
) -> Correction:
    """A correction that waits for a second person."""
    return correction_request(
        user=user,
        currency=currency,
        amount=amount,
        house=house,
        reason=reason,
        operator=operator or make_user(),
        reference=reference or f"asked-{next(_serial)}",
    )
