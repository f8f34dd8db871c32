"""Sends what stands in the outbox: at least once, as a rule once, and not for ever.

Whoever sends claims a batch first, by moving `due_at` on in a transaction of its own that skips
what others have locked; any number may do that at once. No transaction is open while a channel is
asked. A worker that dies between a channel's taking a notice and the row's being marked has it
sent again when its claim ends: twice, under the same key. A claim is an attempt, so what kills its
worker each time is given up as well.
"""

import logging
import time
from collections import Counter as Tally
from datetime import timedelta
from functools import partial
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.functions import Now
from prometheus_client import Counter

from shop.failpoints import failpoint
from shop.notices.channels import channels_on
from shop.notices.models import Notice
from shop.notices.undelivered import Fate, Undelivered
from shop.transactions import run, run_statement

logger = logging.getLogger(__name__)

BATCH = 50
# How long a claim holds (seconds): longer than a channel may take for one notice.
CLAIM_SECONDS = 120
# A call of this sends for so long (seconds), so that it holds up nothing else.
SENDING_SECONDS = 2.0
# Waited before another attempt (seconds), doubled each time, at most an hour: half a day in all.
AGAIN_SECONDS, AGAIN_MOST_SECONDS = 10, 3600
ATTEMPTS = 20
# When a channel that asks nobody for a while is tried again (seconds).
REST_SECONDS = 10
# What became of a notice whose worker died at its last attempt.
INTERRUPTED = "interrupted"

SENT = Counter(
    "shop_notices_sent",
    "Attempts to deliver a notice, by what came of them.",
    ["channel", "outcome"],
)


def notices_deliver() -> int:
    """Sends what is due for a moment (SENDING_SECONDS); returns how many attempts it made."""
    until = time.monotonic() + SENDING_SECONDS
    attempts = 0
    while claimed := run(_claim):
        sent = _send_all(claimed, until=until)
        attempts += sent
        if sent < len(claimed):
            break
    return attempts


def _claim() -> list[Notice]:
    rows: Any = Notice.objects.filter(state=Notice.State.WAITING, due_at__lte=Now())
    rows = rows.annotate(db_now=Now()).select_for_update(skip_locked=True)
    due: list[Notice] = list(rows.order_by("due_at", "pk")[:BATCH])
    spent = [notice for notice in due if notice.attempts >= ATTEMPTS]
    claimed = [notice for notice in due if notice.attempts < ATTEMPTS]
    if spent:
        Notice.objects.filter(pk__in=[notice.pk for notice in spent]).update(
            state=Notice.State.DEAD, failure=INTERRUPTED
        )
        logger.error("notices: %d given up: %s", len(spent), INTERRUPTED)
    if claimed:
        claimed_until = claimed[0].db_now + timedelta(seconds=CLAIM_SECONDS)
        Notice.objects.filter(pk__in=[notice.pk for notice in claimed]).update(
            attempts=F("attempts") + 1, due_at=claimed_until
        )
        for notice in claimed:
            notice.attempts += 1
            notice.due_at = claimed_until
    return claimed


def _send_all(claimed: list[Notice], *, until: float) -> int:
    """Sends those for which there is time and whose channel is not resting, and gives the others
    back; returns how many attempts it made."""
    resting: set[str] = set()
    left: list[Notice] = []
    given_up: Tally[str] = Tally()
    for notice in claimed:
        if notice.channel in resting or time.monotonic() >= until:
            left.append(notice)
            continue
        try:
            _send(notice)
            failpoint("notice.sent")
            _delivered(notice)
        except Undelivered as failure:
            if failure.fate is Fate.RESTING:
                resting.add(notice.channel)
                left.append(notice)
            elif _not_delivered(notice, failure):
                given_up[failure.why] += 1
    for channel in {notice.channel for notice in left}:
        _give_back(
            [notice for notice in left if notice.channel == channel],
            wait=REST_SECONDS if channel in resting else 0,
        )
    for why, count in given_up.items():
        logger.error("notices: %d given up: %s", count, why)
    return len(claimed) - len(left)


def _send(notice: Notice) -> None:
    """Raises Undelivered."""
    channel = channels_on().get(notice.channel)
    if channel is None:
        raise Undelivered(Fate.UNWANTED, "channel is off")
    try:
        channel.send(notice)
    except Undelivered:
        raise
    except Exception as error:  # noqa: BLE001
        # A bug, of which no other notice is to suffer. Its text may say who it was for.
        logger.error("notice %d: unforeseen %s", notice.pk, type(error).__name__)
        raise Undelivered(Fate.LATER, type(error).__name__) from None


def _delivered(notice: Notice) -> None:
    """True whatever others have made of it meanwhile, who took this claim for abandoned."""
    known = Notice.objects.filter(pk=notice.pk).exclude(state=Notice.State.DELIVERED)
    run_statement(
        partial(known.update, state=Notice.State.DELIVERED, failure="", delivered_at=Now())
    )
    SENT.labels(notice.channel, "delivered").inc()


def _not_delivered(notice: Notice, failure: Undelivered) -> bool:
    """Returns whether the notice is given up."""
    changes: dict[str, object] = {"failure": failure.why[:60]}
    is_last = notice.attempts >= ATTEMPTS
    if failure.fate is Fate.UNWANTED:
        changes["state"], outcome = Notice.State.UNWANTED, "unwanted"
    elif failure.fate is Fate.HOPELESS or is_last:
        changes["state"], outcome = Notice.State.DEAD, "dead"
    else:
        changes["due_at"], outcome = notice.db_now + _wait(notice.attempts), "later"
    run_statement(partial(_ours(notice).update, **changes))
    SENT.labels(notice.channel, outcome).inc()
    return outcome == "dead"


def _wait(attempts: int) -> timedelta:
    return timedelta(seconds=min(AGAIN_SECONDS * 2 ** (attempts - 1), AGAIN_MOST_SECONDS))


def _give_back(notices: list[Notice], *, wait: int) -> None:
    """As if they had not been claimed."""
    changes = {"attempts": F("attempts") - 1, "due_at": notices[0].db_now + timedelta(seconds=wait)}
    pks = [notice.pk for notice in notices]
    claim = {"state": Notice.State.WAITING, "due_at": notices[0].due_at}
    run_statement(partial(Notice.objects.filter(pk__in=pks, **claim).update, **changes))


def _ours(notice: Notice) -> QuerySet[Notice]:
    """The notice, as long as nobody has taken this claim for abandoned."""
    return Notice.objects.filter(pk=notice.pk, state=Notice.State.WAITING, due_at=notice.due_at)
