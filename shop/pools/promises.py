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

# The same for each (pool, reference): what the ledger moved, and what holders say they hold.
MOVED = """
    SELECT pool_id, reference,
           CASE WHEN kind = 'take' THEN -delta ELSE 0 END AS taken,
           CASE WHEN kind = 'give_back' THEN delta ELSE 0 END AS given_back,
           0 AS held_taken, 0 AS held_given_back
    FROM pools_poolmovement
    WHERE pool_id BETWEEN %(low)s AND %(high)s AND kind IN ('take', 'give_back')
"""
HELD = "SELECT pool_id, reference, 0, 0, taken, given_back FROM ({holder}) AS held"
UNHELD = """
    SELECT pool_id, reference, SUM(taken), SUM(given_back), SUM(held_taken), SUM(held_given_back)
    FROM ({units}) AS units
    GROUP BY pool_id, reference
    HAVING SUM(taken) <> SUM(held_taken) OR SUM(given_back) <> SUM(held_given_back)
"""

RETURNED_TOO_OFTEN = """
    SELECT pool_id, reference, SUM(delta)
    FROM pools_poolmovement
    WHERE pool_id BETWEEN %(low)s AND %(high)s AND kind IN ('take', 'give_back')
    GROUP BY pool_id, reference
    HAVING SUM(delta) > 0
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
    units = " UNION ALL ".join([MOVED, *(HELD.format(holder=holder) for holder in holders)])
    broken = [
        f"pool {pool_id}, {reference}: took {taken}, gave back {given_back};"
        f" its holder says {held_taken} and {held_given_back}"
        for pool_id, reference, taken, given_back, held_taken, held_given_back in seen.search(
            "pools_pool", UNHELD.format(units=units)
        )
    ]
    return Finding({}, broken)


@promise(8, "each take is given back at most once")
def returns_are_within_takes(seen: Snapshot) -> Finding:
    broken = [
        f"pool {pool_id}, {reference}: gave back {more} more than it took"
        for pool_id, reference, more in seen.search("pools_pool", RETURNED_TOO_OFTEN)
    ]
    return Finding({}, broken)
