"""The draw: whoever runs it, and however often, it has one result and one transcript.

What decides was fixed and published before (`lottery.closing`); this only waits for it. Beacons are
asked outside of transactions. Without the round, or without the public number, nothing is drawn.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from lottery.draws.beacon_draw import Pulse
from lottery.draws.beacons import RELAYS, Beacon, BeaconUnavailable, Drand, Local
from lottery.draws.identity import DRAND, LOCAL
from lottery.draws.transcript import Transcript
from lottery.models import Entry, Period, Scheme
from lottery.notices import period_won
from lottery.proof import transcript_of
from lottery.selectors import draw_due_at, periods_now
from orders.prizes import prize_order_create
from shop.errors import Refusal
from shop.failpoints import failpoint
from shop.transactions import run

logger = logging.getLogger(__name__)

# How long beat leaves drand alone that did not answer, and one asker to itself, in seconds.
REST_SECONDS = 30.0
BEACONS: Mapping[str, Callable[[], Beacon]] = {
    DRAND: lambda: Drand(relays=settings.LOTTERY_DRAND_RELAYS or RELAYS),
    LOCAL: lambda: Local(secret=settings.SECRET_KEY.encode()),
}


def periods_draw(*, rest_seconds: float = 0.0) -> int:
    """Draws every period that what decides it is known of; returns how many. Any number may run at
    once.

    `rest_seconds`, as beat says it: drand is asked by one at a time, and when it did not answer not
    again for so long. Whoever waits for a server that swallows packets does nothing else.
    """
    ready = Q(scheme=Scheme.COMMIT_BEACON) | Q(public_number__isnull=False)
    due = periods_now().filter(ready, status=Period.State.CLOSED).exclude(root="")
    by_beacon: dict[str, list[Any]] = defaultdict(list)
    for period in due.order_by("pk"):
        if is_decided(period):
            by_beacon[period.beacon].append(period)
    drawn = 0
    for beacon, periods in by_beacon.items():
        if rest_seconds and beacon == DRAND and not _claimed(periods, rest_seconds):
            continue
        drawn += _draw_all(periods)
    return drawn


def is_decided(period: Any) -> bool:
    """Whether the round that decides a frozen period, of `periods_now`, is out; a classic one waits
    for no round."""
    due_at = draw_due_at(period)
    return due_at is None or bool(due_at <= period.db_now)


def _claimed(periods: Sequence[Any], rest_seconds: float) -> bool:
    """Whether it is our turn to ask these periods' beacon."""
    tried_before = periods[0].db_now - timedelta(seconds=rest_seconds)
    resting = Q(draw_tried_at__isnull=False, draw_tried_at__gt=tried_before)
    ours = Period.objects.filter(~resting, pk__in=[period.pk for period in periods])
    try:
        return bool(run(lambda: ours.update(draw_tried_at=Now())))
    except Refusal as refusal:
        logger.warning("no draw yet: %s", refusal.code)
        return False


def _draw_all(periods: Sequence[Any]) -> int:
    """Draws periods of one beacon; the first that it has no answer for ends it."""
    drawn = 0
    for number, period in enumerate(periods):
        try:
            drawn += period_draw(period, now=period.db_now)
        except BeaconUnavailable as waiting:
            logger.warning("period %s: no draw yet: %s", period.pk, waiting)
            _note(periods[number:], str(waiting))
            break
        except Refusal as refusal:
            logger.warning("period %s: no draw yet: %s", period.pk, refusal.code)
        except Exception as error:
            # What is stored is not what was published, or worse: nothing to be drawn, somebody to
            # be called, and no other period is held up.
            logger.exception("period %s can't be drawn", period.pk)
            _note([period], str(error))
    return drawn


def _note(periods: Sequence[Any], problem: str) -> None:
    """Leaves word for operators. Best effort: the next attempt leaves it again."""
    undrawn = Period.objects.filter(
        pk__in=[period.pk for period in periods], status=Period.State.CLOSED
    )
    longest = Period._meta.get_field("draw_problem").max_length
    try:
        run(lambda: undrawn.update(draw_problem=problem[:longest], draw_tried_at=Now()))
    except Refusal as refusal:
        logger.warning("why there is no draw was not noted: %s", refusal.code)


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
            draw_problem="",
        )
        period_won(period, winner, number=transcript["number"])
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
