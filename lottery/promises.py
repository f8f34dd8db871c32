"""What periods promise, as checks of `manage.py audit`: numbers, money, prizes and draws.

The SQL names tables directly, as that of orders does (`orders.promises`).
"""

from lottery.models import Period
from lottery.proof import stored_pulse, transcript_of
from lottery.settlement import KIND
from shop.pools.audit import NAMED, Finding, Holder, Snapshot, holders, promise, repeated_keys

# Seconds after which a sweeper that runs every second has plainly not been there ...
GRACE_SECONDS = 60
# ... and after which a beacon that does not answer needs a person.
DRAW_GRACE_SECONDS = 3600
# The reference of the period that comes of a proposal (`Proposal.mark`).
PROPOSAL = {"sqlite": "'proposal:' || q.id", "mysql": "CONCAT('proposal:', q.id)"}
UNOPENED = """
    SELECT q.id, q.state, p.id FROM approvals_proposal q
    LEFT JOIN lottery_period p ON p.reference = {mark}
    WHERE q.id BETWEEN %(low)s AND %(high)s AND q.deed = 'lottery.open'
      AND (q.state = 'approved') <> (p.id IS NOT NULL)
"""
UNPROPOSED = """
    SELECT p.id, p.reference FROM lottery_period p
    WHERE p.id BETWEEN %(low)s AND %(high)s AND SUBSTR(p.reference, 1, 9) = 'proposal:'
      AND NOT EXISTS (
        SELECT 1 FROM approvals_proposal q
        WHERE q.id = CAST(SUBSTR(p.reference, 10) AS SIGNED) AND p.reference = {mark}
          AND q.deed = 'lottery.open')
"""
# Entries of a period whose draw is computed again; larger ones are left to the verifier.
MOST_ENTRIES = 20_000

holders.append(
    Holder(
        "lottery_shares",
        """
        SELECT s.id AS row_id, s.pool_id AS pool_id, e.user_id AS user_id, s.reference AS took,
               e.entry_no AS returned, s.count AS taken, 0 AS given_back
        FROM lottery_shares s JOIN lottery_entry e ON e.id = s.entry_id
        """,
    )
)
# A prize that is set apart; once it is drawn, its order's line holds it.
holders.append(
    Holder(
        "lottery_period",
        """
        SELECT p.id AS row_id, k.pool_id AS pool_id, 0 AS user_id,
               p.reference AS took, p.reference AS returned, 1 AS taken,
               CASE p.status WHEN 'cancelled' THEN 1 ELSE 0 END AS given_back
        FROM lottery_period p JOIN goods_sku k ON k.id = p.sku_id
        WHERE p.prize_order_id IS NULL
        """,
    )
)

# --- 2 and 3: entries as they were answered


@promise(2, "each entry carries its key and moves on")
def entries_move_on(seen: Snapshot) -> Finding:
    [entries] = seen.totals(
        "lottery_entry", "SELECT COUNT(*) FROM lottery_entry WHERE id BETWEEN %(low)s AND %(high)s"
    )
    age = seen.seconds_since("COALESCE(retried_at, created_at)")
    broken = [
        f"entry {entry_no}: has no idempotency key"
        for (entry_no,) in seen.search(
            "lottery_entry",
            """
            SELECT entry_no FROM lottery_entry
            WHERE id BETWEEN %(low)s AND %(high)s
              AND (idempotency_key = '' OR idempotency_route = '')
            """,
        )
    ]
    broken += [
        f"entry {entry_no}: is pending, {seconds} s after it was bought"
        for entry_no, seconds in seen.rows(
            f"""
            SELECT entry_no, {age} FROM lottery_entry
            WHERE queue_id IS NOT NULL AND {age} > %(grace)s LIMIT {NAMED + 1}
            """,  # noqa: S608
            grace=GRACE_SECONDS,
        )
    ]
    return Finding({"entries": entries}, broken)


@promise(3, "one entry for each user, route and idempotency key")
def keys_are_used_once(seen: Snapshot) -> Finding:
    return Finding({}, repeated_keys(seen, table="lottery_entry", number="entry_no"))


# --- 4: numbers and draws

