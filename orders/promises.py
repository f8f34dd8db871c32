"""What orders and their payments promise, as checks of `manage.py audit`.

The SQL names tables directly: it reads millions of rows by ranges of order ids, and is read by
people who mend things at night. States and graces come from the code that they judge.
"""

from collections.abc import Iterable

from orders.states import INITIAL, MOVES, State
from shop.pools.audit import NAMED, Finding, Holder, Snapshot, holders, promise, repeated_keys

# Seconds after which a sweeper that runs every second has plainly not been there ...
GRACE_SECONDS = 60
# ... and after which a provider that does not answer needs a person.
CLOSING_GRACE_SECONDS = 3600

NEVER_SETTLED = (State.PENDING, State.FAILED)
HOLDS_NOTHING = (State.CANCELLED, State.EXPIRED, State.FAILED)
HOLDS_ALL = (
    State.UNPAID,
    State.CLOSING,
    State.PAID,
    State.ACCEPTED,
    State.SHIPPED,
    State.COMPLETED,
)
PAID_FOR = (
    State.PAID,
    State.ACCEPTED,
    State.SHIPPED,
    State.COMPLETED,
    State.REFUNDING,
    State.REFUNDED,
)


def _in(states: Iterable[State]) -> str:
    return "(" + ", ".join(f"'{state}'" for state in sorted(states)) + ")"


# What came back by refunds has numbers of its own: `orders.refunds.promises`.
holders.append(
    Holder(
        "orders_orderline",
        """
        SELECT l.id AS row_id, l.pool_id AS pool_id, o.user_id AS user_id, l.reference AS took,
               o.order_no AS returned, l.count AS taken,
               CAST(l.given_back AS SIGNED) - CAST(l.restocked AS SIGNED) AS given_back
        FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
        """,
    )
)


# --- 1: units


@promise(1, "an order holds its units as long as its state says")
def states_hold_units(seen: Snapshot) -> Finding:
    broken = [
        f"order {order_no}: is {status}, gave back {given_back} of {count} of pool {pool_id}"
        for order_no, status, pool_id, count, given_back in seen.search(
            "orders_order",
            f"""
            SELECT o.order_no, o.status, l.pool_id, l.count, l.given_back
            FROM orders_order o JOIN orders_orderline l ON l.order_id = o.id
            WHERE o.id BETWEEN %(low)s AND %(high)s
              AND ((o.status IN {_in(HOLDS_NOTHING)} AND l.given_back < l.count)
                OR (o.status IN {_in(HOLDS_ALL)} AND l.given_back <> l.restocked))
            """,  # noqa: S608
        )
    ]
    return Finding({}, broken)


# --- 2 and 3: orders as they were answered


@promise(2, "each order carries its key")
def orders_carry_their_key(seen: Snapshot) -> Finding:
    [orders] = seen.totals(
        "orders_order",
        "SELECT COUNT(*) FROM orders_order WHERE id BETWEEN %(low)s AND %(high)s",
    )
    broken = [
        f"order {order_no}: has no idempotency key"
        for (order_no,) in seen.search(
            "orders_order",
            """
            SELECT order_no FROM orders_order
            WHERE id BETWEEN %(low)s AND %(high)s
              AND (idempotency_key = '' OR idempotency_route = '')
            """,
        )
    ]
    return Finding({"orders": orders}, broken)


@promise(2, "nothing stays pending, unpaid past its time, or closing")
def orders_move_on(seen: Snapshot) -> Finding:
    """Looks at all such orders, also in a sample: they are few, and found by the status index. One
    that an operator has tried again has waited since then."""
    tried_again = f"""
        AND NOT EXISTS (
            SELECT 1 FROM orders_ordermove m WHERE m.order_id = orders_order.id
            AND m.target = 'pending' AND {seen.seconds_since("m.created_at")} <= %(grace)s)
    """  # noqa: S608
    figures: dict[str, int] = {}
    broken: list[str] = []
    for state, since, grace in (
        (State.PENDING, "created_at", GRACE_SECONDS),
        (State.UNPAID, "expires_at", GRACE_SECONDS),
        (State.CLOSING, "expires_at", CLOSING_GRACE_SECONDS),
    ):
        age = seen.seconds_since(since)
        [(count, oldest)] = seen.rows(
            f"SELECT COUNT(*), MAX({age}) FROM orders_order WHERE status = %(state)s",  # noqa: S608
            state=state.value,
        )
        figures[state.value] = count
        figures[f"oldest_{state.value}_seconds"] = max(0, oldest or 0)
        late = seen.rows(
            f"""
            SELECT order_no, {age} FROM orders_order
            WHERE status = %(state)s AND ({since} IS NULL OR {age} > %(grace)s)
              {tried_again if state is State.PENDING else ""}
            LIMIT {NAMED + 1}
            """,  # noqa: S608
            state=state.value,
            grace=grace,
        )
        broken += [
            f"order {order_no}: is {state}, {seconds} s after its {since}"
            if seconds is not None
            else f"order {order_no}: is {state} and never expires"
            for order_no, seconds in late
        ]
    return Finding(figures, broken)


