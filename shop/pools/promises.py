"""What pools promise, whoever takes from them: counters, ledger and those who hold units agree."""

from collections import Counter

from redis import RedisError

from shop.errors import Unavailable
from shop.pools import gate, gatekeeping
from shop.pools.audit import Finding, Snapshot, holders, promise

# A drift that the corrector, which looks every few seconds, has not mended by now stays.
DRIFT_SECONDS = 45

# One row for each pool that exists or is moved, on both sides of the comparison.
UNEQUAL_COUNTERS = """
    SELECT pool_id, SUM(available), SUM(taken), SUM(ledger_available), SUM(ledger_taken), SUM(pools)
    FROM (
        SELECT id AS pool_id, available, taken, 0 AS ledger_available, 0 AS ledger_taken, 1 AS pools
        FROM pools_pool WHERE id BETWEEN %(low)s AND %(high)s
        UNION ALL
        SELECT pool_id, 0, 0, SUM(delta),
               SUM(CASE WHEN kind IN ('take', 'give_back') THEN -delta ELSE 0 END), 0
        FROM pools_poolmovement WHERE pool_id BETWEEN %(low)s AND %(high)s GROUP BY pool_id
    ) AS counters
    GROUP BY pool_id
    HAVING SUM(available) <> SUM(ledger_available) OR SUM(taken) <> SUM(ledger_taken)
        OR SUM(available) < 0 OR SUM(taken) < 0 OR SUM(pools) <> 1
"""

# A movement is unique for pool, kind and reference, so each is held as it stands.
MISHELD = """
    SELECT pool_id, kind, reference, units, held
    FROM (
        SELECT m.pool_id, m.kind, m.reference,
               CASE m.kind WHEN 'take' THEN -m.delta ELSE m.delta END AS units,
               {held} AS held
        FROM pools_poolmovement m
        WHERE m.id BETWEEN %(low)s AND %(high)s AND m.kind IN ('take', 'give_back')
    ) AS moved
    WHERE units <> held
"""
HELD = """
    CASE m.kind
    WHEN 'take' THEN COALESCE((
        SELECT SUM(h.taken) FROM ({sql}) AS h
        WHERE h.pool_id = m.pool_id AND h.took = m.reference), 0)
    ELSE COALESCE((
        SELECT SUM(h.given_back) FROM ({sql}) AS h
        WHERE h.pool_id = m.pool_id AND h.returned = m.reference), 0)
    END
"""
UNMOVED = """
    SELECT h.pool_id, h.took, h.returned, h.taken, h.given_back FROM ({sql}) AS h
    WHERE h.row_id BETWEEN %(low)s AND %(high)s
      AND ((h.taken <> 0 AND NOT EXISTS (
            SELECT 1 FROM pools_poolmovement m
            WHERE m.pool_id = h.pool_id AND m.kind = 'take' AND m.reference = h.took))
        OR (h.given_back <> 0 AND NOT EXISTS (
            SELECT 1 FROM pools_poolmovement m
            WHERE m.pool_id = h.pool_id AND m.kind = 'give_back' AND m.reference = h.returned)))
"""
OVERRETURNED = """
    SELECT h.pool_id, h.returned, h.given_back, h.taken FROM ({sql}) AS h
    WHERE h.row_id BETWEEN %(low)s AND %(high)s AND h.given_back > h.taken
"""
TRANSFERS = """
    SELECT reference, SUM(delta) FROM pools_poolmovement
    WHERE id BETWEEN %(low)s AND %(high)s AND kind = 'transfer' GROUP BY reference
"""
OVER_LIMIT = """
    SELECT u.pool_id, u.user_id, u.taken, p.per_user_limit
    FROM pools_pool p JOIN pools_pooluser u ON u.pool_id = p.id
    WHERE p.id BETWEEN %(low)s AND %(high)s AND u.taken > p.per_user_limit
"""
# What the rows of limits count against what is held, by user.
MISCOUNTED = """
    SELECT pool_id, user_id, SUM(counted), SUM(held) FROM (
        SELECT pool_id, user_id, taken AS counted, 0 AS held
        FROM pools_pooluser WHERE pool_id BETWEEN %(low)s AND %(high)s
        {held}
    ) AS both_sides
    GROUP BY pool_id, user_id HAVING SUM(counted) <> SUM(held)
"""
# Signed: MariaDB refuses a difference of counts below zero, which is what a part alone is.
HELD_OF_LIMITED = """
        UNION ALL
        SELECT h.pool_id, h.user_id, 0, CAST(h.taken AS SIGNED) - CAST(h.given_back AS SIGNED)
        FROM ({sql}) AS h JOIN pools_pool p ON p.id = h.pool_id
        WHERE p.id BETWEEN %(low)s AND %(high)s AND p.per_user_limit IS NOT NULL
"""


