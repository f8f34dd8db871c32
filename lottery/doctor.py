"""What `manage.py doctor` says about draws: whether anybody outside need believe them."""

from collections.abc import Iterator

from django.conf import settings

from lottery.draws.identity import LOCAL
from lottery.models import Period
from shop.ops.examining import Asks, Line, examination, is_production, ok, warning

DO = "Use `drand`: LOTTERY_BEACON, and the beacon of each period that is opened."


@examination("lottery.beacon", asks=Asks.TABLES)
def beacon() -> Iterator[Line]:
    if not is_production():
        yield ok("lottery.beacon", f"Draws are by {settings.LOTTERY_BEACON}; this is a rehearsal.")
        return
    if settings.LOTTERY_BEACON == LOCAL:
        says = (
            "LOTTERY_BEACON is local: the shop could know every winner before, and proofs say so."
        )
        yield warning("lottery.beacon", says, DO)
    else:
        yield ok("lottery.beacon", f"Draws are by {settings.LOTTERY_BEACON}.")
    count = Period.objects.filter(beacon=LOCAL, status=Period.State.OPEN).count()
    if count:
        says = f"{count} open periods will be drawn by the shop's own beacon."
        yield warning("lottery.periods", says, DO)
