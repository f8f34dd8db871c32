"""Does by hand what the worker does for periods: closes, renews, pays back and draws."""

from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import Max

from lottery.closing import periods_sweep
from lottery.drawing import periods_draw
from lottery.figures import standing_words, standings
from lottery.models import Period

# Each sweep moves every period on by a step, and pays some hundreds back; there is an end to it.
MOST_SWEEPS = 1_000
UNFINISHED = (Period.State.OPEN, Period.State.CLOSED)


class Command(BaseCommand):
    help = (
        "Close, renew, pay back and draw the periods that are due, as the worker does; say what was"
        " done, and which periods wait for what. Harmless at any time."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        unfinished = Period.objects.filter(status__in=UNFINISHED).order_by("pk")
        before = dict(unfinished.values_list("pk", "status"))
        newest = Period.objects.aggregate(newest=Max("pk"))["newest"] or 0
        for _ in range(MOST_SWEEPS):
            if not periods_sweep():
                break
        drawn = periods_draw()
        self._tell_done(before, newest=newest)
        waiting = standings()
        for period, standing in waiting:
            self.stdout.write(f"Period {period.pk}: {standing_words(period, standing)}.")
        self.stdout.write(f"Drawn: {drawn}. Still waiting: {len(waiting)}.")

    def _tell_done(self, before: Mapping[int, str], *, newest: int) -> None:
        for period in Period.objects.filter(pk__in=before).select_related("winner").order_by("pk"):
            if period.status == Period.State.DRAWN:
                text = f"is drawn: number {period.number}, of entry {period.winner}"
            else:
                text = f"is {period.status}"
            if period.status != before[period.pk]:
                self.stdout.write(f"Period {period.pk} {text}.")
        for period in Period.objects.filter(pk__gt=newest).order_by("pk"):
            self.stdout.write(
                f"Period {period.pk} is open; it follows period {period.previous_id}."
            )
