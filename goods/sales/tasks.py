"""The bell of sales: ends those whose time is up, and moves on what came back since."""

from celery import shared_task

from goods.sales import services


@shared_task
def sweep_sales() -> None:
    """For whatever is over."""
    services.sales_sweep()
