"""A period for those who watch it (`shop.pools.live`)."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Q

from lottery.models import QUEUE_KIND, Entry, Period
from lottery.selectors import periods_now
from shop.pools.live import Funnel, Standing, counted

# An entry is paid when it is settled.
FUNNEL: Mapping[str, Q] = {
    "placed": ~Q(status=""),
    "settled": Q(status__in=(Entry.State.CONFIRMED, Entry.State.REFUNDED)),
    "failed": Q(status=Entry.State.FAILED),
}


class WatchedPeriod:
    """`shop.pools.live.Watched`."""

    queue_kind = QUEUE_KIND
    steps = tuple(FUNNEL)

    def standing(self, pk: int) -> Standing | None:
        periods = periods_now().select_related(None).prefetch_related(None)
        period: Any = periods.select_related("pool").filter(pk=pk).first()
        if period is None:
            return None
        return Standing(
            state=period.status_now,
            until=period.ends_at if period.status == Period.State.OPEN else None,
            begun=True,
            now=period.db_now,
            over=not period.pool.open,
            pool=period.pool,
            queue_id=period.queue_id,
        )

    def funnel(self, pk: int) -> Funnel:
        return counted(Entry.objects.filter(period_id=pk), FUNNEL)


WATCHED = WatchedPeriod()
