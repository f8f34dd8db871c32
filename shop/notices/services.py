"""Writing notices, and what operators and time do to them. Sending is `shop.notices.delivery`'s.

A notice is written in the transaction of what it tells, so it is told if and only if that
happened, and by one INSERT however many it is told to. It is never in its way: one that is there
already is left as it is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models.functions import Now

from shop.notices.channels import channels_on
from shop.notices.events import Event
from shop.notices.models import Notice
from shop.operators_log import changed
from shop.transactions import run, run_statement

if TYPE_CHECKING:
    from shop.accounts.models import User

# What is over; the others are somebody's work yet.
OVER = (Notice.State.DELIVERED, Notice.State.UNWANTED)
# Rows that one statement removes.
PRUNED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class News:
    """What an event tells one user: `subject` is the number of what it is about, once for each
    event; `facts` are the event's."""

    user_id: int
    subject: str
    facts: Mapping[str, str | int]


def tell(event: Event, news: Iterable[News]) -> None:
    """Writes notices of `event`, one for each channel that is on and carries it, in the caller's
    transaction: one INSERT, or nothing at all."""
    channels = [name for name, channel in channels_on().items() if channel.carries(event.name)]
    notices = [
        Notice(
            channel=channel,
            event=event.name,
            subject=told.subject,
            user_id=told.user_id,
            facts=dict(told.facts),
            created_at=Now(),
            due_at=Now(),
        )
        for told in (news if channels else ())
        for channel in channels
    ]
    if notices:
        Notice.objects.bulk_create(notices, ignore_conflicts=True)


def notice_replay(notice: Notice, *, operator: "User") -> bool:
    """Has a notice that was given up sent again, as often as a new one; False, and nothing changed,
    for one that was not."""
    changes = {"state": Notice.State.WAITING, "attempts": 0, "due_at": Now()}
    return run(partial(_moved, notice, operator, "replayed", changes))


def notice_drop(notice: Notice, *, operator: "User") -> bool:
    """Lays a notice that was given up aside: it is not sent, and time removes it. False, and
    nothing changed, for one that was not."""
    return run(partial(_moved, notice, operator, "dropped", {"state": Notice.State.UNWANTED}))


def _moved(notice: Notice, operator: "User", what: str, changes: Mapping[str, object]) -> bool:
    if not Notice.objects.filter(pk=notice.pk, state=Notice.State.DEAD).update(**changes):
        return False
    changed(operator, notice, what, **changes)
    return True


def notices_prune() -> int:
    """Removes what has been over for NOTICE_DAYS, as counted from when it was written; returns how
    many. What was given up stays until an operator has looked at it."""
    return sum(_prune(state) for state in OVER)


def _prune(state: str) -> int:
    removed = 0
    while True:
        # The oldest, by index; among them no search for a date, which would read them all.
        oldest = Notice.objects.filter(state=state).order_by("pk")
        rows = list(oldest.values_list("pk", "created_at", Now())[:PRUNED_AT_ONCE])
        kept_for = timedelta(days=settings.NOTICE_DAYS)
        old = [pk for pk, created_at, now in rows if created_at < now - kept_for]
        if old:
            removed += run_statement(partial(_delete, old))
        if len(old) < PRUNED_AT_ONCE:
            return removed


def _delete(pks: list[int]) -> int:
    return Notice.objects.filter(pk__in=pks).delete()[0]