# Where one entry's shares end, the next one's begin; the first one's begin at 0.
GAPS = """
    SELECT pool_id, first, expected FROM (
        SELECT pool_id, first,
               COALESCE(LAG(first + count) OVER (PARTITION BY pool_id ORDER BY first), 0)
                   AS expected
        FROM lottery_shares
        WHERE pool_id IN (
            SELECT pool_id FROM lottery_period WHERE id BETWEEN %(low)s AND %(high)s)
    ) AS tiles
    WHERE first <> expected
"""
MISSOLD = """
    SELECT p.id, p.total_shares, q.available, q.taken, COALESCE(SUM(s.count), 0), p.shares_sold
    FROM lottery_period p
    JOIN pools_pool q ON q.id = p.pool_id
    LEFT JOIN lottery_shares s ON s.pool_id = p.pool_id
    WHERE p.id BETWEEN %(low)s AND %(high)s
    GROUP BY p.id, p.total_shares, q.available, q.taken, p.shares_sold
    HAVING q.taken <> COALESCE(SUM(s.count), 0) OR q.available + q.taken <> p.total_shares
        OR (p.shares_sold IS NOT NULL AND p.shares_sold <> q.taken)
"""
# Over, and its pool still gives; or drawn from fewer shares than were promised to be sold.
HALF_CLOSED = """
    SELECT p.id, p.status, p.shares_sold, p.minimum_shares, q.open
    FROM lottery_period p JOIN pools_pool q ON q.id = p.pool_id
    WHERE p.id BETWEEN %(low)s AND %(high)s AND (
        (p.status = 'open') <> (p.shares_sold IS NULL) OR (p.status <> 'open' AND q.open)
        OR (p.status IN ('closed', 'drawn') AND p.shares_sold < p.minimum_shares))
"""
# Confirmed with its shares, at its price, or returned by a cancelled period; anything else without.
MISMATCHED = """
    SELECT e.entry_no, e.status, s.count, s.cost, p.share_price, p.id
    FROM lottery_entry e
    LEFT JOIN lottery_period p ON p.id = e.period_id
    LEFT JOIN lottery_shares s ON s.entry_id = e.id
    WHERE e.id BETWEEN %(low)s AND %(high)s AND (
        p.id IS NULL OR (e.status IN ('confirmed', 'refunded')) <> (s.id IS NOT NULL)
        OR (e.status = 'refunded' AND p.status <> 'cancelled')
        OR s.cost <> s.count * p.share_price OR s.pool_id <> p.pool_id
        OR s.count > e.wanted OR (s.count < e.wanted AND NOT e.allow_partial))
"""


@promise(4, "a period's shares are sold once each, without a gap, at their price")
def shares_tile_their_period(seen: Snapshot) -> Finding:
    periods, sold = seen.totals(
        "lottery_period",
        "SELECT COUNT(*), SUM(q.taken) FROM lottery_period p JOIN pools_pool q ON q.id = p.pool_id"
        " WHERE p.id BETWEEN %(low)s AND %(high)s",
    )
    broken = [
        f"pool {pool_id}: shares begin at {first}, the ones before end at {expected}"
        for pool_id, first, expected in seen.search("lottery_period", GAPS)
    ]
    broken += [
        f"period {period_id}: of {total} shares {available} are available and {taken} taken,"
        f" entries have {held}, and it closed with {closed}"
        for period_id, total, available, taken, held, closed in seen.search(
            "lottery_period", MISSOLD
        )
    ]
    broken += [
        f"period {period_id}: is {status} with {sold} sold of at least {least}, its pool is"
        f" {'open' if is_open else 'closed'}"
        for period_id, status, sold, least, is_open in seen.search("lottery_period", HALF_CLOSED)
    ]
    broken += [
        f"entry {entry_no}: is {status}, and has {count} shares for {cost} at {price} each"
        f" of period {period_id}"
        for entry_no, status, count, cost, price, period_id in seen.search(
            "lottery_entry", MISMATCHED
        )
    ]
    return Finding({"periods": periods, "shares_sold": sold}, broken)


