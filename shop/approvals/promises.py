"""What proposals promise: nothing is decided by who asked for it. A correction is held to the same
where it is held to what is booked (`shop.wallet.promises`)."""

from shop.pools.audit import Finding, Snapshot, promise

ALONE = """
    SELECT id, state, requested_by_id, decided_by_id FROM approvals_proposal
    WHERE id BETWEEN %(low)s AND %(high)s
      AND (state <> 'requested' AND decided_by_id IS NULL
           OR state = 'requested' AND decided_by_id IS NOT NULL
           OR state = 'approved' AND decided_by_id = requested_by_id)
"""


@promise(6, "no proposal is approved by who asked for it")
def decided_by_another(seen: Snapshot) -> Finding:
    [approved] = seen.totals(
        "approvals_proposal",
        "SELECT SUM(CASE state WHEN 'approved' THEN 1 ELSE 0 END) FROM approvals_proposal"
        " WHERE id BETWEEN %(low)s AND %(high)s",
    )
    broken = [
        f"proposal {pk}: is {state}; asked for by operator {asked}, decided by {decided}"
        for pk, state, asked, decided in seen.search("approvals_proposal", ALONE)
    ]
    return Finding({"proposals_approved": approved}, broken)
