"""The bell of red packets: ends those that are over, and gives back what nobody got."""

from celery import shared_task

from lottery.packets import services


@shared_task
def expire_packets() -> int:
    """For whatever is over."""
    return services.packets_sweep()
