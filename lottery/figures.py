"""What a period waits for, for whoever looks after it: where it stands on the way from its last
share to its draw, since when, and why it gets no further. Reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db.models import Max, Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lottery.closing import is_due, is_owing
from lottery.models import Period, PublicNumber, Scheme
from lottery.selectors import draw_due_at, over_since, periods_now
from shop.errors import Ended, InsufficientBalance
from shop.pools.figures import FAILURE_LABELS

# The words for operators of why entries failed; clients are told the codes.
ENTRY_FAILURES: Mapping[str, "str | Promise"] = {
    **FAILURE_LABELS,
    Ended.code: _("period was over"),
    InsufficientBalance.code: _("not enough in the wallet"),
}


class Wait(StrEnum):
    """What has to happen next."""

    END = "end"  # it is open: its last share, or its end
    CLOSE = "close"  # it is over, and beat has not closed it
    ROOT = "root"  # it is closed, and its root is not public
    NUMBER = "number"  # classic: two operators have not typed in the same
    ROUND = "round"  # its round is to come
    DRAW = "draw"  # all that decides it is known
    MONEY = "money"  # it is cancelled, and somebody's money is not back
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a period waits for. `since`: since when (`round`: until when; None where time does not
    tell), `seconds` ago by the database's clock; `problem`: what the last attempt to draw met."""

    wait: Wait
    since: datetime | None = None
    seconds: int = 0
    problem: str = ""


def standings(period: Period | None = None) -> Sequence[tuple[Any, Standing]]:
    """All periods that are over and wait for something, or this one, with what for; oldest
    first."""
    waiting = Q(is_due() | Q(status=Period.State.CLOSED) | is_owing(), finished=False)
    periods = periods_now().filter(Q(pk=period.pk) if period else waiting)
    periods = periods.annotate(over_since=over_since(), is_owing=is_owing())
    return [(row, standing_of(row)) for row in periods.order_by("pk")]


def standing_of(period: Any) -> Standing:
    """Of a period that `standings` has read."""
    match period.status:
        case Period.State.DRAWN | Period.State.CANCELLED:
            return _since(period, Wait.MONEY if period.is_owing else Wait.NOTHING, period.closed_at)
        case Period.State.OPEN:
            is_over = period.pool.available <= 0 or period.status_now != Period.State.OPEN
            return _since(period, Wait.CLOSE if is_over else Wait.END, period.over_since)
    if not period.root:
        return _since(period, Wait.ROOT, period.over_since)
    if period.scheme == Scheme.CLASSIC:
        return _of_classic(period)
    due_at = draw_due_at(period)
    is_out = due_at is not None and due_at <= period.db_now
    return _since(period, Wait.DRAW if is_out else Wait.ROUND, due_at)


def _of_classic(period: Any) -> Standing:
    if period.public_number is None:
        return _since(period, Wait.NUMBER, period.closed_at)
    typed = PublicNumber.objects.filter(period=period).aggregate(last=Max("created_at"))
    return _since(period, Wait.DRAW, typed["last"])


def _since(period: Any, wait: Wait, since: datetime | None) -> Standing:
    seconds = 0 if since is None else int((period.db_now - since).total_seconds())
    return Standing(wait, since, max(seconds, 0), period.draw_problem)


def standing_words(period: Any, standing: Standing) -> str:
    """The standing in the words of operators."""
    match standing.wait:
        case Wait.END:
            return _end_words(standing)
        case Wait.CLOSE | Wait.ROOT:
            text = gettext("over for %(seconds)d s; beat and a worker of sweepers close it")
            return text % {"seconds": standing.seconds}
        case Wait.NUMBER:
            return _number_words(period)
        case Wait.ROUND:
            text = gettext("waits for round %(round)d, due at %(due_at)s")
            return text % {"round": period.beacon_round, "due_at": moment_words(standing.since)}
        case Wait.DRAW:
            return _draw_words(period, standing)
        case Wait.MONEY:
            return gettext("cancelled; its money goes back, some is not there yet")
        case _:
            return "-"


def _end_words(standing: Standing) -> str:
    if standing.since is None:
        return gettext("open until it is sold out")
    text = gettext("open until %(ends_at)s, or sold out")
    return text % {"ends_at": moment_words(standing.since)}


def _number_words(period: Any) -> str:
    """Who has typed in a number, and not which: the next one must read it for themselves."""
    typed = PublicNumber.objects.filter(period=period).order_by("pk")
    names = list(typed.values_list("operator__username", flat=True))
    if not names:
        return gettext("waits for the public number, from two operators")
    if len(names) == 1:
        text = gettext("waits for the public number from another operator than %(names)s")
    else:
        text = gettext("waits for the public number: %(names)s have typed in different ones")
    return text % {"names": ", ".join(names)}


def _draw_words(period: Any, standing: Standing) -> str:
    if not standing.problem:
        text = gettext("all is known for %(seconds)d s; beat and a worker of sweepers draw it")
        return text % {"seconds": standing.seconds}
    text = gettext("can't be drawn for %(seconds)d s: %(problem)s (tried at %(tried_at)s)")
    return text % {
        "seconds": standing.seconds,
        "problem": standing.problem,
        "tried_at": moment_words(period.draw_tried_at),
    }


def moment_words(moment: datetime | None) -> str:
    """A moment in the shop's time zone, to the second."""
    return "-" if moment is None else f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}"
