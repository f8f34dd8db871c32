"""The bell of sales: ends those whose time is up, and moves on what came back since."""

import logging

from celery import shared_task

from goods.sales import services
from shop.errors import Refusal

logger = logging.getLogger(__name__)


@shared_task
def sweep_sales() -> None:
    try:
        services.sales_sweep()
    except Refusal as refusal:
        logger.warning("sales: %s, beat rings again", refusal.code)
