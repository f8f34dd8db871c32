"""Counting what came in, by ranges of ids: each row once, whoever counts and whoever dies over it.

A batch adds what it found to its hours and moves the tally on in one transaction, under the tally's
lock. Ids are given out in order and committed a moment later in any, so a row is counted only when
it is SETTLED_SECONDS old: nothing with a lower id is still under way then. `manage.py audit`
compares the hours with what they count; `count_takings --again` starts over.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.functions import Now

from orders.models import Order, OrderMove
from orders.payments.models import Refund
from orders.states import State
from orders.takings.models import Hour, Tally
from shop.transactions import run

TALLY_ID = 1
# Longer than any transaction may take: reads and writes time out after 30.
SETTLED_SECONDS = 60
# Rows of one table in one transaction.
BATCH = 5_000

# A moment, and what it adds to the columns of its hour.
Entry = tuple[datetime, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Book:
    """One table that is counted. `column`: of the tally; `entries`: of a range of its rows."""

    column: str
    rows: Callable[[], QuerySet[Any]]
    entries: Callable[[QuerySet[Any]], Iterable[Entry]]


def _placed(orders: QuerySet[Any]) -> Iterable[Entry]:
    for moment in orders.values_list("created_at", flat=True):
        yield moment, {"placed": 1}


def _paid(moves: QuerySet[Any]) -> Iterable[Entry]:
    paid = moves.filter(target=State.PAID, order__total_fen__gt=0)
    for moment, fen in paid.values_list("created_at", "order__total_fen"):
        yield moment, {"paid": 1, "paid_fen": fen}


def _refunded(refunds: QuerySet[Any]) -> Iterable[Entry]:
    # What came too late never paid an order, and is on its way back without having been taken.
    wanted = refunds.exclude(cause=Refund.Cause.LATE)
    for moment, fen in wanted.values_list("created_at", "amount_fen"):
        yield moment, {"refunded_fen": fen}


BOOKS = (
    Book("orders", Order.objects.all, _placed),
    Book("moves", OrderMove.objects.all, _paid),
    Book("refunds", Refund.objects.all, _refunded),
)


def takings_count() -> int:
    """Counts the next batch of each book; returns of how many rows, 0 where there are no more or
    somebody else counts."""
    if not Tally.objects.filter(pk=TALLY_ID).exists():
        Tally.objects.bulk_create([Tally(pk=TALLY_ID)], ignore_conflicts=True)
    return run(_count)


def takings_forget() -> None:
    """Empties the hours, so that everything is counted again from the first row on."""

    def work() -> None:
        Tally.objects.select_for_update().filter(pk=TALLY_ID).first()
        Hour.objects.all().delete()
        Tally.objects.filter(pk=TALLY_ID).update(orders=0, moves=0, refunds=0, until=None)

    run(work)


def _count() -> int:
    tallies = Tally.objects.select_for_update(skip_locked=True).filter(pk=TALLY_ID)
    tally = tallies.first()
    if tally is None:
        return 0
    settled = _now() - timedelta(seconds=SETTLED_SECONDS)
    hours: dict[datetime, Counter[str]] = defaultdict(Counter)
    reached, counted = settled, 0
    for book in BOOKS:
        after = getattr(tally, book.column)
        newer = book.rows().filter(pk__gt=after).order_by("pk")
        batch = list(newer.values_list("pk", "created_at")[:BATCH])
        ready = _settled(batch, settled)
        if ready:
            last, moment = ready[-1]
            for at, adds in book.entries(book.rows().filter(pk__gt=after, pk__lte=last)):
                hours[at.replace(minute=0, second=0, microsecond=0)].update(adds)
            setattr(tally, book.column, last)
            if len(ready) == BATCH:
                reached = min(reached, moment)
        counted += len(ready)
    _add(hours)
    tally.until = reached
    tally.save()
    return counted


def _settled(batch: list[tuple[int, datetime]], settled: datetime) -> list[tuple[int, datetime]]:
    """The rows before the first that is too young."""
    for place, (_pk, moment) in enumerate(batch):
        if moment > settled:
            return batch[:place]
    return batch


def _add(hours: Mapping[datetime, Mapping[str, int]]) -> None:
    """Adds to each hour, with the tally locked: nobody else writes them."""
    known = set(Hour.objects.filter(starts_at__in=list(hours)).values_list("starts_at", flat=True))
    Hour.objects.bulk_create(
        Hour(starts_at=hour, **adds) for hour, adds in sorted(hours.items()) if hour not in known
    )
    for hour in sorted(known):
        changes = {column: F(column) + count for column, count in hours[hour].items()}
        Hour.objects.filter(starts_at=hour).update(**changes)


def _now() -> datetime:
    """The database's clock."""
    now: datetime = Tally.objects.filter(pk=TALLY_ID).values_list(Now(), flat=True).get()
    return now