# What each entry's wallet paid, or got back, in the transactions that its shares name.
UNPAID = """
    SELECT e.entry_no, e.status, s.cost, COALESCE(SUM(moved.amount), 0), '{column}'
    FROM lottery_entry e
    JOIN lottery_shares s ON s.entry_id = e.id
    LEFT JOIN (
        SELECT g.reference, a.user_id, g.amount
        FROM (
            SELECT DISTINCT x.{column} AS reference
            FROM lottery_shares x JOIN lottery_entry y ON y.id = x.entry_id
            WHERE y.id BETWEEN %(low)s AND %(high)s AND x.{column} <> ''
        ) AS named
        JOIN wallet_transaction t ON t.reference = named.reference
        JOIN wallet_posting g ON g.transaction_id = t.id
        JOIN wallet_account a ON a.id = g.account_id
        WHERE a.user_id IS NOT NULL
    ) AS moved ON moved.reference = e.entry_no AND moved.user_id = e.user_id
    WHERE e.id BETWEEN %(low)s AND %(high)s
    GROUP BY e.id, e.entry_no, e.status, s.cost
    HAVING COALESCE(SUM(moved.amount), 0) <> {expected}
"""
PAID = UNPAID.format(column="reference", expected="-s.cost")
RETURNED = UNPAID.format(
    column="returned", expected="CASE e.status WHEN 'refunded' THEN s.cost ELSE 0 END"
)
# The other way round: what wallets paid for entries, or got back, is what their shares name.
STRAY = f"""
    SELECT t.reference, g.amount, a.currency, a.user_id, g.reference
    FROM wallet_transaction t
    JOIN wallet_posting g ON g.transaction_id = t.id
    JOIN wallet_account a ON a.id = g.account_id
    LEFT JOIN lottery_entry e ON e.entry_no = g.reference
    LEFT JOIN lottery_shares s ON s.entry_id = e.id
    LEFT JOIN lottery_period p ON p.id = e.period_id
    WHERE t.id BETWEEN %(low)s AND %(high)s AND t.kind = '{KIND}' AND a.user_id IS NOT NULL AND (
        s.id IS NULL OR p.id IS NULL OR a.user_id <> e.user_id OR a.currency <> p.currency
        OR NOT ((t.reference = s.reference AND g.amount = -s.cost)
            OR (t.reference = s.returned AND g.amount = s.cost)))
"""  # noqa: S608
# Long cancelled, and somebody's money is still here.
OWED = """
    SELECT p.id, {age} FROM lottery_period p
    WHERE p.id BETWEEN %(low)s AND %(high)s AND p.status = 'cancelled' AND {age} > {grace}
      AND EXISTS (
        SELECT 1 FROM lottery_entry e WHERE e.period_id = p.id AND e.status = 'confirmed')
"""


@promise(6, "each entry is paid for once, and a cancelled period's money comes back")
def entries_are_paid_for(seen: Snapshot) -> Finding:
    broken = [
        f"entry {entry_no}: is {status} for {cost}; by its {column} the wallet has {int(moved):+d}"
        for sql in (PAID, RETURNED)
        for entry_no, status, cost, moved, column in seen.search("lottery_entry", sql)
    ]
    broken += [
        f"transaction {reference}: {amount:+d} {currency} of user {user_id} for {what}, whose"
        " shares do not say so"
        for reference, amount, currency, user_id, what in seen.search("wallet_transaction", STRAY)
    ]
    owed = OWED.format(age=seen.seconds_since("p.closed_at"), grace=GRACE_SECONDS)
    broken += [
        f"period {period_id}: was cancelled {seconds} s ago, not all money is back"
        for period_id, seconds in seen.search("lottery_period", owed)
    ]
    return Finding({}, broken)


# Out of time or sold out, and open, or without its root; decided, and not drawn. When it was sold
# out its pool's last movement says.
LATE = """
    SELECT p.id, p.status, {ended}, {sold}, {closed} FROM lottery_period p
    JOIN pools_pool q ON q.id = p.pool_id
    LEFT JOIN pools_poolmovement m ON q.available = 0 AND m.id = (
        SELECT MAX(n.id) FROM pools_poolmovement n WHERE n.pool_id = q.id AND n.kind = 'take')
    WHERE p.status IN ('open', 'closed') AND (
        (p.root = '' AND ({ended} > %(grace)s OR {sold} > %(grace)s))
        OR (p.root <> '' AND p.beacon <> '' AND {closed} > %(draw_grace)s))
    LIMIT {most}
"""
HALF_DRAWN = """
    SELECT p.id, p.number, p.winner_id, p.sku_id, p.prize_order_id
    FROM lottery_period p
    LEFT JOIN lottery_entry e ON e.id = p.winner_id
    LEFT JOIN orders_order o ON o.id = p.prize_order_id
    WHERE p.id BETWEEN %(low)s AND %(high)s AND p.status = 'drawn' AND (
        e.id IS NULL OR e.period_id <> p.id OR e.status <> 'confirmed'
        OR (p.sku_id IS NULL) <> (o.id IS NULL)
        OR (o.id IS NOT NULL AND (o.user_id <> e.user_id OR o.kind <> 'prize')))
"""


