"""Bells: each finds its work by looking, so a lost, late or doubled message changes nothing."""

from celery import shared_task

from shop.notices import delivery, services


@shared_task
def deliver_notices() -> int:
    """Sends notices that are due."""
    return delivery.notices_deliver()


@shared_task
def prune_notices() -> int:
    """Removes notices that have been over for long."""
    return services.notices_prune()
