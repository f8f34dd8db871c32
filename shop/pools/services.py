"""Take, give back, transfer, adjust: the only ways a pool's counter changes, each with a movement.

All of them run inside the caller's transaction and lock in one order: the holders' rows
(`shop.pools.limits`), then pools by ascending id. A take writes its movement before the counter, so
that the hot row is locked last and held for one statement and the commit. Many claims at once are
`shop.pools.batch`'s.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.db.models import F

from shop.pools import gate, limits
from shop.pools.admission import admission
from shop.pools.models import Movement, Pool, PoolMovement
from shop.pools.refusals import Shortage
from shop.pools.strategies import STRATEGIES, Take
from shop.statements import insert

if TYPE_CHECKING:
    from shop.accounts.models import User

# Rows of one statement where there may be very many.
BATCH = 500


@dataclass(frozen=True, slots=True)
class Claim:
    """Units that a user takes, or gives back, under one reference: an order, an entry, a grab.

    `partial`: where fewer are left than a take of it asks for, these will do (in a batch).
    """

    reference: str
    user_id: int
    takes: Sequence[Take]
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What a take needs to know of its pool: its own strategy ("" for the setting), and the units
    one user may hold (None: any number)."""

    strategy: str = ""
    per_user_limit: int | None = None


@contextmanager
def admitted(pool_ids: Iterable[int], *, limit: int | None = None) -> Iterator[None]:
    """Holds this process's place at each pool, around the whole transaction; `limit`: places, None
    for the setting's number. Raises Busy."""
    with admission.enter(
        pool_ids, limit=limit or settings.POOL_CONCURRENCY, wait=settings.POOL_WAIT_SECONDS
    ):
        yield


def take(
    claim: Claim, *, terms: Mapping[int, Terms], alongside: Callable[[], None] = lambda: None
) -> None:
    """Takes all of one claim, each unit by its pool's strategy. `terms`: by pool id.

    Call it last in the transaction. `alongside` is done where its locks belong: after those of
    limits, before the pools (a wallet). Raises LimitReached, Shortage, Closed, Busy and what
    `alongside` raises; the caller rolls back.
    """
    require_transaction()
    ordered = merged(claim.takes)
    for unit in ordered:
        limit = terms[unit.pool_id].per_user_limit
        if limit is not None:
            limits.take_within(
                pool_id=unit.pool_id, user_id=claim.user_id, count=unit.count, limit=limit
            )
    alongside()
    record(movement(Movement.TAKE, unit, claim.reference) for unit in ordered)
    # Runs of neighbours with one strategy: id order holds across strategies too.
    for strategy, group in groupby(
        ordered, key=lambda unit: terms[unit.pool_id].strategy or settings.STOCK_STRATEGY
    ):
        STRATEGIES[strategy].take(list(group))


def give_back(claims: Sequence[Claim]) -> None:
    """Returns units to the pools they were taken from, also to closed ones.

    Raises IntegrityError when a reference has given back to a pool already, or when a pool never
    gave as many.
    """
    require_transaction()
    record(
        movement(Movement.GIVE_BACK, unit, claim.reference)
        for claim in claims
        for unit in merged(claim.takes)
    )
    returned: Counter[limits.Holding] = Counter()
    for claim in claims:
        for unit in claim.takes:
            returned[unit.pool_id, claim.user_id] += unit.count
    limits.lower(returned)
    for unit in merged([unit for claim in claims for unit in claim.takes]):
        Pool.objects.filter(pk=unit.pool_id).update(
            available=F("available") + unit.count, taken=F("taken") - unit.count
        )
    gate.give_back_after_commit(returned)


def transfer(
    *, source_id: int, target_id: int, count: int, reference: str, operator: "User | None" = None
) -> None:
    """Moves `count` available units from one pool to another, in one transaction.

    Raises Shortage when the source has fewer, IntegrityError when this reference has moved units
    of it already. A closed pool gives and receives: it is takes that it refuses.
    """
    _move({source_id: -count, target_id: count}, Movement.TRANSFER, reference, operator=operator)


def adjust(
    deltas: Mapping[int, int],
    *,
    reference: str,
    kind: Movement = Movement.ADJUST,
    reason: str = "",
    operator: "User | None" = None,
) -> None:
    """Adds units (negative: removes) that no order is behind: pool id -> change, all or nothing.

    Raises Shortage for the first pool that has fewer available than to be removed, IntegrityError
    when this reference has adjusted one of the pools already, Pool.DoesNotExist.
    """
    _move(deltas, kind, reference, reason=reason, operator=operator)


def _move(
    deltas: Mapping[int, int],
    kind: Movement,
    reference: str,
    *,
    reason: str = "",
    operator: "User | None" = None,
) -> None:
    """Changes what is available, in pools by ascending id, each with its movement."""
    require_transaction()
    pool_ids = sorted(deltas)
    record(
        PoolMovement(
            pool_id=pool_id,
            kind=kind,
            delta=deltas[pool_id],
            reference=reference,
            reason=reason,
            operator=operator,
        )
        for pool_id in pool_ids
    )
    for start in range(0, len(pool_ids), BATCH):
        batch = pool_ids[start : start + BATCH]
        pools = list(Pool.objects.locked(batch))
        if len(pools) != len(batch):
            raise Pool.DoesNotExist(f"of pools {batch[0]} to {batch[-1]} some do not exist")
        for pool in pools:
            if pool.available + deltas[pool.pk] < 0:
                raise Shortage(pool.pk, pool.available)
            pool.available += deltas[pool.pk]
        Pool.objects.bulk_update(pools, ["available"])


def merged(units: Sequence[Take]) -> list[Take]:
    """One entry per pool, in the order in which pools are locked everywhere."""
    if len(units) == 1:
        return list(units)
    counts: Counter[int] = Counter()
    for unit in units:
        counts[unit.pool_id] += unit.count
    return [Take(pool_id, counts[pool_id]) for pool_id in sorted(counts)]


def movement(kind: Movement, unit: Take, reference: str) -> PoolMovement:
    """The movement of units that are taken, or given back."""
    delta = -unit.count if kind is Movement.TAKE else unit.count
    return PoolMovement(pool_id=unit.pool_id, kind=kind, delta=delta, reference=reference)


def record(movements: Iterable[PoolMovement]) -> None:
    """Stores movements, in a bounded number of rows a statement."""
    rows = list(movements)
    for start in range(0, len(rows), BATCH):
        insert(rows[start : start + BATCH])


def require_transaction() -> None:
    """Raises RuntimeError outside a transaction."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("pools change inside a transaction only")
