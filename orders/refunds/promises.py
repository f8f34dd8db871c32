"""What refunds promise, as checks of `manage.py audit`: units and money of an order go back once.

The SQL names tables directly, as that of orders does (`orders.promises`).
"""

from shop.pools.audit import Finding, Holder, Snapshot, holders, promise

# An order's line comes back in as many parts as there are refunds of it, each under its own number;
# what was taken, and what came back at once, is the line's own (`orders.promises`).
holders.append(
    Holder(
        "refunds_refundline",
        """
        SELECT f.id AS row_id, l.pool_id AS pool_id, o.user_id AS user_id, r.refund_no AS took,
               r.refund_no AS returned, 0 AS taken, f.count AS given_back
        FROM refunds_refundline f JOIN refunds_refundrequest r ON r.id = f.request_id
        JOIN orders_orderline l ON l.id = f.line_id JOIN orders_order o ON o.id = l.order_id
        WHERE r.restocked = 1
        """,
        is_part=True,
    )
)

# Requests of one line, on the line's side of the comparison.
OF_LINE = """
    SELECT order_no, line_id, units, given_back, restocked, back, asked FROM (
        SELECT o.order_no, l.id AS line_id, l.count AS units, l.given_back, l.restocked,
               COALESCE(SUM(CASE WHEN r.restocked = 1 THEN f.count ELSE 0 END), 0) AS back,
               COALESCE(SUM(CASE WHEN r.status <> 'declined' THEN f.count ELSE 0 END), 0) AS asked
        FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
        LEFT JOIN refunds_refundline f ON f.line_id = l.id
        LEFT JOIN refunds_refundrequest r ON r.id = f.request_id
        WHERE l.order_id BETWEEN %(low)s AND %(high)s
        GROUP BY o.order_no, l.id, l.count, l.given_back, l.restocked
    ) AS of_line WHERE {condition}
"""
MISRETURNED = OF_LINE.format(condition="restocked <> back")
OVERASKED = OF_LINE.format(condition="asked > units OR given_back > units")
STRAY = """
    SELECT r.refund_no, o.order_no FROM refunds_refundrequest r
    JOIN refunds_refundline f ON f.request_id = r.id
    JOIN orders_orderline l ON l.id = f.line_id JOIN orders_order o ON o.id = l.order_id
    WHERE r.id BETWEEN %(low)s AND %(high)s AND l.order_id <> r.order_id
"""
# What a request says of its money against its lines, and against the refund that carries it.
UNEQUAL_REQUESTS = """
    SELECT r.refund_no, r.status, r.goods_fen, r.freight_fen,
           COALESCE((SELECT SUM(f.amount_fen) FROM refunds_refundline f WHERE f.request_id = r.id),
                    -1) AS lines_fen,
           COALESCE(b.amount_fen, 0) AS back_fen
    FROM refunds_refundrequest r LEFT JOIN payments_refund b ON b.id = r.refund_id
    WHERE r.id BETWEEN %(low)s AND %(high)s AND (
        r.goods_fen <> COALESCE((
            SELECT SUM(f.amount_fen) FROM refunds_refundline f WHERE f.request_id = r.id), -1)
        OR COALESCE(b.amount_fen, 0) <>
            CASE r.status WHEN 'accepted' THEN r.goods_fen + r.freight_fen ELSE 0 END
        OR b.order_id <> r.order_id OR b.refund_no <> r.refund_no OR b.cause = 'late')
"""
UNASKED = """
    SELECT b.refund_no, b.cause FROM payments_refund b
    WHERE b.id BETWEEN %(low)s AND %(high)s AND b.cause <> 'late'
      AND NOT EXISTS (SELECT 1 FROM refunds_refundrequest r WHERE r.refund_id = b.id)
"""
# All that is asked for is within what was paid; refunded is an order of which nothing is left.
OF_ORDER = """
    SELECT o.order_no, o.status, o.total_fen, r.asked, r.accepted
    FROM orders_order o LEFT JOIN (
        SELECT order_id, SUM(goods_fen + freight_fen) AS asked,
               SUM(CASE status WHEN 'accepted' THEN goods_fen + freight_fen ELSE 0 END) AS accepted
        FROM refunds_refundrequest
        WHERE order_id BETWEEN %(low)s AND %(high)s AND status <> 'declined'
        GROUP BY order_id
    ) AS r ON r.order_id = o.id
    WHERE o.id BETWEEN %(low)s AND %(high)s AND (
        r.asked > o.total_fen
        OR (o.status IN ('refunding', 'refunded')
            AND (r.accepted IS NULL OR r.accepted <> o.total_fen)))
"""
HALF_REFUNDED = """
    SELECT order_no, status, line_id, units, refunded FROM (
        SELECT o.order_no, o.status, l.id AS line_id, l.count AS units, COALESCE((
            SELECT SUM(f.count) FROM refunds_refundline f
            JOIN refunds_refundrequest r ON r.id = f.request_id
            WHERE f.line_id = l.id AND r.status = 'accepted'), 0) AS refunded
        FROM orders_order o JOIN orders_orderline l ON l.order_id = o.id
        WHERE o.id BETWEEN %(low)s AND %(high)s AND o.status IN ('refunding', 'refunded')
    ) AS of_line WHERE refunded <> units
"""