@promise(4, "each period is drawn in time, once, and its winner has the prize")
def periods_are_drawn(seen: Snapshot) -> Finding:
    [drawn] = seen.totals(
        "lottery_period",
        "SELECT COUNT(*) FROM lottery_period"
        " WHERE id BETWEEN %(low)s AND %(high)s AND status = 'drawn'",
    )
    late = LATE.format(
        ended=seen.seconds_since("p.ends_at"),
        sold=seen.seconds_since("m.created_at"),
        closed=seen.seconds_since("p.closed_at"),
        most=NAMED + 1,
    )
    broken = [
        f"period {period_id}: is {status}, {ended} s after its end, {sold} s after its last share"
        f" was sold, {closed} s after its root was published"
        for period_id, status, ended, sold, closed in seen.rows(
            late, grace=GRACE_SECONDS, draw_grace=DRAW_GRACE_SECONDS
        )
    ]
    broken += [
        f"period {row[0]}: its number {row[1]}, winner {row[2]} and prize's order {row[4]}"
        " do not belong together"
        for row in seen.search("lottery_period", HALF_DRAWN)
    ]
    return Finding({"drawn": drawn}, broken)


@promise(4, "each draw comes out the same when anybody draws again")
def draws_are_reproducible(seen: Snapshot) -> Finding:
    """Of periods with many entries, which only `lottery/verify_draw.py` looks at, none is computed
    again here. Reads rows through the shop's own connection: what a drawn period is made of does
    not change any more."""
    again = 0
    broken = []
    ids = [
        period_id
        for (period_id,) in seen.each(
            "lottery_period",
            f"""
            SELECT p.id FROM lottery_period p WHERE p.id BETWEEN %(low)s AND %(high)s
              AND p.status = 'drawn' AND (
                SELECT COUNT(*) FROM lottery_shares s WHERE s.pool_id = p.pool_id) <= {MOST_ENTRIES}
            """,  # noqa: S608
        )
    ]
    for period in Period.objects.filter(pk__in=ids).select_related("winner").iterator(500):
        again += 1
        if (fault := _fault_of(period)) is not None:
            broken.append(f"period {period.pk}: {fault}")
    return Finding({"drawn_again": again}, broken)


def _fault_of(period: Period) -> str | None:
    try:
        transcript = transcript_of(period, stored_pulse(period))
    except Exception as error:  # noqa: BLE001  # whatever a spoiled row raises, the row is named
        return f"can't be drawn again: {error!r}"
    stored = (
        period.commitment,
        period.root,
        period.number,
        period.winner and period.winner.entry_no,
    )
    computed = (
        transcript["commitment"],
        transcript["root"],
        transcript["number"],
        transcript["winning_entry_no"],
    )
    return None if stored == computed else f"is stored as {stored}, and computes to {computed}"


@promise(4, "each period that a second person opened is one that was approved, and each is there")
def opened_by_two(seen: Snapshot) -> Finding:
    reference = PROPOSAL[seen.vendor]
    [approved] = seen.totals(
        "approvals_proposal",
        "SELECT SUM(CASE state WHEN 'approved' THEN 1 ELSE 0 END) FROM approvals_proposal"
        " WHERE id BETWEEN %(low)s AND %(high)s AND deed = 'lottery.open'",
    )
    broken = [
        f"proposal {pk}: is {state}, and has {'a' if found else 'no'} period"
        for pk, state, found in seen.search("approvals_proposal", UNOPENED.format(mark=reference))
    ]
    broken += [
        f"period {pk}: was opened under {mark}, which asked for none"
        for pk, mark in seen.search("lottery_period", UNPROPOSED.format(mark=reference))
    ]
    return Finding({"periods_approved": approved}, broken)
