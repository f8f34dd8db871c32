"""What operators read of a pool: its gate against the database, how much waits in its queue, and
what failed, in their words. Reads only, a bounded number of rows of each, and a Redis that does not
answer is an answer too."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import Count, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from redis import RedisError

from shop.errors import Ended, PermissionDenied, PurchaseLimit, SoldOut, Unavailable
from shop.pools import gate, gatekeeping
from shop.pools.models import Pool, Waits
from shop.pools.waiting import FAILED, INTERNAL

# Rows of one sale, or period, that figures of failures look at.
NEWEST = 5_000
# Gates of the newest pools that a look at all of them asks about.
MOST_GATES = 50
# The words for operators; clients are told the codes.
FAILURE_LABELS: Mapping[str, "str | Promise"] = {
    SoldOut.code: _("sold out"),
    PurchaseLimit.code: _("limit per shopper reached"),
    Ended.code: _("sale was over"),
    PermissionDenied.code: _("shopper is disabled"),
    INTERNAL: _("error of ours"),
}


@dataclass(frozen=True, slots=True)
class Failures:
    """Rows that failed, by why, among the newest `looked_at`; `all_seen`: there are no others."""

    by_cause: Sequence[tuple["str | Promise", int]]
    looked_at: int
    all_seen: bool

    def causes(self) -> str:
        """In one line; "" where none failed."""
        return ", ".join(f"{cause}: {count}" for cause, count in self.by_cause)


def failures_among(
    rows: QuerySet[Any], *, labels: Mapping[str, "str | Promise"] = FAILURE_LABELS
) -> Failures:
    """How the newest of `rows` failed that were not settled, and never will be; `labels`: code ->
    words."""
    seen = list(rows.order_by("-pk").values_list("status", "failure")[: NEWEST + 1])
    looked_at = seen[:NEWEST]
    causes = Counter(failure for status, failure in looked_at if status == FAILED)
    return Failures(
        [(labels.get(code, code), count) for code, count in causes.most_common()],
        looked_at=len(looked_at),
        all_seen=len(seen) == len(looked_at),
    )


def waiting_in(model: type[Waits], queue_ids: Collection[int]) -> Mapping[int, int]:
    """Queue -> rows that wait in it, for those of these queues that have any."""
    waiting = model._default_manager.filter(queue_id__in=queue_ids).order_by()
    counted = waiting.values_list("queue_id").annotate(rows=Count("pk"))
    return {queue_id: rows for queue_id, rows in counted if queue_id is not None}


def waits_words(row: Any) -> str:
    """In which queue the row waits, and how often it failed there."""
    if row.queue is None:
        return "-"
    text = gettext("waits in %(queue)s, %(count)d attempts failed")
    return text % {"queue": row.queue, "count": row.attempts}


def failure_words(row: Any, *, labels: Mapping[str, "str | Promise"] = FAILURE_LABELS) -> str:
    """Why the row failed, and what became of it since."""
    if not row.failure:
        return "-"
    said = f"{labels.get(row.failure, '')} ({row.failure})".strip()
    if row.failure != INTERNAL:
        return said
    if not row.attempts:
        return said + gettext("; dropped by an operator")
    text = gettext("; given up after %(count)d attempts, why is in the worker's log")
    return said + text % {"count": row.attempts}


class GateState(StrEnum):
    """A gate to those who look after it."""

    OFF = "off"
    NO_REDIS = "no_redis"  # the pool wants one, the shop has none
    CLOSED = "closed"
    SILENT = "silent"  # Redis does not answer
    COLD = "cold"
    WARM = "warm"  # it counts; whether rightly, nobody has looked
    EQUAL = "equal"
    DRIFTING = "drifting"


GATE_WORDS: Mapping[GateState, "str | Promise"] = {
    GateState.OFF: _("off"),
    GateState.NO_REDIS: _("on, but this shop has no Redis for gates: nobody gets through"),
    GateState.CLOSED: _("closed: nothing is given any more"),
    GateState.SILENT: _("Redis does not answer: buyers are told to come back in a moment"),
    GateState.COLD: _("cold: it opens by itself within seconds, or now when it is rebuilt"),
}


@dataclass(frozen=True, slots=True)
class GateView:
    """A gate and its books a moment apart: units that remain, as the gate and as the database has
    them, how many shoppers it counts wrongly, and for how long (seconds) it has been wrong."""

    state: GateState
    remaining: int = 0
    in_books: int = 0
    wrong_users: int = 0
    seconds: int = 0


def gate_view(pool: Pool) -> GateView:
    """The pool's gate as it is now; asks Redis only where there is something to ask."""
    if not pool.gated:
        return GateView(GateState.OFF)
    if not gate.configured():
        return GateView(GateState.NO_REDIS)
    if not pool.open:
        return GateView(GateState.CLOSED)
    try:
        figures = gatekeeping.figures(pool.pk)
        look = gatekeeping.look(pool.pk)
    except (RedisError, Unavailable):
        return GateView(GateState.SILENT)
    if not figures or look is None:
        return GateView(GateState.COLD)
    return GateView(
        GateState.DRIFTING if look.drifts else GateState.EQUAL,
        remaining=figures["remaining"],
        in_books=figures["remaining"] + look.remaining,
        wrong_users=len(look.users),
        seconds=round(look.at - look.since),
    )


@dataclass(frozen=True, slots=True)
class GatesView:
    """The gates of the newest open pools, as their corrector saw them last: `cold` ones it has not
    seen; `units` that the drifting ones are off in all."""

    looked_at: int
    cold: int
    drifting: int
    units: int


def gates_now() -> GatesView | None:
    """How the gates do; None: this shop has no Redis for gates. Raises RedisError, Unavailable."""
    if not gate.configured():
        return None
    newest = Pool.objects.filter(gated=True, open=True).order_by("-pk")
    looks = [
        gatekeeping.last_look(pool_id)
        for pool_id in newest.values_list("pk", flat=True)[:MOST_GATES]
    ]
    off = [look for look in looks if look is not None and look.drifts]
    units = sum(abs(look.remaining) for look in off)
    return GatesView(len(looks), looks.count(None), len(off), units)


def gate_words(pool: Pool) -> str:
    """The pool's gate as it is now, in a line."""
    view = gate_view(pool)
    if view.state in GATE_WORDS:
        return str(GATE_WORDS[view.state])
    if view.state is GateState.EQUAL:
        text = gettext("%(count)d remain, as the database says")
        return text % {"count": view.remaining}
    text = gettext("%(gate)d remain, by the database %(books)d")
    said = text % {"gate": view.remaining, "books": view.in_books}
    if view.wrong_users:
        users = ngettext(
            "%(count)d shopper is counted wrongly",
            "%(count)d shoppers are counted wrongly",
            view.wrong_users,
        )
        said += "; " + users % {"count": view.wrong_users}
    since = gettext("for %(seconds)d s; what stays is corrected by itself")
    return f"{said} ({since % {'seconds': view.seconds}})"
