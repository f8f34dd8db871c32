"""How long grabs have waited, and packets past their time, as a check of `shop.ops.health`."""

from django.db.models.functions import Now

from lottery.packets.models import Packet
from lottery.packets.pending import GrabQueue
from shop.ops.health import Figures, age, register


def backlog() -> Figures:
    """Seconds that the oldest has waited, 0 where none waits. `pending_grab`: its slot is not taken
    yet. `overdue_packet`: past its time, and what was left has not gone back."""
    return {
        "oldest_pending_grab_seconds": GrabQueue().waited(),
        "oldest_overdue_packet_seconds": age(
            Packet.objects.filter(ended_at=None, expires_at__lte=Now()).order_by("expires_at"),
            "expires_at",
        ),
    }


register("packets", backlog)
