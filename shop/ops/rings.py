"""Beat's regular rings: noted where they are heard, so that silence can be told from rest."""

from django.conf import settings
from django.db.models.functions import Now

from shop.ops.models import Ring
from shop.transactions import run_statement

# The queue of tasks that are routed nowhere.
DEFAULT_QUEUE = "celery"


def queues() -> list[str]:
    """Every queue that the shop's tasks are sent to."""
    routed = {str(route["queue"]) for route in settings.CELERY_TASK_ROUTES.values()}
    return sorted({*routed, DEFAULT_QUEUE})


def ring_hear(queue: str) -> None:
    """Notes that a worker of this queue has just heard beat. Raises Busy, Unavailable."""
    known = Ring.objects.filter(queue=queue)
    if not run_statement(lambda: known.update(heard_at=Now())):
        # Of two that hear the first ring at once, either will do.
        first = [Ring(queue=queue, heard_at=Now())]
        run_statement(lambda: Ring.objects.bulk_create(first, ignore_conflicts=True))


def silence() -> dict[str, float | None]:
    """Seconds since each queue last heard beat, by the database's clock; None: never."""
    heard = {
        queue: (now - at).total_seconds()
        for queue, at, now in Ring.objects.values_list("queue", "heard_at", Now())
    }
    return {queue: heard.get(queue) for queue in queues()}
