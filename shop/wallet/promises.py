"""What the ledger promises: transactions sum to zero, and a balance is the sum of its postings."""

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
