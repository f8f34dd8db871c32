"""What operators read of a sale beside its own columns: how its orders fare, and its gate against
the database. Reads only, a bounded number of rows of each, and a Redis that does not answer is an
answer too. The orders are another app's, which tells of them through `order_counts`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from django.utils.functional import Promise
from redis import RedisError

from goods.sales.models import FlashSale
from shop.errors import Unavailable
from shop.pools import gate, gatekeeping


@dataclass(frozen=True, slots=True)
class Failures:
    """Orders that failed, by why, among the newest `looked_at` of a sale; `all_seen`: it has no
    others."""

    by_cause: Sequence[tuple["str | Promise", int]]
    looked_at: int
    all_seen: bool


class OrderCounts(Protocol):
    """What the app that has the orders tells of a sale's."""

    def waiting(self, queue_ids: Collection[int]) -> Mapping[int, int]:
        """Queue -> orders that wait in it, for those of these queues that have any."""

    def failed(self, sale: FlashSale) -> Failures:
        """Orders that were not settled, and never will be."""


# By the kind of queue that sales have.
order_counts: dict[str, OrderCounts] = {}


class GateState(StrEnum):
    """A gate to those who look after it."""

    OFF = "off"
    NO_REDIS = "no_redis"  # the sale wants one, the shop has none
    CLOSED = "closed"
    SILENT = "silent"  # Redis does not answer
    COLD = "cold"
    EQUAL = "equal"
    DRIFTING = "drifting"


@dataclass(frozen=True, slots=True)
class GateView:
    """A gate and its books a moment apart: units that remain, as the gate and as the database has
    them, how many shoppers it counts wrongly, and for how long (seconds) it has been wrong."""

    state: GateState
    remaining: int = 0
    in_books: int = 0
    wrong_users: int = 0
    seconds: int = 0


def gate_view(sale: FlashSale) -> GateView:
    """The sale's gate as it is now; asks Redis only where there is something to ask."""
    if not sale.pool.gated:
        return GateView(GateState.OFF)
    if not gate.configured():
        return GateView(GateState.NO_REDIS)
    if not sale.pool.open:
        return GateView(GateState.CLOSED)
    try:
        figures = gatekeeping.figures(sale.pool_id)
        look = gatekeeping.look(sale.pool_id)
    except (RedisError, Unavailable):
        return GateView(GateState.SILENT)
    if not figures or look is None:
        return GateView(GateState.COLD)
    return GateView(
        GateState.DRIFTING if look.drifts else GateState.EQUAL,
        remaining=figures["remaining"],
        in_books=figures["remaining"] + look.remaining,
        wrong_users=len(look.users),
        seconds=round(look.at - look.since),
    )
