"""Grabs that wait: how the drain finds and settles them, and what gates know of them
(`shop.pools.kinds`)."""

from collections.abc import Iterable, Mapping, Sequence

from django.db.models.functions import Now

from lottery.packets.models import POOL_KIND, QUEUE_KIND, Grab
from lottery.packets.selectors import gate_terms, packet_terms
from lottery.packets.settlement import PendingGrab, settle_pending, write_failed
from shop.pools.kinds import GateTerms, pool_kinds, queue_kinds
from shop.pools.waiting import INTERNAL, WaitingRows

# At a gate all grabs of one user have one key: whoever has grabbed goes on to the database, which
# says how much.
GATE_KEY = "grab"


class GrabQueue(WaitingRows[PendingGrab]):
    """`shop.pools.kinds.QueueKind` for grabs; a queue has those of one packet."""

    model = Grab
    columns = ("pk", "grab_no", "packet_id", "user_id", Now())
    row = PendingGrab

    def settle(self, rows: Sequence[PendingGrab]) -> None:
        settle_pending(rows)

    def give_up(self, row: PendingGrab) -> None:
        write_failed([row], {row.pk: INTERNAL}, terms=packet_terms(row.packet_id))


class PacketPool:
    """`shop.pools.kinds.PoolKind` for red packets."""

    def gate_terms(self, pool_id: int) -> GateTerms:
        return gate_terms(pool_id)

    def pending(self, pool_id: int) -> Mapping[int, int]:
        waiting = Grab.objects.filter(queue__packet__pool_id=pool_id)
        return dict.fromkeys(waiting.values_list("user_id", flat=True), 1)

    def keys(self, pool_id: int) -> Iterable[tuple[int, str]]:
        users = Grab.objects.filter(packet__pool_id=pool_id).values_list("user_id", flat=True)
        return ((user_id, GATE_KEY) for user_id in users.iterator(chunk_size=5_000))


queue_kinds[QUEUE_KIND] = GrabQueue()
pool_kinds[POOL_KIND] = PacketPool()
