"""Entries that the drain gave up, because settling them ended in an error of ours: an operator
tries them again once the cause is mended, or drops them."""

from typing import TYPE_CHECKING

from django.db.models.functions import Now
from django.utils.translation import gettext

from lottery.models import Entry
from shop.errors import Invalid
from shop.operators_log import changed
from shop.pools import gate
from shop.pools.tasks import drain_bell
from shop.pools.waiting import INTERNAL, drop_given_up
from shop.transactions import run

if TYPE_CHECKING:
    from shop.accounts.models import User


def entry_retry(entry: Entry, *, operator: "User") -> None:
    """Puts a given-up entry back into its queue, to be tried as often as a new one. Its shares are
    paid for when it is settled; where its period is over by then, it fails of that.

    Raises Invalid, Busy, Unavailable.
    """

    def write() -> int:
        given_up = _locked(entry)
        queue_id: int = given_up.period.queue_id
        Entry.objects.filter(pk=entry.pk).update(
            status=Entry.State.PENDING,
            queue_id=queue_id,
            failure="",
            attempts=0,
            retried_at=Now(),
        )
        changed(
            operator, given_up, "tried again", status=Entry.State.PENDING, failure="", attempts=0
        )
        # Its shares can't be had by others while it waits.
        gate.hold_after_commit({(given_up.period.pool_id, given_up.user_id): given_up.wanted})
        return queue_id

    drain_bell.ring(run(write))


def entry_drop(entry: Entry, *, operator: "User") -> None:
    """Leaves a given-up entry as it is, and those to look after without it; dropping a dropped one
    changes nothing. Raises Invalid, Busy, Unavailable."""
    run(lambda: drop_given_up(_locked(entry), operator=operator))


def _locked(entry: Entry) -> Entry:
    """The entry, locked. Raises Invalid unless it was given up."""
    locked = Entry.objects.select_for_update().get(pk=entry.pk)
    if (locked.status, locked.failure) != (Entry.State.FAILED, INTERNAL):
        raise Invalid.field("", gettext("This did not fail of an error of ours."))
    return locked
