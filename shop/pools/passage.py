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


@dataclass(frozen=True, slots=True)
class Stored:
    """A row that has the request's key: when it was asked for, as the row says, and for how many
    units it was let through."""

    at: datetime
    units: int


@contextmanager
def passage(
    request: gate.Request,
    *,
    stored: Callable[[], Stored | None],
    opens_at: datetime,
    partial: bool = False,
    about: Mapping[str, Any] | None = None,
) -> Iterator[Passed]:
    """Inside, what was asked for is stored.

    `stored` looks for the row that has this request's key, and is asked only when what was asked
    for was refused. `partial`: fewer units than asked for will do. `about`: what refusals say
    beside their code. Raises NotStarted, Paused, Ended, SoldOut, InsufficientStock, PurchaseLimit,
    RateLimited, Unavailable.
    """
    asked, answer = _admitted(request, opens_at=opens_at, partial=partial, about=about or {})
    failpoint("gate.admitted")
    admitted_at = datetime.fromtimestamp(answer.at, UTC)
    try:
        yield Passed(admitted_at, asked.count)
    except (Refusal, IntegrityError) as error:
        # Of those two nobody knows yet what the database did.
        if answer.verdict is Verdict.ADMITTED and not isinstance(
            error, Unavailable | RequestInProgress
        ):
            _release(asked, admitted_at, stored())
        raise


def _release(request: gate.Request, admitted_at: datetime, row: Stored | None) -> None:
    """Gives the gate back what it has taken off for this request, but for what a row with its key
    has of that.

    A row asked for since then is of a repeat that was faster, for which the gate took nothing; or
    it is our own, whose COMMIT arrived and the answer did not. What was taken off is that row's. An
    older one was counted in its time, and the gate has lost its key, which it knows again from now
    on.
    """
    if row is None:
        gate.release(request)
        return
    is_counted = row.at < admitted_at
    if surplus := request.count - (0 if is_counted else row.units):
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
