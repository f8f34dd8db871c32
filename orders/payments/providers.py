"""What the shop needs of a payment provider, and the ones it has.

A provider is remote: it may be slow, fail, or have done what it never answered. So each call names
our own number and may be repeated, and none is made inside a transaction.
"""

from enum import StrEnum
from typing import Any, Protocol


class ChargeState(StrEnum):
    OPEN = "open"
    PAID = "paid"
    CLOSED = "closed"


class ProviderUnavailable(Exception):
    """No answer, or none that says what happened. The same call again is the way to find out."""


class Provider(Protocol):
    """Each method is idempotent by the number it is given. All may raise ProviderUnavailable."""

    def create(self, *, payment_no: str, amount_fen: int) -> dict[str, Any]:
        """Opens a charge; returns what the client needs to pay it."""
        ...

    def close(self, *, payment_no: str) -> ChargeState:
        """Makes sure that nobody can pay any more: CLOSED (also if it was never opened), or PAID
        when somebody was faster."""
        ...

    def refund(self, *, refund_no: str, payment_no: str, amount_fen: int) -> None:
        """Sends `amount_fen` of a paid charge back; returns when that is certain."""
        ...