# One row for each line that the snapshot promised or that is stored, with the units of either.
PROMISED_LINES = {
    "sqlite": """
        SELECT o.id AS order_id, json_extract(item.value, '$.sku') AS sku_id,
               json_extract(item.value, '$.pool') AS pool_id,
               json_extract(item.value, '$.price_fen') AS price_fen,
               json_extract(item.value, '$.count') AS promised, 0 AS stored
        FROM orders_order o, json_each(o.snapshot) AS item
        """,
    "mysql": """
        SELECT o.id AS order_id, item.sku_id, item.pool_id, item.price_fen,
               item.promised, 0 AS stored
        FROM orders_order o, JSON_TABLE(o.snapshot, '$[*]' COLUMNS (
            sku_id BIGINT PATH '$.sku', pool_id BIGINT PATH '$.pool',
            price_fen BIGINT PATH '$.price_fen', promised BIGINT PATH '$.count')) AS item
        """,
}
# Cancelled while pending, an order has no lines; cancelled later it keeps them.
UNEQUAL_LINES = """
    SELECT o.order_no, pool_id, price_fen, promised, stored FROM (
        SELECT order_id, sku_id, pool_id, price_fen,
               SUM(promised) AS promised, SUM(stored) AS stored
        FROM (
            {promised}
            WHERE o.id BETWEEN %(low)s AND %(high)s AND o.status NOT IN {never_settled}
              AND (o.status <> 'cancelled'
                OR EXISTS (SELECT 1 FROM orders_orderline c WHERE c.order_id = o.id))
            UNION ALL
            SELECT l.order_id, l.sku_id, l.pool_id, l.price_fen, 0, l.count
            FROM orders_orderline l WHERE l.order_id BETWEEN %(low)s AND %(high)s
        ) AS both_sides
        GROUP BY order_id, sku_id, pool_id, price_fen
        HAVING SUM(promised) <> SUM(stored)
    ) AS unequal JOIN orders_order o ON o.id = unequal.order_id
"""
UNEQUAL_SUMS = """
    SELECT o.order_no, o.goods_fen, SUM(l.price_fen * l.count)
    FROM orders_order o JOIN orders_orderline l ON l.order_id = o.id
    WHERE o.id BETWEEN %(low)s AND %(high)s
    GROUP BY o.id, o.order_no, o.goods_fen
    HAVING o.goods_fen <> SUM(l.price_fen * l.count)
"""


@promise(2, "an order's lines are the ones it was answered with")
def lines_equal_snapshot(seen: Snapshot) -> Finding:
    lines = UNEQUAL_LINES.format(
        promised=PROMISED_LINES[seen.vendor], never_settled=_in(NEVER_SETTLED)
    )
    broken = [
        f"order {order_no}: was promised {promised} of pool {pool_id} at {price_fen} fen,"
        f" its lines have {stored}"
        for order_no, pool_id, price_fen, promised, stored in seen.search("orders_order", lines)
    ]
    broken += [
        f"order {order_no}: goods cost {goods_fen} fen, its lines {lines_fen}"
        for order_no, goods_fen, lines_fen in seen.search("orders_order", UNEQUAL_SUMS)
    ]
    return Finding({}, broken)


@promise(3, "one row for each user, route and idempotency key")
def keys_are_used_once(seen: Snapshot) -> Finding:
    broken = repeated_keys(seen, table="orders_order", number="order_no")
    broken += repeated_keys(seen, table="payments_payment", number="payment_no")
    return Finding({}, broken)


# --- 7: money

