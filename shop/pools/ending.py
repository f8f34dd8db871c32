"""Ending what a queue serves: a sale, a period, a packet. What was accepted is settled first; then,
with nothing waiting and nobody draining, it is closed.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from shop.failpoints import failpoint
from shop.pools import drain
from shop.pools.models import Queue
from shop.transactions import run

T = TypeVar("T")

# Rounds of settling; each yields after a while, and nothing new comes in.
ROUNDS = 100


class _StillWaiting(Exception):
    """Something waits in the queue."""


def end(queue_id: int, close: Callable[[], T]) -> T:
    """Settles what waits in the queue, and returns what `close` does in a transaction that holds
    the queue's row: it must close the pool, so that what surfaces later fails as `ended`.

    What can't be settled after many rounds holds up no end. Raises Busy, Unavailable.
    """
    for _ in range(ROUNDS):
        drain.drain(queue_id)
        failpoint("pool.end")
        try:
            return run(partial(_close, queue_id, close, force=False))
        except _StillWaiting:
            continue
    return run(partial(_close, queue_id, close, force=True))


def _close(queue_id: int, close: Callable[[], T], *, force: bool) -> T:
    list(Queue.objects.select_for_update().filter(pk=queue_id).values_list("pk"))
    if drain.has_waiting(queue_id) and not force:
        raise _StillWaiting
    closed = close()
    failpoint("pool.closed")
    return closed
