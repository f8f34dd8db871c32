"""The draw: whoever runs it, and however often, it has one result and one transcript.

What decides was fixed and published before (`lottery.closing`); this only waits for it. Beacons are
asked outside of transactions. Without the round, or without the public number, nothing is drawn.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from lottery.draws.beacon_draw import Pulse
from lottery.draws.beacons import RELAYS, Beacon, BeaconUnavailable, Drand, Local
from lottery.draws.identity import DRAND, LOCAL
from lottery.draws.transcript import Transcript
from lottery.models import Entry, Period, Scheme
from lottery.proof import transcript_of
from lottery.selectors import periods_now
from orders.prizes import prize_order_create
from shop.errors import Refusal
from shop.failpoints import failpoint
from shop.transactions import run

logger = logging.getLogger(__name__)

BEACONS: Mapping[str, Callable[[], Beacon]] = {
    DRAND: lambda: Drand(relays=settings.LOTTERY_DRAND_RELAYS or RELAYS),
    LOCAL: lambda: Local(secret=settings.SECRET_KEY.encode()),
}


def periods_draw() -> int:
    """Draws every period that what decides it is known of; returns how many. Beat calls it; any
    number may run at once."""
    ready = Q(scheme=Scheme.COMMIT_BEACON) | Q(public_number__isnull=False)
    due = periods_now().filter(ready, status=Period.State.CLOSED).exclude(root="")
    drawn = 0
    for period in due.order_by("pk"):
        try:
            drawn += period_draw(period, now=period.db_now)  # type: ignore[attr-defined]  # annotated
        except BeaconUnavailable as waiting:
            logger.warning("period %s: no draw yet: %s", period.pk, waiting)
        except Refusal as refusal:
            logger.warning("period %s: no draw yet: %s", period.pk, refusal.code)
        except Exception:
            # What is stored is not what was published, or worse: nothing to be drawn, somebody to
            # be called, and no other period is held up.
            logger.exception("period %s can't be drawn", period.pk)
    return drawn


def period_draw(period: Period, *, now: datetime) -> bool:
    """Draws a closed period whose deciding round, or public number, is out: its number, its winner,
    the prize's order. Returns whether this call did; `now` is the database's clock.

    Raises BeaconUnavailable, Busy, Unavailable, and ValueError where the rows are not the ones that
    its root and commitment stand for.
    """
    pulse = _pulse(period, now)
    if period.scheme == Scheme.COMMIT_BEACON and pulse is None:
        return False
    transcript = transcript_of(period, pulse)
    if (transcript["root"], transcript["commitment"]) != (period.root, period.commitment):
        raise ValueError(f"period {period.pk}: its rows are not those that were published")
    failpoint("period.draw")
    return run(lambda: _write(period, transcript, pulse))


def _pulse(period: Period, now: datetime) -> Pulse | None:
    """What the beacon said; None while its time has not come."""
    if period.scheme == Scheme.CLASSIC or period.beacon_round is None:
        return None
    beacon = BEACONS[period.beacon]()
    if beacon.time_of(period.beacon_round) > now:
        return None
    return beacon.fetch(period.beacon_round)


def _write(period: Period, transcript: Transcript, pulse: Pulse | None) -> bool:
    undrawn = Period.objects.select_for_update().filter(
        pk=period.pk, status=Period.State.CLOSED, number=None
    )
    for now in list(undrawn.values_list(Now(), flat=True)):
        winner = Entry.objects.get(entry_no=transcript["winning_entry_no"])
        undrawn.update(
            status=Period.State.DRAWN,
            number=transcript["number"],
            winner=winner,
            prize_order=_prize_order(period, winner, now),
            beacon_value=pulse.value.hex() if pulse else "",
            beacon_signature=pulse.signature.hex() if pulse else "",
            drawn_at=now,
        )
        return True
    return False


def _prize_order(period: Period, winner: Entry, now: datetime) -> int | None:
    if period.sku is None:
        return None
    order = prize_order_create(
        user_id=winner.user_id,
        sku=period.sku,
        reference=period.reference,
        draw=f"period-{period.pk}",
        now=now,
    )
    return order.pk
