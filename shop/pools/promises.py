"""What pools promise, whoever takes from them: counters, ledger and those who hold units agree."""

from shop.pools.audit import Finding, Snapshot, holders, promise

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
    COALESCE((
        SELECT SUM(CASE m.kind WHEN 'take' THEN h.taken ELSE h.given_back END) FROM ({sql}) AS h
        WHERE h.pool_id = m.pool_id AND h.reference = m.reference), 0)
"""
UNMOVED = """
    SELECT h.pool_id, h.reference, h.taken, h.given_back FROM ({sql}) AS h
    WHERE h.row_id BETWEEN %(low)s AND %(high)s
      AND ((h.taken <> 0 AND NOT EXISTS (
            SELECT 1 FROM pools_poolmovement m
            WHERE m.pool_id = h.pool_id AND m.kind = 'take' AND m.reference = h.reference))
        OR (h.given_back <> 0 AND NOT EXISTS (
            SELECT 1 FROM pools_poolmovement m
            WHERE m.pool_id = h.pool_id AND m.kind = 'give_back' AND m.reference = h.reference)))
"""

OVERRETURNED = """
    SELECT back.pool_id, back.reference, back.delta, COALESCE(-took.delta, 0)
    FROM pools_poolmovement back
    LEFT JOIN pools_poolmovement took
        ON took.pool_id = back.pool_id AND took.kind = 'take' AND took.reference = back.reference
    WHERE back.id BETWEEN %(low)s AND %(high)s AND back.kind = 'give_back'
      AND back.delta > COALESCE(-took.delta, 0)
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
            f"pool {pool_id}, {reference}: {holder.table} holds {taken} taken and"
            f" {given_back} given back, which no movement tells of"
            for pool_id, reference, taken, given_back in seen.search(
                holder.table, UNMOVED.format(sql=holder.sql)
            )
        ]
    return Finding({}, broken)


@promise(8, "each take is given back at most once")
def returns_are_within_takes(seen: Snapshot) -> Finding:
    broken = [
        f"pool {pool_id}, {reference}: gave back {given_back} of {taken}"
        for pool_id, reference, given_back, taken in seen.search("pools_poolmovement", OVERRETURNED)
    ]
    return Finding({}, broken)
