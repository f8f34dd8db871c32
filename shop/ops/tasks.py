"""A ring that does nothing but be heard."""

from celery import shared_task

from shop.ops.rings import ring_hear


@shared_task
def hear(queue: str) -> None:
    """Notes that a worker of this queue hears beat."""
    ring_hear(queue)
