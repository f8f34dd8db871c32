"""Through the gate of a pool and, where the database says no, back: one way for all that is placed
behind a gate.

The gate is asked before anything is stored, and its verdict becomes the refusal that clients know.
What it took off for a request that came to nothing is given back; an outcome that nobody knows is
left to its correction.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil
from typing import Any

from django.db import IntegrityError

from shop.errors import (
    Ended,
    NotStarted,
    Paused,
    PurchaseLimit,
    RateLimited,
    Refusal,
    RequestInProgress,
    Unavailable,
)
from shop.failpoints import failpoint
from shop.pools import gate
from shop.pools.gate import Verdict
from shop.pools.refusals import short
from shop.pools.tasks import rebuild_bell

# Tries to get what is left, where fewer than asked for will do: it may shrink meanwhile.
PARTIAL_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Passed:
    """Whom the gate let through, when (by Redis's clock), and for how many units."""

    at: datetime
    count: int


@contextmanager
def passage(
    request: gate.Request,
    *,
    stored: Callable[[], int | None],
    opens_at: datetime,
    partial: bool = False,
    about: Mapping[str, Any] | None = None,
) -> Iterator[Passed]:
    """Inside, what was asked for is stored.

    `stored` tells the units that the row with this request's key was let through for, None where
    there is no such row. `partial`: fewer units than asked for will do. `about`: what refusals say
    beside their code. Raises NotStarted, Paused, Ended, SoldOut, InsufficientStock, PurchaseLimit,
    RateLimited, Unavailable.
    """
    asked, answer = _admitted(request, opens_at=opens_at, partial=partial, about=about or {})
    failpoint("gate.admitted")
    try:
        yield Passed(datetime.fromtimestamp(answer.at, UTC), asked.count)
    except (Refusal, IntegrityError) as error:
        # Of those two nobody knows yet what the database did.
        if answer.verdict is Verdict.ADMITTED and not isinstance(
            error, Unavailable | RequestInProgress
        ):
            _release(asked, stored())
        raise


def _release(request: gate.Request, stored: int | None) -> None:
    """Gives the gate back what it has taken off for this request; unless a row has its key: one of
    a repeat that was faster, or its own, whose COMMIT arrived and the answer did not. Then the
    units are that row's, and only what it has fewer (or more) of is given back."""
    if stored is None:
        gate.release(request)
    elif surplus := request.count - stored:
        gate.raise_by(request.pool_id, users={request.user_id: surplus})


def _admitted(
    request: gate.Request, *, opens_at: datetime, partial: bool, about: Mapping[str, Any]
) -> tuple[gate.Request, gate.Answer]:
    answer = gate.admit(request)
    for _ in range(PARTIAL_ATTEMPTS if partial else 0):
        if answer.verdict is not Verdict.SOLD_OUT or answer.figure <= 0:
            break
        request = replace(request, count=answer.figure)
        answer = gate.admit(request)
    refusal = _refusal(answer, request, opens_at=opens_at, about=about)
    if refusal is not None:
        raise refusal
    return request, answer


def _refusal(
    answer: gate.Answer, request: gate.Request, *, opens_at: datetime, about: Mapping[str, Any]
) -> Refusal | None:
    """What a verdict is called in an answer; None: go on."""
    match answer.verdict:
        case Verdict.ADMITTED | Verdict.KNOWN:
            return None
        case Verdict.COLD:
            rebuild_bell.ring(request.pool_id)
            return Unavailable()
        case Verdict.PAUSED:
            return Paused()
        case Verdict.NOT_STARTED:
            return NotStarted(starts_at=opens_at.isoformat())
        case Verdict.ENDED:
            return Ended(**about)
        case Verdict.RATE_LIMITED:
            return RateLimited(retry_after=ceil(answer.figure / 1e6))
        case Verdict.PURCHASE_LIMIT:
            return PurchaseLimit(limit=answer.figure)
        case Verdict.SOLD_OUT:
            return short(answer.figure, **about)
