"""From a user in front of a period to an entry.

The gate first (where the period has one), then one of two ways: direct pays, takes the shares and
stores them in one transaction; queued stores the entry as pending, in one statement that touches no
counter and no wallet, and the drain settles it with many others (`lottery.settlement`).
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from lottery.draws.leaves import new_nonce
from lottery.models import Entry
from lottery.selectors import PeriodTerms, period_terms_lately
from lottery.settlement import KIND, cost_of, shares_insert
from shop import transactions
from shop.accounts.selectors import require_active
from shop.api.idempotency import Answer, RequestKey, insert, once
from shop.errors import Busy, Ended, PurchaseLimit
from shop.numbers import new_number
from shop.pools import gate
from shop.pools import services as pools
from shop.pools.models import Placement
from shop.pools.passage import Stored, passage
from shop.pools.refusals import No, Shortage, refusal_of, short
from shop.pools.services import Claim, Terms
from shop.pools.strategies import Take
from shop.pools.waiting import Queued, wait_in
from shop.wallet import services as wallet
from shop.wallet.models import House

ACCEPTED = 202
CREATED = 201
# Tries to get what is left, where fewer shares will do: each sees fewer.
PARTIAL_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class EntryRequest:
    """What a user asks of a period. `client_address`: whom the gate counts requests for."""

    period_id: int
    shares: int
    allow_partial: bool = False
    client_address: str = ""


def entry_place(*, key: RequestKey, wanted: EntryRequest) -> Answer[Entry]:
    """Places the entry, or finds the one that an earlier request with `key` placed.

    Raises NotFound, Ended, SoldOut, InsufficientStock, PurchaseLimit, InsufficientBalance,
    PermissionDenied (a disabled user), Busy, Unavailable, RequestInProgress, IdempotencyKeyReused.
    Then nothing of it is stored.
    """
    return once(key, Entry.objects.all(), lambda key: _create(key, wanted))


def _create(key: RequestKey, wanted: EntryRequest) -> Entry:
    terms = period_terms_lately(wanted.period_id)
    if not terms.is_open:
        raise Ended
    if terms.per_user_limit is not None and wanted.shares > terms.per_user_limit:
        raise PurchaseLimit(limit=terms.per_user_limit)
    shares = wanted.shares
    if wanted.allow_partial and 0 < terms.available < shares:
        # Shares never come back, so there will not be more of them than this.
        shares = terms.available
    if not terms.gated:
        if terms.available < shares:
            raise short(terms.available)
        return _place(_new_entry(key, wanted, shares=shares, now=terms.read_at), terms)
    request = gate.Request(
        pool_id=terms.pool_id,
        user_id=key.user_id,
        count=shares,
        key=key.key,
        address=wanted.client_address,
    )
    with passage(
        request,
        stored=partial(_stored, key, terms),
        opens_at=terms.opened_at,
        partial=wanted.allow_partial,
    ) as passed:
        return _place(_new_entry(key, wanted, shares=passed.count, now=passed.at), terms)


def _stored(key: RequestKey, terms: PeriodTerms) -> Stored | None:
    """The entry in this period that has this key."""
    entries = Entry.objects.filter(
        user_id=key.user_id,
        idempotency_route=key.route,
        idempotency_key=key.key,
        period_id=terms.period_id,
    )
    entry = entries.values_list("created_at", "wanted").first()
    return None if entry is None else Stored(*entry)


def _new_entry(key: RequestKey, wanted: EntryRequest, *, shares: int, now: datetime) -> Entry:
    return Entry(
        **key.columns(),
        entry_no=new_number(now),
        period_id=wanted.period_id,
        wanted=shares,
        allow_partial=wanted.allow_partial,
        nonce=new_nonce().hex(),
        created_at=now,
    )


def _place(entry: Entry, terms: PeriodTerms) -> Entry:
    if terms.placement == Placement.QUEUED:
        entry.status = Entry.State.PENDING
        entry.first_status = ACCEPTED
        wait_in(entry, Queued(terms.queue_id))
        return entry
    entry.status = Entry.State.CONFIRMED
    entry.first_status = CREATED
    try:
        with pools.admitted([terms.pool_id]):
            return _place_direct(entry, terms)
    except No as no:
        raise refusal_of(no) from no


def _place_direct(entry: Entry, terms: PeriodTerms) -> Entry:
    """Takes all shares that are wanted or, where fewer will do, what another try finds left."""
    for _ in range(PARTIAL_ATTEMPTS):
        try:
            return transactions.run(partial(_write, entry, terms))
        except Shortage as shortage:
            if not entry.allow_partial or not shortage.available:
                raise
            entry.wanted = min(entry.wanted, shortage.available)
    raise Busy


def _write(entry: Entry, terms: PeriodTerms) -> Entry:
    insert(entry)
    require_active(entry.user_id)
    claim = Claim(entry.entry_no, entry.user_id, [Take(terms.pool_id, entry.wanted)])
    pools.take(
        claim,
        terms={terms.pool_id: Terms(terms.strategy, terms.per_user_limit)},
        alongside=lambda: wallet.pay(
            user_id=entry.user_id,
            currency=terms.currency,
            amount=cost_of(entry.wanted, terms.share_price),
            house=House.LOTTERY,
            reference=entry.entry_no,
            kind=KIND,
        ),
    )
    entry.shares = shares_insert(entry, pool_id=terms.pool_id, share_price=terms.share_price)
    entry.period = terms.period()
    return entry
