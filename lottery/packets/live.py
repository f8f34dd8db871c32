"""A red packet for those who watch it (`shop.pools.live`)."""

from collections.abc import Mapping

from django.db.models import Q
from django.db.models.functions import Now

from lottery.packets.models import QUEUE_KIND, Grab, Packet
from lottery.packets.shown import packet_status
from shop.pools.live import Funnel, Standing, counted

FUNNEL: Mapping[str, Q] = {
    "placed": ~Q(status=""),
    "settled": Q(status=Grab.State.CONFIRMED),
    "failed": Q(status=Grab.State.FAILED),
}


class WatchedPacket:
    """`shop.pools.live.Watched`."""

    queue_kind = QUEUE_KIND
    steps = tuple(FUNNEL)

    def standing(self, pk: int) -> Standing | None:
        packets = Packet.objects.select_related("pool").annotate(db_now=Now())
        packet = packets.filter(pk=pk).first()
        if packet is None:
            return None
        return Standing(
            state=packet_status(packet, taken=packet.pool.taken),
            until=packet.expires_at if packet.pool.open else None,
            begun=True,
            now=packet.db_now,
            over=not packet.pool.open,
            pool=packet.pool,
            queue_id=packet.queue_id,
        )

    def funnel(self, pk: int) -> Funnel:
        return counted(Grab.objects.filter(packet_id=pk), FUNNEL)


WATCHED = WatchedPacket()