@promise(1, "each pool's counters equal its ledger, none below zero")
def counters_equal_ledger(seen: Snapshot) -> Finding:
    pools, available, taken = seen.totals(
        "pools_pool",
        "SELECT COUNT(*), SUM(available), SUM(taken) FROM pools_pool"
        " WHERE id BETWEEN %(low)s AND %(high)s",
    )
    broken = [
        f"pool {pool_id}: {available} available, {taken} taken;"
        f" by its ledger {ledger_available} and {ledger_taken}"
        + ("" if exists else "; there is no such pool")
        for pool_id, available, taken, ledger_available, ledger_taken, exists in seen.search(
            "pools_pool", UNEQUAL_COUNTERS
        )
    ]
    return Finding({"pools": pools, "available": available, "taken": taken}, broken)


@promise(1, "whatever is taken is held, whatever is held was taken")
def units_are_held(seen: Snapshot) -> Finding:
    held = " + ".join(["0", *(HELD.format(sql=holder.sql) for holder in holders)])
    broken = [
        f"pool {pool_id}, {reference}: {kind} of {units}, held as {count}"
        for pool_id, kind, reference, units, count in seen.search(
            "pools_poolmovement", MISHELD.format(held=held)
        )
    ]
    for holder in holders:
        broken += [
            f"pool {pool_id}, {took}: {holder.table} holds {taken} taken and {given_back} given"
            f" back by {returned}, which no movement tells of"
            for pool_id, took, returned, taken, given_back in seen.search(
                holder.table, UNMOVED.format(sql=holder.sql)
            )
        ]
    return Finding({}, broken)


@promise(1, "what leaves a pool for another arrives there")
def transfers_sum_to_zero(seen: Snapshot) -> Finding:
    if seen.is_sample:
        return Finding({}, [])  # its two ends need not be in one sample
    sums: Counter[str] = Counter()
    for reference, delta in seen.each("pools_poolmovement", TRANSFERS):
        sums[reference] += int(delta)
    broken = [f"transfer {reference}: {delta:+d}" for reference, delta in sums.items() if delta]
    return Finding({"transfers": len(sums)}, broken)


@promise(3, "limits hold over all that a user has")
def limits_hold(seen: Snapshot) -> Finding:
    held = "".join(HELD_OF_LIMITED.format(sql=holder.sql) for holder in holders)
    broken = [
        f"pool {pool_id}: user {user_id} holds {taken}, the limit is {limit}"
        for pool_id, user_id, taken, limit in seen.search("pools_pool", OVER_LIMIT)
    ]
    broken += [
        f"pool {pool_id}: user {user_id} is counted with {counted}, and holds {units}"
        for pool_id, user_id, counted, units in seen.search(
            "pools_pool", MISCOUNTED.format(held=held)
        )
    ]
    return Finding({}, broken)


@promise(8, "each take is given back at most once")
def returns_are_within_takes(seen: Snapshot) -> Finding:
    broken = [
        f"pool {pool_id}, {reference}: gave back {given_back} of {taken}"
        for holder in holders
        if not holder.is_part
        for pool_id, reference, given_back, taken in seen.search(
            holder.table, OVERRETURNED.format(sql=holder.sql)
        )
    ]
    return Finding({}, broken)


@promise(9, "at rest, each gate equals the database")
def gates_equal_database(seen: Snapshot) -> Finding:
    """A drift is broken when nothing waits and the corrector has let it stand: a request is at the
    gate a moment before it is in the database."""
    if not gate.configured():
        return Finding({}, [])
    gates = cold = drifting = 0
    broken = []
    for (pool_id,) in seen.rows("SELECT id FROM pools_pool WHERE gated AND open ORDER BY id"):
        try:
            look = gatekeeping.look(pool_id)
        except (RedisError, Unavailable):
            return Finding({"gates": gates}, ["Redis does not answer"])
        gates += 1
        cold += look is None
        if look is not None and look.drifts:
            drifting += 1
            if look.at - look.since > DRIFT_SECONDS:
                broken.append(
                    f"pool {pool_id}: its gate has had {look.remaining:+d} units too few, and is"
                    f" wrong about {len(look.users)} users, for {look.at - look.since:.0f} s"
                )
    return Finding({"gates": gates, "cold_gates": cold, "drifting_gates": drifting}, broken)
