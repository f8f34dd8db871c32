"""What the sums by the hour promise: they are those of the rows that are counted, each once."""

from collections import Counter

from shop.pools.audit import Finding, Snapshot, promise

# Column of an hour -> the table whose rows are counted, the tally's column, and what adds to it.
# Databases write a moment as text alike, and its first 13 characters are its hour.
COUNTED = {
    "placed": (
        "orders_order",
        "orders",
        "SELECT SUBSTR(o.created_at, 1, 13), COUNT(*) FROM orders_order o"
        " WHERE o.id BETWEEN %(low)s AND %(high)s AND o.id <= {upto} GROUP BY 1",
    ),
    "paid_fen": (
        "orders_ordermove",
        "moves",
        "SELECT SUBSTR(m.created_at, 1, 13), SUM(o.total_fen) FROM orders_ordermove m"
        " JOIN orders_order o ON o.id = m.order_id"
        " WHERE m.id BETWEEN %(low)s AND %(high)s AND m.id <= {upto}"
        " AND m.target = 'paid' AND o.total_fen > 0 GROUP BY 1",
    ),
    "paid": (
        "orders_ordermove",
        "moves",
        "SELECT SUBSTR(m.created_at, 1, 13), COUNT(*) FROM orders_ordermove m"
        " JOIN orders_order o ON o.id = m.order_id"
        " WHERE m.id BETWEEN %(low)s AND %(high)s AND m.id <= {upto}"
        " AND m.target = 'paid' AND o.total_fen > 0 GROUP BY 1",
    ),
    "refunded_fen": (
        "payments_refund",
        "refunds",
        "SELECT SUBSTR(r.created_at, 1, 13), SUM(r.amount_fen) FROM payments_refund r"
        " WHERE r.id BETWEEN %(low)s AND %(high)s AND r.id <= {upto}"
        " AND r.cause <> 'late' GROUP BY 1",
    ),
}


@promise(6, "what came in by the hour is the sum of the orders, payments and refunds of it")
def hours_add_up(seen: Snapshot) -> Finding:
    """Of a whole look alone: a sample of orders says nothing of their sum."""
    tallies = seen.rows("SELECT orders, moves, refunds FROM takings_tally")
    if seen.is_sample or not tallies:
        return Finding({}, [])
    upto = dict(zip(("orders", "moves", "refunds"), tallies[0], strict=True))
    broken = []
    for column, (table, tally, sql) in COUNTED.items():
        there = Counter[str]()
        for hour, amount in seen.each(table, sql.format(upto=int(upto[tally]))):
            there[hour] += int(amount)
        stored = {
            hour: int(amount)
            for hour, amount in seen.rows(
                f"SELECT SUBSTR(starts_at, 1, 13), {column} FROM takings_hour"  # noqa: S608
            )
        }
        broken += [
            f"hour {hour} (UTC): {column} {stored.get(hour, 0)}, its rows say {there[hour]}"
            for hour in sorted(there.keys() | stored.keys())
            if there[hour] != stored.get(hour, 0)
        ]
    [(hours,)] = seen.rows("SELECT COUNT(*) FROM takings_hour")
    return Finding({"hours": hours}, broken)
