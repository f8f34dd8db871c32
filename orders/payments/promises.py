"""What payments promise about wallets: what goes through one is booked as it says, and no more.

A ledger transaction is unique by its reference, which is the number of the payment or refund behind
it: so each is looked up by the other.
"""

from dataclasses import dataclass

from orders.payments.wallet import WALLET
from orders.promises import CLOSING_GRACE_SECONDS, GRACE_SECONDS
from shop.pools.audit import NAMED, Finding, Snapshot, promise


@dataclass(frozen=True, slots=True)
class Booked:
    """One way in which money goes through wallets. `amount`: as the user's account sees it."""

    prefix: str
    table: str
    source: str
    row: str
    number: str
    amount: str
    condition: str


BOOKED = (
    Booked(
        prefix="top-up",
        table="payments_payment",
        source="payments_payment p",
        row="p",
        number="p.payment_no",
        amount="p.amount_fen",
        condition="p.order_id IS NULL",
    ),
    Booked(
        prefix="payment",
        table="payments_payment",
        source="payments_payment p",
        row="p",
        number="p.payment_no",
        amount="-p.amount_fen",
        condition=f"p.provider = '{WALLET}'",
    ),
    Booked(
        prefix="refund",
        table="payments_refund",
        source="payments_refund r JOIN payments_payment p ON p.id = r.payment_id",
        row="r",
        number="r.refund_no",
        amount="r.amount_fen",
        condition=f"p.provider = '{WALLET}'",
    ),
)
REFERENCE = {"sqlite": "'{0.prefix}:' || {0.number}", "mysql": "CONCAT('{0.prefix}:', {0.number})"}
MISBOOKED = """
    SELECT number, status, amount, booked FROM (
        SELECT {0.number} AS number, {0.row}.status AS status, {0.amount} AS amount, COALESCE((
            SELECT SUM(w.amount) FROM wallet_transaction t
            JOIN wallet_posting w ON w.transaction_id = t.id
            JOIN wallet_account a ON a.id = w.account_id
            WHERE t.reference = {reference} AND a.user_id = p.user_id AND a.currency = 'cny'
        ), 0) AS booked
        FROM {0.source} WHERE {0.row}.id BETWEEN %(low)s AND %(high)s AND {0.condition}
    ) AS both_sides
    WHERE booked <> CASE status WHEN 'succeeded' THEN amount ELSE 0 END
"""
UNKNOWN = """
    SELECT t.reference FROM wallet_transaction t
    WHERE t.id BETWEEN %(low)s AND %(high)s AND SUBSTR(t.reference, 1, {length}) = '{0.prefix}:'
      AND NOT EXISTS (
        SELECT 1 FROM {0.source}
        WHERE {0.number} = SUBSTR(t.reference, {length} + 1) AND {0.condition})
"""
TOP_UPS = """
    SELECT SUM(CASE WHEN status = 'succeeded' THEN 1 ELSE 0 END),
           SUM(CASE WHEN status = 'succeeded' THEN amount_fen ELSE 0 END)
    FROM payments_payment WHERE id BETWEEN %(low)s AND %(high)s AND order_id IS NULL
"""


@promise(7, "each top-up, and each payment and refund of a wallet, is booked once")
def wallets_are_booked(seen: Snapshot) -> Finding:
    top_ups, top_ups_fen = seen.totals("payments_payment", TOP_UPS)
    broken: list[str] = []
    for booked in BOOKED:
        reference = REFERENCE[seen.vendor].format(booked)
        broken += [
            f"{booked.prefix} {number}: is {status} of {amount} fen, its user's wallet has {fen}"
            for number, status, amount, fen in seen.search(
                booked.table, MISBOOKED.format(booked, reference=reference)
            )
        ]
        length = len(booked.prefix) + 1
        broken += [
            f"transaction {reference}: there is no such {booked.prefix}"
            for (reference,) in seen.search(
                "wallet_transaction", UNKNOWN.format(booked, length=length)
            )
        ]
    return Finding({"top_ups": top_ups, "top_ups_fen": top_ups_fen}, broken)


@promise(2, "no top-up stays open past its time")
def top_ups_end(seen: Snapshot) -> Finding:
    """Looks at all open ones, also in a sample: they are few, and found by their index."""
    age = seen.seconds_since("expires_at")
    broken: list[str] = []
    for status, grace in (("pending", GRACE_SECONDS), ("closing", CLOSING_GRACE_SECONDS)):
        late = seen.rows(
            f"""
            SELECT payment_no, {age} FROM payments_payment
            WHERE status = %(status)s AND expires_at IS NOT NULL AND {age} > %(grace)s
            LIMIT {NAMED + 1}
            """,  # noqa: S608
            status=status,
            grace=grace,
        )
        broken += [
            f"top-up {number}: is {status}, {seconds} s after its time" for number, seconds in late
        ]
    return Finding({}, broken)
