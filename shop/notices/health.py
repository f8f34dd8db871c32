"""Notices that wait and that were given up, as a check of `shop.ops.health`.

They hold up nothing: the check gives figures, and fails only when it can't be read.
"""

from shop.notices.models import Notice
from shop.ops.health import Figures, age, register

# Counted no further: more than that is as bad.
MOST = 10_000


def backlog() -> Figures:
    """Notices that `waiting` and `dead` count, up to MOST; seconds since the oldest that waits was
    written, 0 where none does."""
    waiting = Notice.objects.filter(state=Notice.State.WAITING)
    dead = Notice.objects.filter(state=Notice.State.DEAD)
    return {
        "waiting": waiting.values("pk")[:MOST].count(),
        "oldest_waiting_seconds": age(waiting.order_by("pk"), "created_at"),
        "dead": dead.values("pk")[:MOST].count(),
    }


register("notices", backlog)
