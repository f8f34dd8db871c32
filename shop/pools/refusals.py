"""How a pool says no, and what that is called: in an answer, and in a row that failed of it."""

from typing import Any

from shop.errors import Ended, InsufficientStock, PurchaseLimit, Refusal, SoldOut


class No(Exception):
    """A pool gives nothing to one claim. A caller that catches it must roll back."""

    def __init__(self, pool_id: int, why: str) -> None:
        super().__init__(f"pool {pool_id} {why}")
        self.pool_id = pool_id


class Shortage(No):
    """It has fewer units than asked for. `available`: what the decision saw."""

    def __init__(self, pool_id: int, available: int) -> None:
        super().__init__(pool_id, f"has {available}")
        self.available = available


class Closed(No):
    """It gives no units any more, whatever it holds."""

    def __init__(self, pool_id: int) -> None:
        super().__init__(pool_id, "is closed")


class LimitReached(No):
    """One user would hold more than `limit` units of it."""

    def __init__(self, pool_id: int, limit: int) -> None:
        super().__init__(pool_id, f"gives one user {limit}")
        self.limit = limit


def short(available: int, **about: Any) -> SoldOut | InsufficientStock:
    """Fewer units than asked for, or none at all; `about`: what the refusal says beside."""
    if available <= 0:
        return SoldOut(**about)
    return InsufficientStock(available=available, **about)


def refusal_of(no: No, **about: Any) -> Refusal:
    """The answer to a request that a pool has refused."""
    match no:
        case LimitReached():
            return PurchaseLimit(limit=no.limit)
        case Shortage():
            return short(no.available, **about)
        case _:
            return Ended(**about)


def failure_of(no: No | Refusal) -> str:
    """The code that a row keeps which waited and was refused. It was accepted before, so that fewer
    are left than it wants is the end of it, as if none were."""
    if isinstance(no, Shortage):
        return SoldOut.code
    return no.code if isinstance(no, Refusal) else refusal_of(no).code