@promise(1, "what refunds gave back is what their orders' lines say")
def refunds_equal_lines(seen: Snapshot) -> Finding:
    broken = [
        f"order {order_no}: its line {line_id} got {restocked} of {count} back by refunds,"
        f" which say {back}"
        for order_no, line_id, count, _given_back, restocked, back, _asked in seen.search(
            "orders_order", MISRETURNED
        )
    ]
    return Finding({}, broken)


@promise(8, "each unit of an order is refunded at most once")
def units_are_refunded_once(seen: Snapshot) -> Finding:
    broken = [
        f"order {order_no}: of {count} units of its line {line_id} {asked} are refunded or asked"
        f" for, {given_back} given back"
        for order_no, line_id, count, given_back, _restocked, _back, asked in seen.search(
            "orders_order", OVERASKED
        )
    ]
    broken += [
        f"refund {refund_no}: is about a line of order {order_no}"
        for refund_no, order_no in seen.search("refunds_refundrequest", STRAY)
    ]
    return Finding({}, broken)


@promise(7, "a refund is what was asked for and accepted, within what was paid")
def refunds_are_accepted(seen: Snapshot) -> Finding:
    requests, open_requests = seen.totals(
        "refunds_refundrequest",
        "SELECT COUNT(*), SUM(CASE WHEN status = 'requested' THEN 1 ELSE 0 END)"
        " FROM refunds_refundrequest WHERE id BETWEEN %(low)s AND %(high)s",
    )
    broken = [
        f"refund {refund_no}: is {status} of {goods_fen} + {freight_fen} fen, its lines have"
        f" {lines_fen}, its money is {back_fen}"
        for refund_no, status, goods_fen, freight_fen, lines_fen, back_fen in seen.search(
            "refunds_refundrequest", UNEQUAL_REQUESTS
        )
    ]
    broken += [
        f"refund {refund_no}: is {cause}, and nobody accepted it"
        for refund_no, cause in seen.search("payments_refund", UNASKED)
    ]
    broken += [
        f"order {order_no}: is {status} of {total_fen} fen, {asked} are asked for,"
        f" {accepted} accepted"
        for order_no, status, total_fen, asked, accepted in seen.search("orders_order", OF_ORDER)
    ]
    broken += [
        f"order {order_no}: is {status}, of its line {line_id} {units} of {count} are refunded"
        for order_no, status, line_id, count, units in seen.search("orders_order", HALF_REFUNDED)
    ]
    return Finding({"refund_requests": requests, "open_refund_requests": open_requests}, broken)
