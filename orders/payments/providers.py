"""What the shop needs of a payment provider, and the ones it has.

A provider is remote: it may be slow, fail, or have done what it never answered. So each call
names our own number and may be repeated, and none is made inside a transaction. What it says is
told as it said it; whether that is what the shop expects is judged where it is recorded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol

# One that is slow does not have a worker for longer than that (seconds), and one call more.
SWEEP_SECONDS = 10.0


class ChargeState(StrEnum):
    OPEN = "open"
    PAID = "paid"
    CLOSED = "closed"
    UNKNOWN = "unknown"  # the provider never heard of it


class RefundState(StrEnum):
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    # The provider can't send it back: somebody must see to it there.
    ABNORMAL = "abnormal"
    # It will never be done under this number.
    CLOSED = "closed"
    REFUSED = "refused"


class ProviderUnavailable(Exception):
    """No answer, or none that says what happened. The same call again is the way to find out."""


class Mismatch(Exception):
    """The provider says, provably, what does not fit: another app, merchant, currency or number.

    `what`: one word; `facts`: what it said beside what it should have, for operators.
    """

    def __init__(self, what: str, **facts: Any) -> None:
        super().__init__(what)
        self.what = what
        self.facts: Mapping[str, Any] = facts


@dataclass(frozen=True, slots=True)
class Charge:
    """What is to be paid: our number, the amount, by whom (in which app), until when."""

    payment_no: str
    amount_fen: int
    user_id: int = 0
    app_id: str = ""
    title: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChargeTold:
    """What a provider says of a charge. The rest only of one that is PAID."""

    state: ChargeState
    amount_fen: int = 0
    app_id: str = ""
    # The provider's own number, and its own moment.
    provider_no: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RefundTold:
    """What a provider says of a refund. `amount_fen` is None where it does not say."""

    state: RefundState
    amount_fen: int | None = None
    payment_no: str = ""
    provider_no: str = ""
    at: datetime | None = None
    # The provider's word for why not, for operators.
    why: str = ""


@dataclass(frozen=True, slots=True)
class BillLine:
    """A payment, or with a `refund_no` a refund, in a provider's daily bill."""

    payment_no: str
    amount_fen: int
    app_id: str = ""
    refund_no: str = ""
    provider_no: str = ""
    # Of refunds, as the bill says.
    state: str = ""


class Provider(Protocol):
    """Each method is idempotent by the number it is given. All but `app_of` ask the provider, and
    may raise ProviderUnavailable and Mismatch."""

    def app_of(self, user_id: int) -> str:
        """In which app a user pays; "" where there is no such thing. Raises Invalid where they
        can't."""
        ...

    def create(self, charge: Charge) -> dict[str, Any]:
        """Opens a charge; returns what the client needs to pay it."""
        ...

    def query(self, *, payment_no: str) -> ChargeTold:
        """How a charge stands. Changes nothing."""
        ...

    def close(self, *, payment_no: str) -> ChargeTold:
        """Makes sure that nobody can pay any more: CLOSED (also if it was never opened), or PAID
        when somebody was faster."""
        ...

    def refund(
        self, *, refund_no: str, payment_no: str, amount_fen: int, total_fen: int
    ) -> RefundTold:
        """Has `amount_fen` of a paid charge of `total_fen` sent back."""
        ...

    def query_refund(self, *, refund_no: str) -> RefundTold:
        """How a refund stands that was told of. Changes nothing."""
        ...


class Billed(Protocol):
    """A provider that makes a bill of each day."""

    def bill(self, day: date) -> Sequence[BillLine] | None:
        """All payments and refunds of `day`; None while there is no bill yet. Raises
        ProviderUnavailable."""
        ...
