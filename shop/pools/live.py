"""A pool as those see it who watch it second by second: what is left and taken, what waits, how
fast it goes, and how far its orders, entries or grabs have come.

Watching must not hurt what is watched. One shot a second serves everybody (`shop.pools.shots`), and
it costs one row by its key, an index range of the queue that is bounded, and what the gate knows.
How far things have come is counted among the newest rows only, and ever more rarely the longer that
takes. Nothing here counts a whole table, and nothing decides anything.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Protocol

from django.conf import settings
from django.db.models import Count, Q, QuerySet

from shop.pools import gate
from shop.pools.figures import GateState
from shop.pools.kinds import queue_kinds
from shop.pools.models import Pool
from shop.pools.shots import Tallies, look

# Rows that a funnel looks at, the newest.
FUNNEL_ROWS = 10_000
# A funnel is good for this long (seconds), and for so many times as long as counting it took.
FUNNEL_SECONDS, FUNNEL_PATIENCE = 5.0, 200
# Shots further apart (seconds) tell no speed.
SPEED_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Standing:
    """What the one row says at `now`, by the database's clock. `state`: a code that the app has
    words for; `until`: when it ends or, not yet `begun`, begins; `over`: it gives nothing more."""

    state: str
    until: datetime | None
    begun: bool
    now: datetime
    over: bool
    pool: Pool
    queue_id: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many of the newest rows have come at least so far, step by step; `whole`: these are all
    there are."""

    steps: Mapping[str, int]
    whole: bool = True


class Watched(Protocol):
    """What an app tells of something of its own that can be watched."""

    @property
    def queue_kind(self) -> str:
        """The kind of the queue that it has."""

    @property
    def steps(self) -> Sequence[str]:
        """The steps of its funnel."""

    def standing(self, pk: int) -> Standing | None:
        """One statement, by the key."""

    def funnel(self, pk: int) -> Funnel:
        """Among the newest rows (`counted`)."""


def counted(rows: QuerySet[Any], steps: Mapping[str, Q]) -> Funnel:
    """How many of the newest `rows` each of the `steps` is true of, in one statement."""
    figures: Mapping[str, int] = rows.order_by("-pk")[:FUNNEL_ROWS].aggregate(
        seen=Count("pk"), **{name: Count("pk", filter=step) for name, step in steps.items()}
    )
    return Funnel({name: figures[name] for name in steps}, whole=figures["seen"] < FUNNEL_ROWS)


@dataclass(frozen=True, slots=True)
class Shot:
    """All figures at one moment. `at`, `until`, `funnel_until`: seconds since 1970; `per_second`:
    what happened since the shot before, None where nobody can tell. `waiting` is counted up to
    what the settings allow to wait; `tallies` are the gate's, None without one that answers."""

    at: float
    state: str
    until: float | None
    begun: bool
    over: bool
    available: int
    taken: int
    waiting: int
    oldest_seconds: float
    gate: str
    tallies: Tallies | None
    per_second: Mapping[str, float | None]
    funnel: Funnel
    funnel_until: float

    def as_text(self) -> str:
        """For whoever keeps it; `shot_of` reads it."""
        return json.dumps(asdict(self))

    def point(self) -> list[float | None]:
        """For curves, by POINT."""
        remaining = self.tallies.remaining if self.tallies else None
        speeds = (self.per_second[name] for name in SPEEDS)
        return [self.at, self.available, remaining, self.waiting, *speeds]


SPEEDS = ("admitted", "taken", "too_late", "refused")
POINT = ("at", "available", "remaining", "waiting", *SPEEDS)


def shot_of(text: str) -> Shot:
    """What `Shot.as_text` has written."""
    fields = json.loads(text)
    tallies = fields.pop("tallies")
    return Shot(
        **fields | {"funnel": Funnel(**fields["funnel"])},
        tallies=Tallies(**tallies) if tallies else None,
    )


@dataclass(frozen=True, slots=True)
class View:
    """What somebody who watches is shown: the newest shot (None: the first is being made), and the
    curve until then, oldest first, where it was asked for."""

    shot: Shot | None
    curve: Sequence[Sequence[float | None]] = field(default_factory=tuple)


def view(watched: Watched, pk: int, *, pool_id: int, curve: bool = False) -> View:
    """What is to be seen of `pk`, whose pool this is. Makes a shot where none is a second old.

    Raises DatabaseError; a Redis that does not answer is shown as such.
    """
    kept = look(pool_id)
    shot = earlier = shot_of(kept.text) if kept.text else None
    if kept.is_due and (standing := watched.standing(pk)) is not None:
        shot = _shot(watched, pk, standing, kept.tallies, earlier, answers=kept.answers)
        kept.keep(shot.as_text(), point=json.dumps(shot.point()))
    points = kept.curve() if curve else ()
    return View(shot, [json.loads(point) for point in points])


def _shot(
    watched: Watched,
    pk: int,
    standing: Standing,
    tallies: Tallies | None,
    earlier: Shot | None,
    *,
    answers: bool,
) -> Shot:
    queue = queue_kinds[watched.queue_kind]
    waiting = queue.depth(standing.queue_id, most=settings.PENDING_LIMIT)
    at = standing.now.timestamp()
    over = standing.over and not waiting
    ends_now = over and not (earlier and earlier.over)
    funnel, funnel_until = (earlier.funnel, earlier.funnel_until) if earlier else (None, 0.0)
    if funnel is None or ends_now or at >= funnel_until:
        funnel, funnel_until = _funnel(watched, pk, at=at)
    state = _gate_state(standing, tallies, answers=answers)
    tallies = tallies if state is GateState.WARM else None
    return Shot(
        at=at,
        state=standing.state,
        until=standing.until.timestamp() if standing.until else None,
        begun=standing.begun,
        over=over,
        available=standing.pool.available,
        taken=standing.pool.taken,
        waiting=waiting,
        oldest_seconds=queue.waits_for(standing.queue_id) if waiting else 0.0,
        gate=state,
        tallies=tallies,
        per_second=_per_second(earlier, at=at, taken=standing.pool.taken, tallies=tallies),
        funnel=funnel,
        funnel_until=funnel_until,
    )


def _funnel(watched: Watched, pk: int, *, at: float) -> tuple[Funnel, float]:
    began = time.monotonic()
    funnel = watched.funnel(pk)
    took = time.monotonic() - began
    return funnel, at + max(FUNNEL_SECONDS, FUNNEL_PATIENCE * took)


def _gate_state(standing: Standing, tallies: Tallies | None, *, answers: bool) -> GateState:
    if not standing.pool.gated:
        return GateState.OFF
    if not gate.configured():
        return GateState.NO_REDIS
    if not answers:
        return GateState.SILENT
    if not standing.pool.open:
        return GateState.CLOSED
    return GateState.WARM if tallies else GateState.COLD


def _per_second(
    earlier: Shot | None, *, at: float, taken: int, tallies: Tallies | None
) -> dict[str, float | None]:
    speeds: dict[str, float | None] = dict.fromkeys(SPEEDS)
    if earlier is None or not 0 < at - earlier.at <= SPEED_SECONDS:
        return speeds
    seconds = at - earlier.at
    # What was given back meanwhile is nothing that was taken.
    speeds["taken"] = max(taken - earlier.taken, 0) / seconds
    if tallies and earlier.tallies:
        for name in ("admitted", "too_late", "refused"):
            grown = getattr(tallies, name) - getattr(earlier.tallies, name)
            # Redis was wiped in between, and counts anew.
            speeds[name] = grown / seconds if grown >= 0 else None
    return speeds
