"""How one transaction takes units from pools: the two classes a shop can choose between.

Both are called inside a transaction, late and once, with pools in ascending id; both take all of
the units asked for or raise. A caller that catches a shortage must roll back.

`Pessimistic` locks, reads and decides: nothing can fail between the decision and the write.
`Optimistic` writes on a condition and looks at the row count: one statement on the hot row.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from django.db import connection

from shop.errors import Busy
from shop.pools.models import Pool
from shop.pools.refusals import Closed, Shortage
from shop.statements import Select

# Written out, as they are on the path of every order: the condition belongs in WHERE, because the
# row count of an UPDATE says how many rows matched.
TAKE = (
    f"UPDATE {Pool._meta.db_table} SET available = available - %s, taken = taken + %s"  # noqa: S608
    " WHERE id = %s"
)
TAKE_IF_ENOUGH = f"{TAKE} AND open AND available >= %s"

_locked = Select(
    lambda *pool_ids: Pool.objects.locked(pool_ids).values_list("pk", "available", "open")
)
_seen = Select(lambda pool_id: Pool.objects.filter(pk=pool_id).values_list("available", "open"))


@dataclass(frozen=True, slots=True)
class Take:
    """`count` units (at least 1) out of pool `pool_id`."""

    pool_id: int
    count: int


class TakeStrategy(Protocol):
    """Takes all of `takes` (ascending pool ids) from their pools, in the caller's transaction.

    Raises Shortage or Closed for the first pool that can't give, Busy when contention outlasted
    the strategy's own retries.
    """

    def take(self, takes: Sequence[Take]) -> None: ...


def _refuse(take: Take, *, available: int, is_open: bool) -> None:
    if not is_open:
        raise Closed(take.pool_id)
    if available < take.count:
        raise Shortage(take.pool_id, available)


def _update(sql: str, *values: int) -> int:
    """Rows matched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return int(cursor.rowcount)


class Pessimistic:
    """One ordered locking read of all rows, a decision from what it returned, then the writes."""

    def take(self, takes: Sequence[Take]) -> None:
        rows = {pool_id: row for pool_id, *row in _locked.rows(*(take.pool_id for take in takes))}
        for take in takes:
            available, is_open = rows[take.pool_id]
            _refuse(take, available=available, is_open=is_open)
        for take in takes:
            _update(TAKE, take.count, take.count, take.pool_id)


class Optimistic:
    """`UPDATE ... WHERE available >= n` for each row in turn; the row count is the decision.

    Nothing matched although enough is there: somebody gave back in between, or the database only
    promises to try. That is tried again, bounded and jittered, and never called sold out.
    """

    ATTEMPTS = 5

    def take(self, takes: Sequence[Take]) -> None:
        for take in takes:
            self._take_one(take)

    def _take_one(self, take: Take) -> None:
        for attempt in range(self.ATTEMPTS):
            if self._update(take):
                return
            available, is_open = _seen.rows(take.pool_id)[0]
            _refuse(take, available=available, is_open=is_open)
            time.sleep(random.uniform(0, 0.001 * 2**attempt))  # noqa: S311
        raise Busy

    def _update(self, take: Take) -> bool:
        return _update(TAKE_IF_ENOUGH, take.count, take.count, take.pool_id, take.count) == 1


STRATEGIES: dict[str, TakeStrategy] = {
    "pessimistic": Pessimistic(),
    "optimistic": Optimistic(),
}
