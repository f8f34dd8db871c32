"""Entries that wait: how the drain finds and settles them, and what gates know of them
(`shop.pools.kinds`)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from django.db.models.functions import Coalesce, Now

from lottery.models import POOL_KIND, QUEUE_KIND, Entry
from lottery.selectors import gate_terms
from lottery.settlement import PendingEntry, settle_entries, write_failed
from shop.pools.kinds import GateTerms, pool_kinds, queue_kinds
from shop.pools.waiting import INTERNAL, WaitingRows


class EntryQueue(WaitingRows[PendingEntry]):
    """`shop.pools.kinds.QueueKind` for entries."""

    model = Entry
    columns = ("pk", "entry_no", "user_id", "period_id", "wanted", "allow_partial", Now())
    row = PendingEntry
    since = Coalesce("retried_at", "created_at")

    def settle(self, rows: Sequence[PendingEntry]) -> None:
        settle_entries(rows)

    def give_up(self, row: PendingEntry) -> None:
        write_failed([row], {row.pk: INTERNAL})


class PeriodPool:
    """`shop.pools.kinds.PoolKind` for periods."""

    def gate_terms(self, pool_id: int) -> GateTerms:
        return gate_terms(pool_id)

    def pending(self, pool_id: int) -> Mapping[int, int]:
        users: Counter[int] = Counter()
        waiting = Entry.objects.filter(queue__period__pool_id=pool_id)
        for user_id, wanted in waiting.values_list("user_id", "wanted"):
            users[user_id] += wanted
        return users

    def keys(self, pool_id: int) -> Iterable[tuple[int, str]]:
        entries = Entry.objects.filter(period__pool_id=pool_id).order_by()
        return entries.values_list("user_id", "idempotency_key").iterator(chunk_size=5_000)


queue_kinds[QUEUE_KIND] = EntryQueue()
pool_kinds[POOL_KIND] = PeriodPool()
