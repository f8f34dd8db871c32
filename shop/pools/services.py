"""Take, give back, adjust: the only ways a pool's counter changes, each with its movement.

All of them run inside the caller's transaction and lock pools in ascending id. The movement is
written before the counter, so that the hot row is locked last and held for one statement and the
commit.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.db.models import F

from shop.pools.admission import admission
from shop.pools.models import Movement, Pool, PoolMovement
from shop.pools.strategies import STRATEGIES, Shortage, Take
from shop.statements import insert

if TYPE_CHECKING:
    from shop.accounts.models import User

# Rows of one statement where there may be very many.
BATCH = 500


@contextmanager
def admitted(pool_ids: Iterable[int]) -> Iterator[None]:
    """Holds this process's place at each pool, around the whole transaction. Raises Busy."""
    with admission.enter(
        pool_ids, limit=settings.POOL_CONCURRENCY, wait=settings.POOL_WAIT_SECONDS
    ):
        yield


def take(takes: Sequence[Take], *, strategies: Mapping[int, str], reference: str) -> None:
    """Takes all of `takes` for `reference`, each by its pool's strategy.

    `strategies`: pool id -> the pool's own choice, "" for the setting. Call it last in the
    transaction. Raises Shortage, Closed or Busy; the caller rolls back.
    """
    _require_transaction()
    ordered = _merged(takes)
    _record(
        PoolMovement(
            pool_id=unit.pool_id, kind=Movement.TAKE, delta=-unit.count, reference=reference
        )
        for unit in ordered
    )
    # Runs of neighbours with one strategy: id order holds across strategies too.
    for strategy, group in groupby(
        ordered, key=lambda unit: strategies[unit.pool_id] or settings.STOCK_STRATEGY
    ):
        STRATEGIES[strategy].take(list(group))


def give_back(returns: Mapping[str, Sequence[Take]]) -> None:
    """Returns units to the pools they were taken from, also to closed ones: reference -> units.

    Raises IntegrityError when a reference has given back to a pool already, or when a pool never
    gave as many.
    """
    _require_transaction()
    _record(
        PoolMovement(
            pool_id=unit.pool_id, kind=Movement.GIVE_BACK, delta=unit.count, reference=reference
        )
        for reference, units in returns.items()
        for unit in _merged(units)
    )
    for unit in _merged([unit for units in returns.values() for unit in units]):
        Pool.objects.filter(pk=unit.pool_id).update(
            available=F("available") + unit.count, taken=F("taken") - unit.count
        )


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
    _require_transaction()
    pool_ids = sorted(deltas)
    _record(
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


def _merged(units: Sequence[Take]) -> list[Take]:
    """One entry per pool, in the order in which pools are locked everywhere."""
    counts: Counter[int] = Counter()
    for unit in units:
        counts[unit.pool_id] += unit.count
    return [Take(pool_id, counts[pool_id]) for pool_id in sorted(counts)]


def _record(movements: Iterable[PoolMovement]) -> None:
    rows = list(movements)
    for start in range(0, len(rows), BATCH):
        insert(rows[start : start + BATCH])


def _require_transaction() -> None:
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("pools change inside a transaction only")
