"""Periods on the console's landing page: what is open, and what waits for its draw."""

from collections.abc import Sequence

from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lottery.models import Entry, Period, Scheme
from shop.backoffice.search import ID, NUMBER, finder
from shop.backoffice.today import MOST, Figure, Level, Part, count_words, few, level_of, panel


@panel("lottery.period", _("periods"))
def periods() -> Sequence[Part]:
    """By the index over what is not finished: periods are never deleted."""
    unfinished = Period.objects.filter(finished=False)
    opened = few(unfinished.filter(status=Period.State.OPEN))
    closed = list(
        unfinished.filter(status=Period.State.CLOSED).values_list(
            "scheme", "public_number", "draw_problem"
        )[:MOST]
    )
    stuck = sum(1 for _scheme, _number, problem in closed if problem)
    numbers = sum(
        1 for scheme, number, _problem in closed if scheme == Scheme.CLASSIC and number is None
    )
    said = []
    if stuck:
        said.append(gettext("%(count)d can't be drawn") % {"count": stuck})
    if numbers:
        said.append(gettext("%(count)d wait for a public number") % {"count": numbers})
    return [
        Figure(_("open periods"), count_words(opened), query={"status": "open"}),
        Figure(
            _("waiting for the draw"),
            count_words(len(closed)),
            Level.ACT if stuck else level_of(numbers, Level.LOOK),
            more=", ".join(said),
            query={"status": "closed"},
        ),
    ]


@finder("lottery.period", ID)
def by_id(term: str) -> QuerySet[Period]:
    """A period by its id."""
    return Period.objects.filter(pk=term)


@finder("lottery.entry", NUMBER)
def by_number(term: str) -> QuerySet[Entry]:
    """An entry by its number."""
    return Entry.objects.filter(entry_no=term)
