"""What red packets promise, as checks of `manage.py audit`: slots, amounts, and where the money is.

The SQL names tables directly, and reads ranges of ids: see `shop.pools.audit`.
"""

from shop.pools.audit import NAMED, Finding, Holder, Snapshot, holders, promise

# Seconds after which a drain, or a sweeper, that runs every second has plainly not been there.
GRACE_SECONDS = 60

holders.append(
    Holder(
        "packets_slot",
        """
        SELECT s.id AS row_id, s.pool_id AS pool_id, s.user_id AS user_id, s.reference AS took,
               s.reference AS returned, 1 AS taken, 0 AS given_back
        FROM packets_slot s
        """,
    )
)

# --- 2


@promise(2, "each red packet carries its key")
def packets_carry_their_key(seen: Snapshot) -> Finding:
    broken = [
        f"packet {public_id}: has no idempotency key"
        for (public_id,) in seen.search(
            "packets_packet",
            """
            SELECT public_id FROM packets_packet
            WHERE id BETWEEN %(low)s AND %(high)s
              AND (idempotency_key = '' OR idempotency_route = '')
            """,
        )
    ]
    return Finding({}, broken)


@promise(2, "no grab stays pending, no red packet stays open past its time")
def packets_move_on(seen: Snapshot) -> Finding:
    """Looks at all of them, also in a sample: they are few, and found by an index."""
    asked, expired = seen.seconds_since("g.created_at"), seen.seconds_since("k.expires_at")
    waiting = "FROM packets_grab g WHERE g.queue_id IS NOT NULL"
    overdue = "FROM packets_packet k WHERE k.ended_at IS NULL"
    [(pending,)] = seen.rows(f"SELECT COUNT(*) {waiting}")
    broken = [
        f"grab {grab_no}: is pending since {seconds} s"
        for grab_no, seconds in seen.rows(
            f"SELECT g.grab_no, {asked} {waiting} AND {asked} > %(grace)s LIMIT {NAMED + 1}",
            grace=GRACE_SECONDS,
        )
    ]
    broken += [
        f"packet {public_id}: has not ended {seconds} s after its time"
        for public_id, seconds in seen.rows(
            f"SELECT k.public_id, {expired} {overdue} AND {expired} > %(grace)s LIMIT {NAMED + 1}",
            grace=GRACE_SECONDS,
        )
    ]
    return Finding({"pending_grabs": pending}, broken)


# --- 5

GRABBED = """
    SELECT k.id AS packet_id, COUNT(*) AS slots, SUM(s.amount_fen) AS fen,
           MIN(s.amount_fen) AS least, MIN(s.place) AS first, MAX(s.place) AS last
    FROM packets_packet k JOIN packets_slot s ON s.pool_id = k.pool_id
    WHERE k.id BETWEEN %(low)s AND %(high)s
    GROUP BY k.id
"""
# What is left: all that no slot has and that did not go back. An open packet has at least a fen of
# it for each slot that can be had, and nothing once there is none; one that has ended has nothing.
UNEQUAL = f"""
    SELECT k.public_id, k.total_fen, k.count, COALESCE(g.slots, 0), COALESCE(g.fen, 0),
           k.refunded_fen, p.available, p.taken, k.ended_at IS NOT NULL
    FROM packets_packet k
    LEFT JOIN pools_pool p ON p.id = k.pool_id
    LEFT JOIN ({GRABBED}) AS g ON g.packet_id = k.id
    WHERE k.id BETWEEN %(low)s AND %(high)s AND (
        p.id IS NULL
        OR p.available + p.taken <> k.count
        OR p.taken <> COALESCE(g.slots, 0)
        OR g.least < 1 OR g.first <> 0 OR g.last <> g.slots - 1
        OR (k.ended_at IS NULL AND k.refunded_fen <> 0)
        OR (k.ended_at IS NULL
            AND k.total_fen - COALESCE(g.fen, 0) < p.available)
        OR ((k.ended_at IS NOT NULL OR p.available = 0)
            AND COALESCE(g.fen, 0) + k.refunded_fen <> k.total_fen)
        OR (k.ended_at IS NOT NULL AND p.open))
"""  # noqa: S608
TWICE = """
    SELECT k.public_id, g.user_id, COUNT(*)
    FROM packets_packet k JOIN packets_grab g ON g.packet_id = k.id
    WHERE k.id BETWEEN %(low)s AND %(high)s
    GROUP BY k.id, k.public_id, g.user_id HAVING COUNT(*) > 1
"""
# A grab has a slot, of its own packet and its own user, when and only when it is confirmed.
UNSLOTTED = """
    SELECT g.grab_no, g.status, g.user_id, s.user_id, s.pool_id
    FROM packets_grab g
    LEFT JOIN packets_packet k ON k.id = g.packet_id
    LEFT JOIN packets_slot s ON s.grab_id = g.id
    WHERE g.id BETWEEN %(low)s AND %(high)s AND (
        (g.status = 'confirmed') <> (s.id IS NOT NULL)
        OR s.user_id <> g.user_id OR k.id IS NULL OR s.pool_id <> k.pool_id)
"""


