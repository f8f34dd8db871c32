"""The only code that turns entries into shares that are paid for.

A direct entry is settled in its request's transaction, the pending ones of a period by the drain,
many at a time and in the order they came: each pays from its user's wallet and gets the indexes
that follow the last one's. Indexes are given only where shares are taken, so they have no gaps.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from lottery.models import Entry, Period, Shares
from shop.accounts.selectors import disabled_among
from shop.errors import InsufficientBalance, PermissionDenied, Refusal
from shop.numbers import new_number
from shop.pools import gate
from shop.pools.batch import Grant, take_batch
from shop.pools.models import Pool
from shop.pools.refusals import failure_of
from shop.pools.services import Claim
from shop.pools.strategies import Take
from shop.statements import insert_values
from shop.wallet.models import House
from shop.wallet.services import Book

# What the wallet's ledger calls it.
KIND = "entry"
SHARES = ("entry_id", "pool_id", "first", "count", "cost", "reference", "returned")
# The index of the first one follows from the counter, which this transaction has just moved.
SHARES_OF_ONE = f"""
    INSERT INTO {Shares._meta.db_table} ({", ".join(SHARES)})
    SELECT %s, id, taken - %s, %s, %s, %s, '' FROM {Pool._meta.db_table} WHERE id = %s
"""  # noqa: S608
# Where the database can say what it stored (MySQL can't).
RETURNING_FIRST = "RETURNING first"
FIRST_OF_ONE = f"SELECT first FROM {Shares._meta.db_table} WHERE entry_id = %s"  # noqa: S608


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """What settling needs of an entry that waits, its row locked. `now`: the database's clock."""

    pk: int
    entry_no: str
    user_id: int
    period_id: int
    wanted: int
    allow_partial: bool
    now: datetime


def cost_of(shares: int, share_price: int) -> int:
    """What so many shares cost, in the period's currency."""
    return shares * share_price


def shares_insert(entry: Entry, *, pool_id: int, share_price: int) -> Shares:
    """Stores the shares of one entry, right after its units were taken in this transaction."""
    cost = cost_of(entry.wanted, share_price)
    values = (entry.pk, entry.wanted, entry.wanted, cost, entry.entry_no, pool_id)
    with connection.cursor() as cursor:
        if connection.features.can_return_columns_from_insert:
            cursor.execute(SHARES_OF_ONE + RETURNING_FIRST, values)
        else:
            cursor.execute(SHARES_OF_ONE, values)
            cursor.execute(FIRST_OF_ONE, (entry.pk,))
        [(first,)] = cursor.fetchall()
    return Shares(entry=entry, pool_id=pool_id, first=first, count=entry.wanted, cost=cost)


class _Purses:
    """What entries need beside shares (`shop.pools.batch.Condition`): the money."""

    def __init__(self, currency: str, share_price: int) -> None:
        self._book = Book(currency, House.LOTTERY, KIND)
        self._share_price = share_price

    def lock(self, claims: Sequence[Claim]) -> None:
        if claims:
            self._book.lock({claim.user_id for claim in claims})

    def decide(self, claim: Claim, grant: Grant) -> Refusal | None:
        try:
            cost = cost_of(grant.count, self._share_price)
            self._book.debit(claim.user_id, cost, claim.reference)
        except InsufficientBalance as no:
            return no
        return None

    def write(self, reference: str) -> None:
        self._book.write(reference)


def settle_entries(entries: Sequence[PendingEntry]) -> None:
    """Settles entries of one period that wait: each becomes `confirmed` with its shares, paid for,
    or `failed` with none."""
    now = entries[0].now
    period = Period.objects.get(pk=entries[0].period_id)
    disabled = disabled_among({entry.user_id for entry in entries})
    failures = {entry.pk: PermissionDenied.code for entry in entries if entry.user_id in disabled}
    candidates = [entry for entry in entries if entry.pk not in failures]
    reference = f"batch-{new_number(now)}"
    verdicts = take_batch(
        [_claim_of(entry, period.pool_id) for entry in candidates],
        reference=reference,
        condition=_Purses(period.currency, period.share_price),
    )
    granted: list[tuple[PendingEntry, Grant]] = []
    for entry, verdict in zip(candidates, verdicts, strict=True):
        if isinstance(verdict, Grant):
            granted.append((entry, verdict))
        else:
            failures[entry.pk] = failure_of(verdict)
    _write_confirmed(granted, period, reference=reference)
    write_failed([entry for entry in entries if entry.pk in failures], failures)


def _claim_of(entry: PendingEntry, pool_id: int) -> Claim:
    takes = [Take(pool_id, entry.wanted)]
    return Claim(entry.entry_no, entry.user_id, takes, partial=entry.allow_partial)


def _write_confirmed(
    granted: Sequence[tuple[PendingEntry, Grant]], period: Period, *, reference: str
) -> None:
    if not granted:
        return
    rows = [
        (
            entry.pk,
            period.pool_id,
            grant.units[0].first,
            grant.count,
            cost_of(grant.count, period.share_price),
            reference,
            "",
        )
        for entry, grant in granted
    ]
    insert_values(Shares, SHARES, rows)
    confirmed = Entry.objects.filter(pk__in=[entry.pk for entry, _ in granted])
    confirmed.update(status=Entry.State.CONFIRMED, queue=None)
    # Let through for more than there was, where fewer would do.
    _tell_gate(period, [(entry, entry.wanted - grant.count) for entry, grant in granted])


def write_failed(entries: Sequence[PendingEntry], failures: Mapping[int, str]) -> None:
    """Moves pending `entries` to `failed`, each with the code that `failures` (entry id -> code)
    has for it; their gate hears of it."""
    by_code: dict[str, list[PendingEntry]] = defaultdict(list)
    for entry in entries:
        by_code[failures[entry.pk]].append(entry)
    for code, failed in by_code.items():
        rows = Entry.objects.filter(pk__in=[entry.pk for entry in failed])
        rows.update(status=Entry.State.FAILED, failure=code, queue=None)
    if entries:
        period = Period.objects.get(pk=entries[0].period_id)
        _tell_gate(period, [(entry, entry.wanted) for entry in entries])


def _tell_gate(period: Period, unused: Sequence[tuple[PendingEntry, int]]) -> None:
    """Shares that entries were let through for, and did not get."""
    returned: dict[tuple[int, int], int] = defaultdict(int)
    for entry, count in unused:
        if count:
            returned[period.pool_id, entry.user_id] += count
    gate.give_back_after_commit(returned)
