"""Bells of pools: each finds its work by looking; a lost, late or doubled one changes nothing."""

import logging
from collections.abc import Callable

from celery import shared_task
from django.conf import settings
from redis import RedisError

from shop.bell import Bell
from shop.errors import Refusal
from shop.pools import drain as draining
from shop.pools import gate, gatekeeping
from shop.pools.models import Pool

logger = logging.getLogger(__name__)

# Longer than bells are apart: whoever comes while one is held back is found by the drain itself.
LINGER_SECONDS = settings.BELL_SECONDS * 1.2


@shared_task
def drain(queue_id: int) -> None:
    """Settles what waits in one queue."""
    try:
        if draining.drain(queue_id, linger=LINGER_SECONDS):
            drain.delay(queue_id)
    except Refusal as refusal:
        logger.warning("drain: queue %s: %s, beat rings again", queue_id, refusal.code)


@shared_task
def ring_drains() -> None:
    """For whatever waits although its bell was lost."""
    for queue_id in draining.waiting():
        drain.delay(queue_id)


@shared_task
def rebuild_gate(pool_id: int) -> None:
    """Opens a gate that was found cold."""
    _keep(pool_id, gatekeeping.rebuild)


@shared_task
def correct_gates() -> None:
    """Looks at every gate whose pool is open; opens the cold ones."""
    if gate.configured():
        for pool_id in Pool.objects.filter(gated=True, open=True).values_list("pk", flat=True):
            _keep(pool_id, gatekeeping.correct)


def _keep(pool_id: int, keeping: Callable[[int], object]) -> None:
    try:
        keeping(pool_id)
    except (RedisError, Refusal) as error:
        logger.warning("gate of pool %s: %s, beat tries again", pool_id, type(error).__name__)


# Looked up when rung: to look up `delay` is to ask Celery for its app, which is not there yet.
drain_bell = Bell(lambda queue_id: drain.delay(queue_id), interval=settings.BELL_SECONDS)
rebuild_bell = Bell(lambda pool_id: rebuild_gate.delay(pool_id), interval=1.0)
