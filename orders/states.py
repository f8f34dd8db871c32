"""The one table of an order's states and moves. Pure: no Django, no database."""

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    PENDING = "pending"  # accepted, no units taken yet
    UNPAID = "unpaid"  # holds its units until expires_at
    CLOSING = "closing"  # time is up, a payment is still open at the provider
    PAID = "paid"
    ACCEPTED = "accepted"  # the merchant took it
    SHIPPED = "shipped"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"
    REFUNDING = "refunding"  # a whole refund is decided, the provider has not done it yet
    REFUNDED = "refunded"


MOVES: Mapping[State, frozenset[State]] = {
    State.PENDING: frozenset({State.UNPAID, State.PAID, State.FAILED, State.CANCELLED}),
    State.UNPAID: frozenset({State.PAID, State.CLOSING, State.CANCELLED, State.EXPIRED}),
    State.CLOSING: frozenset({State.PAID, State.CANCELLED, State.EXPIRED}),
    State.PAID: frozenset({State.ACCEPTED, State.REFUNDING}),
    State.ACCEPTED: frozenset({State.SHIPPED, State.REFUNDING}),
    State.SHIPPED: frozenset({State.COMPLETED, State.REFUNDING}),
    State.COMPLETED: frozenset({State.REFUNDING}),
    State.REFUNDING: frozenset({State.REFUNDED}),
    State.CANCELLED: frozenset(),
    State.EXPIRED: frozenset(),
    # Only what failed of an error of ours, and only when an operator has it tried again.
    State.FAILED: frozenset({State.PENDING}),
    State.REFUNDED: frozenset(),
}

# States an order can be stored in first: queued, direct, direct with nothing to pay.
INITIAL = frozenset({State.PENDING, State.UNPAID, State.PAID})
# Waiting for money: they hold units that come back when it does not arrive.
PAYABLE = frozenset({State.UNPAID, State.CLOSING})
# Where an order comes to rest: neither time nor shopper nor worker moves it on.
FINAL = frozenset({State.CANCELLED, State.EXPIRED, State.FAILED, State.REFUNDED})


def sources(target: State) -> frozenset[State]:
    """The states from which an order may move to `target`."""
    return frozenset(state for state, moves in MOVES.items() if target in moves)
