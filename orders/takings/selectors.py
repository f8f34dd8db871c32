"""Reading what came in: a row for each hour, so fourteen days are a few hundred rows, at any size
of the shop."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models.functions import Now
from django.utils import timezone

from orders.takings.models import Hour, Tally

HOURS = 24
DAYS = 14


@dataclass(slots=True)
class Sum:
    """What came in from `starts_at` on, for an hour or a day."""

    starts_at: datetime
    placed: int = 0
    paid: int = 0
    paid_fen: int = 0
    refunded_fen: int = 0

    def add(self, hour: Hour) -> None:
        """Takes what came in during that hour."""
        self.placed += hour.placed
        self.paid += hour.paid
        self.paid_fen += hour.paid_fen
        self.refunded_fen += hour.refunded_fen


@dataclass(frozen=True, slots=True)
class Takings:
    """The last HOURS hours and DAYS days, oldest first; each ends with the one that runs now, so
    far as it is counted: `until` (None: nothing is), `behind` seconds ago."""

    hours: Sequence[Sum]
    days: Sequence[Sum]
    until: datetime | None
    behind: int

    @property
    def today(self) -> Sum:
        return self.days[-1]

    @property
    def yesterday(self) -> Sum:
        return self.days[-2]


def takings_now() -> Takings:
    """What came in lately, in the shop's time zone. Two statements."""
    until, now = Tally.objects.values_list("until", Now()).first() or (None, timezone.now())
    here = timezone.localtime(now)
    this_hour = here.replace(minute=0, second=0, microsecond=0)
    hours = {start: Sum(start) for start in (this_hour - timedelta(hours=n) for n in range(HOURS))}
    days = {
        day: Sum(_start_of(day)) for day in (here.date() - timedelta(days=n) for n in range(DAYS))
    }
    since = min(*(day.starts_at for day in days.values()), *hours)
    for hour in Hour.objects.filter(starts_at__gte=since).order_by("starts_at"):
        if hour.starts_at in hours:
            hours[hour.starts_at].add(hour)
        day = timezone.localtime(hour.starts_at).date()
        if day in days:
            days[day].add(hour)
    behind = 0 if until is None else max(0, int((now - until).total_seconds()))
    return Takings(list(hours.values())[::-1], list(days.values())[::-1], until, behind)


def _start_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