# What is kept of a payment: all of it, unless it came too late for its order.
UNEQUAL_MONEY = f"""
    SELECT o.order_no, o.status, o.total_fen, COALESCE(paid.payments, 0), COALESCE(paid.fen, 0),
           o.refunded_fen, COALESCE(back.fen, 0)
    FROM orders_order o
    LEFT JOIN (
        SELECT p.order_id, COUNT(*) AS payments, SUM(p.amount_fen) AS fen
        FROM payments_payment p
        WHERE p.order_id BETWEEN %(low)s AND %(high)s AND p.status = 'succeeded'
          AND NOT EXISTS (
            SELECT 1 FROM payments_refund r WHERE r.payment_id = p.id AND r.cause = 'late')
        GROUP BY p.order_id
    ) AS paid ON paid.order_id = o.id
    LEFT JOIN (
        SELECT order_id, SUM(amount_fen) AS fen FROM payments_refund
        WHERE order_id BETWEEN %(low)s AND %(high)s AND status = 'succeeded'
        GROUP BY order_id
    ) AS back ON back.order_id = o.id
    WHERE o.id BETWEEN %(low)s AND %(high)s AND (
        COALESCE(paid.payments, 0) <>
            CASE WHEN o.total_fen > 0 AND o.status IN {_in(PAID_FOR)} THEN 1 ELSE 0 END
        OR paid.fen <> o.total_fen
        OR o.refunded_fen <> COALESCE(back.fen, 0)
        OR (o.status = 'refunded' AND o.refunded_fen < o.total_fen))
"""  # noqa: S608
WRONG_REFUNDS = """
    SELECT p.payment_no, p.status, p.amount_fen, SUM(r.amount_fen)
    FROM payments_payment p JOIN payments_refund r ON r.payment_id = p.id
    WHERE p.order_id BETWEEN %(low)s AND %(high)s
    GROUP BY p.id, p.payment_no, p.status, p.amount_fen, p.order_id
    HAVING p.status <> 'succeeded' OR SUM(r.amount_fen) > p.amount_fen
        OR MIN(r.order_id) <> p.order_id OR MAX(r.order_id) <> p.order_id
        OR SUM(CASE WHEN r.cause = 'late' AND r.amount_fen <> p.amount_fen THEN 1 ELSE 0 END) > 0
"""


@promise(7, "paid means one payment of the right amount; all other money goes back")
def orders_are_paid_once(seen: Snapshot) -> Finding:
    payments, paid_fen = seen.totals(
        "orders_order",
        "SELECT COUNT(*), SUM(amount_fen) FROM payments_payment"
        " WHERE order_id BETWEEN %(low)s AND %(high)s AND status = 'succeeded'",
    )
    refunded_fen, refunds_due = seen.totals(
        "orders_order",
        "SELECT SUM(CASE WHEN status = 'succeeded' THEN amount_fen ELSE 0 END),"
        " SUM(CASE WHEN status = 'pending' THEN 1 ELSE 0 END) FROM payments_refund"
        " WHERE order_id BETWEEN %(low)s AND %(high)s",
    )
    broken = [
        f"order {order_no}: is {status} of {total_fen} fen, kept {kept} payments of {kept_fen} fen,"
        f" says {refunded_fen} fen refunded where refunds have {back_fen}"
        for order_no, status, total_fen, kept, kept_fen, refunded_fen, back_fen in seen.search(
            "orders_order", UNEQUAL_MONEY
        )
    ]
    broken += [
        f"payment {payment_no}: is {status} of {amount_fen} fen, its refunds are {refunds_fen} fen"
        for payment_no, status, amount_fen, refunds_fen in seen.search(
            "orders_order", WRONG_REFUNDS
        )
    ]
    figures = {
        "payments": payments,
        "paid_fen": paid_fen,
        "refunded_fen": refunded_fen,
        "refunds_due": refunds_due,
    }
    return Finding(figures, broken)


# --- 8: history

_ALLOWED = " OR ".join(
    f"(step.source = '{source}' AND step.target IN {_in(targets)})"
    for source, targets in MOVES.items()
    if targets
)
BROKEN_HISTORY = f"""
    SELECT o.order_no, o.status, step.earlier, step.source, step.target
    FROM orders_order o
    LEFT JOIN (
        SELECT order_id, source, target, operator_id,
               LAG(target) OVER (PARTITION BY order_id ORDER BY id) AS earlier,
               LEAD(source) OVER (PARTITION BY order_id ORDER BY id) AS later
        FROM orders_ordermove WHERE order_id BETWEEN %(low)s AND %(high)s
    ) AS step ON step.order_id = o.id
    WHERE o.id BETWEEN %(low)s AND %(high)s AND (
        (step.order_id IS NULL AND o.status NOT IN {_in(INITIAL)})
        OR (step.order_id IS NOT NULL AND (
            NOT ({_ALLOWED})
            OR (step.source = '{State.FAILED}' AND step.operator_id IS NULL)
            OR (step.earlier IS NULL AND step.source NOT IN {_in(INITIAL)})
            OR step.earlier <> step.source
            OR (step.later IS NULL AND step.target <> o.status))))
"""  # noqa: S608


@promise(8, "an order's history follows the table of moves")
def history_follows_moves(seen: Snapshot) -> Finding:
    """The one way back is an operator's: what failed is tried again."""
    [moves] = seen.totals(
        "orders_order",
        "SELECT COUNT(*) FROM orders_ordermove WHERE order_id BETWEEN %(low)s AND %(high)s",
    )
    broken = [
        f"order {order_no}: is {status} and never moved"
        if source is None
        else f"order {order_no}: is {status}, moved {source} -> {target}"
        f" after {earlier or 'nothing'}"
        for order_no, status, earlier, source, target in seen.search("orders_order", BROKEN_HISTORY)
    ]
    return Finding({"moves": moves}, broken)
