"""How a sale's orders fare, for operators. The orders are another app's, which tells of them here,
in `order_counts`."""

from collections.abc import Collection, Mapping
from typing import Protocol

from goods.sales.models import FlashSale
from shop.pools.figures import Failures
from shop.pools.live import Funnel


class OrderCounts(Protocol):
    """What the app that has the orders tells of a sale's."""

    def waiting(self, queue_ids: Collection[int]) -> Mapping[int, int]:
        """Queue -> orders that wait in it, for those of these queues that have any."""

    def failed(self, sale: FlashSale) -> Failures:
        """Orders that were not settled, and never will be."""

    def funnel(self, sale_id: int) -> Funnel:
        """How far the sale's orders have come, among the newest."""


# By the kind of queue that sales have.
order_counts: dict[str, OrderCounts] = {}
