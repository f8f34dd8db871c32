"""What the ledger promises: transactions sum to zero, a balance is the sum of its postings, and
operators change what two of them wanted."""

from shop.pools.audit import Finding, Snapshot, promise

UNBALANCED = """
    SELECT p.transaction_id, t.reference, a.currency, SUM(p.amount)
    FROM wallet_posting p
    JOIN wallet_account a ON a.id = p.account_id
    LEFT JOIN wallet_transaction t ON t.id = p.transaction_id
    WHERE p.transaction_id BETWEEN %(low)s AND %(high)s
    GROUP BY p.transaction_id, t.reference, a.currency HAVING SUM(p.amount) <> 0
"""
EMPTY = """
    SELECT t.id, t.reference FROM wallet_transaction t
    WHERE t.id BETWEEN %(low)s AND %(high)s
      AND NOT EXISTS (SELECT 1 FROM wallet_posting p WHERE p.transaction_id = t.id)
"""
ORPHANS = """
    SELECT p.id, p.amount, p.transaction_id, t.id, p.account_id, a.id
    FROM wallet_posting p
    LEFT JOIN wallet_transaction t ON t.id = p.transaction_id
    LEFT JOIN wallet_account a ON a.id = p.account_id
    WHERE p.id BETWEEN %(low)s AND %(high)s AND (t.id IS NULL OR a.id IS NULL)
"""
# The house's accounts keep no balance, and have too many postings to be summed for nothing.
UNEQUAL_BALANCES = """
    SELECT a.id, a.user_id, a.currency, a.balance, COALESCE(SUM(p.amount), 0)
    FROM wallet_account a LEFT JOIN wallet_posting p ON p.account_id = a.id
    WHERE a.id BETWEEN %(low)s AND %(high)s AND a.user_id IS NOT NULL
    GROUP BY a.id, a.user_id, a.currency, a.balance
    HAVING a.balance <> COALESCE(SUM(p.amount), 0) OR a.balance < 0
"""
# What is booked for a correction against what was decided.
CORRECTION = {"sqlite": "'correction:' || c.id", "mysql": "CONCAT('correction:', c.id)"}
MISBOOKED = """
    SELECT pk, state, amount, currency, booked, requested_by_id, decided_by_id FROM (
        SELECT c.id AS pk, c.state, c.amount, c.currency, c.requested_by_id, c.decided_by_id,
               COALESCE((
                   SELECT SUM(p.amount) FROM wallet_transaction t
                   JOIN wallet_posting p ON p.transaction_id = t.id
                   JOIN wallet_account a ON a.id = p.account_id
                   WHERE t.reference = {reference}
                     AND a.user_id = c.user_id AND a.currency = c.currency), 0) AS booked
        FROM wallet_correction c WHERE c.id BETWEEN %(low)s AND %(high)s
    ) AS both_sides
    WHERE booked <> CASE state WHEN 'approved' THEN amount ELSE 0 END
       OR (state = 'approved' AND (decided_by_id IS NULL OR decided_by_id = requested_by_id))
"""
UNDECIDED = """
    SELECT t.reference FROM wallet_transaction t
    WHERE t.id BETWEEN %(low)s AND %(high)s AND SUBSTR(t.reference, 1, 11) = 'correction:'
      AND NOT EXISTS (
        SELECT 1 FROM wallet_correction c
        WHERE c.id = CAST(SUBSTR(t.reference, 12) AS SIGNED) AND t.reference = {reference})
"""


@promise(6, "every transaction sums to zero in each currency")
def transactions_sum_to_zero(seen: Snapshot) -> Finding:
    [transactions] = seen.totals(
        "wallet_transaction",
        "SELECT COUNT(*) FROM wallet_transaction WHERE id BETWEEN %(low)s AND %(high)s",
    )
    broken = [
        f"transaction {pk} ({reference or 'which does not exist'}): {int(total):+d} {currency}"
        for pk, reference, currency, total in seen.search("wallet_transaction", UNBALANCED)
    ]
    broken += [
        f"transaction {pk} ({reference}): has no postings"
        for pk, reference in seen.search("wallet_transaction", EMPTY)
    ]
    return Finding({"transactions": transactions}, broken)


@promise(6, "no posting without its transaction and its account")
def postings_belong(seen: Snapshot) -> Finding:
    [postings] = seen.totals(
        "wallet_posting",
        "SELECT COUNT(*) FROM wallet_posting WHERE id BETWEEN %(low)s AND %(high)s",
    )
    broken = [
        f"posting {pk}: {amount:+d} of "
        + (f"transaction {wanted}" if found is None else f"account {account}")
        + ", which does not exist"
        for pk, amount, wanted, found, account, _ in seen.search("wallet_posting", ORPHANS)
    ]
    return Finding({"postings": postings}, broken)


@promise(6, "every user's balance equals its postings, none below zero")
def balances_equal_postings(seen: Snapshot) -> Finding:
    wallets, fen, points = seen.totals(
        "wallet_account",
        """
        SELECT COUNT(*), SUM(CASE currency WHEN 'cny' THEN balance ELSE 0 END),
               SUM(CASE currency WHEN 'points' THEN balance ELSE 0 END)
        FROM wallet_account WHERE id BETWEEN %(low)s AND %(high)s AND user_id IS NOT NULL
        """,
    )
    broken = [
        f"account {pk} of user {user_id}: has {balance} {currency}; by its postings {posted}"
        for pk, user_id, currency, balance, posted in seen.search(
            "wallet_account", UNEQUAL_BALANCES
        )
    ]
    return Finding({"wallets": wallets, "wallets_fen": fen, "wallets_points": points}, broken)


@promise(6, "each correction is booked as two operators decided, and no other")
def corrections_are_decided(seen: Snapshot) -> Finding:
    reference = CORRECTION[seen.vendor]
    [waiting] = seen.totals(
        "wallet_correction",
        "SELECT SUM(CASE state WHEN 'requested' THEN 1 ELSE 0 END) FROM wallet_correction"
        " WHERE id BETWEEN %(low)s AND %(high)s",
    )
    broken = [
        f"correction {pk}: is {state} of {amount:+d} {currency}, the user's wallet has {booked};"
        f" asked for by operator {asked}, decided by {decided}"
        for pk, state, amount, currency, booked, asked, decided in seen.search(
            "wallet_correction", MISBOOKED.format(reference=reference)
        )
    ]
    broken += [
        f"transaction {reference}: there is no such correction"
        for (reference,) in seen.search("wallet_transaction", UNDECIDED.format(reference=reference))
    ]
    return Finding({"corrections_waiting": waiting}, broken)