@promise(5, "a red packet's grabs, refund and rest are its total, at least a fen each")
def packets_add_up(seen: Snapshot) -> Finding:
    packets, sent_fen, back_fen = seen.totals(
        "packets_packet",
        "SELECT COUNT(*), SUM(total_fen), SUM(refunded_fen) FROM packets_packet"
        " WHERE id BETWEEN %(low)s AND %(high)s",
    )
    broken = [
        f"packet {public_id}: {total_fen} fen for {count}; {slots} grabs of {fen} fen,"
        f" {refunded_fen} fen went back; its pool has {available} slots left and {taken} taken"
        + ("; it has ended" if ended else "")
        for public_id, total_fen, count, slots, fen, refunded_fen, available, taken, ended in (
            seen.search("packets_packet", UNEQUAL)
        )
    ]
    figures = {"packets": packets, "packets_fen": sent_fen, "packets_back_fen": back_fen}
    return Finding(figures, broken)


@promise(5, "one grab for each user, one slot for each grab that is confirmed")
def grabs_are_one_each(seen: Snapshot) -> Finding:
    broken = [
        f"packet {public_id}: user {user_id} has {grabs} grabs"
        for public_id, user_id, grabs in seen.search("packets_packet", TWICE)
    ]
    broken += [
        f"grab {grab_no} of user {user_id}: is {status}, and "
        + ("has no slot" if pool_id is None else f"has one of user {other} in pool {pool_id}")
        for grab_no, status, user_id, other, pool_id in seen.search("packets_grab", UNSLOTTED)
    ]
    return Finding({}, broken)


# --- 6

# What a wallet got, or gave, under one reference and for one packet.
POSTED = """
    SELECT SUM(w.amount) FROM wallet_transaction t
    JOIN wallet_posting w ON w.transaction_id = t.id AND w.reference = k.public_id
    JOIN wallet_account a ON a.id = w.account_id AND a.currency = 'cny' AND a.user_id = {user}
    WHERE t.reference = {reference}
"""
CONCATENATED = {"sqlite": "'packet-' || k.public_id", "mysql": "CONCAT('packet-', k.public_id)"}
BACK = {
    "sqlite": "'packet-' || k.public_id || '-back'",
    "mysql": "CONCAT('packet-', k.public_id, '-back')",
}
UNPAID_SLOTS = f"""
    SELECT k.public_id, s.place, s.user_id, s.amount_fen, s.got FROM (
        SELECT s.pool_id, s.place, s.user_id, s.amount_fen, COALESCE((
            {POSTED.format(user="s.user_id", reference="s.reference")}), 0) AS got
        FROM packets_slot s JOIN packets_packet k ON k.pool_id = s.pool_id
        WHERE s.id BETWEEN %(low)s AND %(high)s
    ) AS s JOIN packets_packet k ON k.pool_id = s.pool_id
    WHERE s.got <> s.amount_fen
"""  # noqa: S608
UNPAID_PACKETS = """
    SELECT k.public_id, k.total_fen, k.refunded_fen, k.gave, k.back FROM (
        SELECT k.public_id, k.total_fen, k.refunded_fen,
               COALESCE(({gave}), 0) AS gave, COALESCE(({back}), 0) AS back
        FROM packets_packet k WHERE k.id BETWEEN %(low)s AND %(high)s
    ) AS k
    WHERE k.gave <> -k.total_fen OR k.back <> k.refunded_fen
"""


@promise(6, "wallets gave what red packets hold, and got what was grabbed or went back")
def wallets_paid_packets(seen: Snapshot) -> Finding:
    gave = POSTED.format(user="k.user_id", reference=CONCATENATED[seen.vendor])
    back = POSTED.format(user="k.user_id", reference=BACK[seen.vendor])
    broken = [
        f"packet {public_id}: its sender gave {-gave} of {total_fen} fen, and got {back} of"
        f" {refunded_fen} fen back"
        for public_id, total_fen, refunded_fen, gave, back in seen.search(
            "packets_packet", UNPAID_PACKETS.format(gave=gave, back=back)
        )
    ]
    broken += [
        f"packet {public_id}, place {place}: user {user_id} got {got} of {amount_fen} fen"
        for public_id, place, user_id, amount_fen, got in seen.search("packets_slot", UNPAID_SLOTS)
    ]
    return Finding({}, broken)


@promise(6, "the house's account for red packets holds what is left in them")
def house_holds_the_rest(seen: Snapshot) -> Finding:
    if seen.is_sample:
        return Finding({}, [])  # both sides are sums over everything
    [kept_fen] = seen.totals(
        "packets_packet",
        "SELECT SUM(total_fen - refunded_fen) FROM packets_packet"
        " WHERE id BETWEEN %(low)s AND %(high)s",
    )
    [grabbed_fen] = seen.totals(
        "packets_slot",
        "SELECT SUM(amount_fen) FROM packets_slot WHERE id BETWEEN %(low)s AND %(high)s",
    )
    [(held,)] = seen.rows(
        "SELECT COALESCE(SUM(w.amount), 0) FROM wallet_account a"
        " JOIN wallet_posting w ON w.account_id = a.id"
        " WHERE a.house = 'packets' AND a.currency = 'cny'"
    )
    rest = kept_fen - grabbed_fen
    broken = [] if held == rest else [f"house account packets: holds {held} fen, {rest} are left"]
    return Finding({}, broken)
