"""Limits are rows: how many units of a pool one user holds, changed in the taking transaction.

A row is made by upsert, so that the parallel requests of one user meet at it; one alone takes by a
conditional UPDATE, a batch locks its rows in the order (pool, user), decides in memory and writes
the outcomes. Giving back lowers the row by exactly what is given back.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from django.db import connection
from django.db.models import F

from shop.pools.models import PoolUser
from shop.pools.refusals import LimitReached

Holding = tuple[int, int]  # pool id, user id

_INSERT = f"INSERT INTO {PoolUser._meta.db_table} (pool_id, user_id, taken) VALUES "  # noqa: S608
# A row that is there is locked and stays as it is; and: is written over.
_KEEP = {
    "mysql": " ON DUPLICATE KEY UPDATE taken = taken",
    "sqlite": " ON CONFLICT (pool_id, user_id) DO NOTHING",
}
_REPLACE = {
    "mysql": " ON DUPLICATE KEY UPDATE taken = VALUES(taken)",
    "sqlite": " ON CONFLICT (pool_id, user_id) DO UPDATE SET taken = excluded.taken",
}
_TAKE = (
    f"UPDATE {PoolUser._meta.db_table} SET taken = taken + %s"  # noqa: S608
    " WHERE pool_id = %s AND user_id = %s AND taken + %s <= %s"
)


def take_within(*, pool_id: int, user_id: int, count: int, limit: int) -> None:
    """Counts `count` units for the user. Raises LimitReached."""
    _upsert([(pool_id, user_id, 0)], _KEEP)
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, (count, pool_id, user_id, count, limit))
        if cursor.rowcount != 1:
            raise LimitReached(pool_id, limit)


def locked(holdings: Sequence[Holding]) -> dict[Holding, int]:
    """The units of each of `holdings`, whose rows are locked (and made, where there was none)."""
    taken: dict[Holding, int] = {}
    wanted = sorted(set(holdings))
    if not wanted:
        return taken
    _upsert([(pool_id, user_id, 0) for pool_id, user_id in wanted], _KEEP)
    by_pool: dict[int, list[int]] = {}
    for pool_id, user_id in wanted:
        by_pool.setdefault(pool_id, []).append(user_id)
    for pool_id, user_ids in by_pool.items():
        rows = PoolUser.objects.filter(pool_id=pool_id, user_id__in=user_ids)
        for user_id, units in rows.values_list("user_id", "taken"):
            taken[pool_id, user_id] = units
    return taken


def write(taken: Mapping[Holding, int]) -> None:
    """Writes what `locked` users hold now."""
    if taken:
        _upsert([(*holding, units) for holding, units in sorted(taken.items())], _REPLACE)


def lower(returned: Mapping[Holding, int]) -> None:
    """Takes what is given back off the rows of those who have one, in the stated order."""
    counts = Counter(returned)
    pool_ids = {pool_id for pool_id, _ in counts}
    users = {user_id for _, user_id in counts}
    # Locked in the order of the primary key.
    rows = PoolUser.objects.select_for_update().filter(pool_id__in=pool_ids, user_id__in=users)
    for pool_id, user_id in rows.order_by("pool_id", "user_id").values_list("pool_id", "user_id"):
        if count := counts[pool_id, user_id]:
            PoolUser.objects.filter(pool_id=pool_id, user_id=user_id).update(
                taken=F("taken") - count
            )


def _upsert(rows: Sequence[tuple[int, int, int]], conflict: Mapping[str, str]) -> None:
    slots = ", ".join(["(%s, %s, %s)"] * len(rows))
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT + slots + conflict[connection.vendor], [value for row in rows for value in row]
        )
