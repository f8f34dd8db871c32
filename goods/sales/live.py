"""A flash sale for those who watch it (`shop.pools.live`). How far its orders have come is told by
the app that has them, in `goods.sales.figures`."""

from typing import Any

from goods.sales.figures import order_counts
from goods.sales.selectors import Status, sales_now
from goods.sales.services import QUEUE_KIND
from shop.pools.live import Funnel, Standing


class WatchedSale:
    """`shop.pools.live.Watched`."""

    queue_kind = QUEUE_KIND
    # How far an order comes, and where it may leave that way.
    steps = ("placed", "settled", "paid", "shipped", "gone", "failed")

    def standing(self, pk: int) -> Standing | None:
        sale: Any = sales_now().select_related(None).select_related("pool").filter(pk=pk).first()
        if sale is None:
            return None
        status = Status(sale.status_now)
        begun = sale.starts_at <= sale.db_now
        return Standing(
            state=status,
            until=sale.ends_at if begun else sale.starts_at,
            begun=begun,
            now=sale.db_now,
            over=status is Status.ENDED and not sale.pool.open,
            pool=sale.pool,
            queue_id=sale.queue_id,
        )

    def funnel(self, pk: int) -> Funnel:
        return order_counts[QUEUE_KIND].funnel(pk)


WATCHED = WatchedSale()
