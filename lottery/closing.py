"""How a period ends: sold out or out of time it is closed, what it sold is frozen, and then it
waits for its draw, or its money goes back.

Each step is a transaction on the condition that it is not done yet, and each finds its work by
looking: whoever dies in between is followed by the next sweep.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext

from lottery.draws.classic import BUY_TIMES, last_buy_times
from lottery.draws.encoding import millisecond_text
from lottery.draws.merkle import root
from lottery.draws.transcript import draw_round
from lottery.models import Entry, Period, Scheme, Shares
from lottery.opening import NOBODY, may_open, period_renew
from lottery.proof import leaves, terms_of
from lottery.settlement import KIND
from shop.errors import Invalid, Refusal
from shop.failpoints import failpoint
from shop.operators_log import changed
from shop.pools import gate
from shop.pools import services as pools
from shop.pools.ending import end
from shop.pools.models import Pool
from shop.pools.services import Claim
from shop.pools.strategies import Take
from shop.transactions import run
from shop.wallet.models import House
from shop.wallet.services import Book

if TYPE_CHECKING:
    from shop.accounts.models import User

logger = logging.getLogger(__name__)

# Entries whose money goes back in one transaction, periods that are done with in one statement.
BATCH = 500


def is_due() -> Q:
    """Open, and sold out or out of time."""
    return Q(status=Period.State.OPEN) & (Q(pool__available__lte=0) | Q(ends_at__lte=Now()))


def is_owing() -> Q:
    """Cancelled, and somebody's money is still here."""
    owed = Entry.objects.filter(period=OuterRef("pk"), status=Entry.State.CONFIRMED)
    return Q(Exists(owed), status=Period.State.CANCELLED)


def period_close(period: Period) -> None:
    """Settles what waits in a period that is due and closes it: `closed`, or `cancelled` with its
    prize back in stock where too few shares were sold. Harmless to repeat; one that is not due
    stays as it is. Raises Busy, Unavailable."""
    is_over = end(period.queue_id, partial(_close, period.pk))
    if is_over and period.pool.gated:
        gate.fade(period.pool_id)


def _close(period_id: int) -> bool:
    """Whether the period is over now. Under the queue's row, so nobody settles an entry meanwhile.
    What surfaces later finds the pool closed."""
    period, sold = _locked(period_id)
    if not Period.objects.filter(is_due(), pk=period_id).exists():
        return period.status != Period.State.OPEN
    if sold >= period.minimum_shares:
        _end(period, Period.State.CLOSED, sold=sold)
    else:
        _end(period, Period.State.CANCELLED, sold=sold, closed_at=Now())
    return True


def _locked(period_id: int) -> tuple[Period, int]:
    """The period and how many shares it has sold; its pool and its prize's stay locked too."""
    period = Period.objects.select_for_update().get(pk=period_id)
    pool_ids = [period.pool_id]
    if period.sku is not None:
        pool_ids.append(period.sku.pool_id)
    by_id = {pool.pk: pool for pool in Pool.objects.locked(pool_ids)}
    return period, by_id[period.pool_id].taken


def _end(period: Period, status: Period.State, *, sold: int, **changes: object) -> None:
    """Sells nothing more; the prize of a cancelled period goes back into stock."""
    Pool.objects.filter(pk=period.pool_id).update(open=False)
    Period.objects.filter(pk=period.pk).update(status=status, shares_sold=sold, **changes)
    if status == Period.State.CANCELLED and period.sku is not None:
        prize = Claim(period.reference, NOBODY, [Take(period.sku.pool_id, 1)])
        pools.give_back([prize])


def period_cancel(
    period: Period, *, operator: "User", decide: Callable[[], object] = lambda: None
) -> None:
    """Cancels a period of which no share is sold: its prize is back in stock, and none follows it.

    What waits is settled first, so a share that somebody was promised keeps the period. Cancelling
    a cancelled one changes nothing. `decide` is part of the transaction. Raises Invalid, Busy,
    Unavailable, and what `decide` raises.
    """
    end(period.queue_id, partial(_cancel, period.pk, operator, decide))
    if period.pool.gated:
        gate.fade(period.pool_id)


def _cancel(period_id: int, operator: "User", decide: Callable[[], object]) -> None:
    """Under the queue's row, as `_close`."""
    decide()
    period, sold = _locked(period_id)
    if period.status == Period.State.CANCELLED:
        return
    if sold:  # as every period is that is closed or drawn
        raise Invalid.field("", gettext("Shares of it are sold: only its draw ends it now."))
    _end(period, Period.State.CANCELLED, sold=sold, closed_at=Now(), auto_renew=False)
    changed(operator, period, "Cancelled", status=Period.State.CANCELLED, auto_renew=False)


def period_freeze(period: Period) -> None:
    """Publishes what the draw of a closed period will be made of, once: the root of its entries,
    the moment of that, and the round of its beacon that follows from the moment (classic: the last
    buy times). So nobody can know the round's value before the root is public, however late this
    is done. Raises Busy, Unavailable."""
    frozen = root(leaf.encode() for leaf in leaves(period)).hex()
    failpoint("period.freeze")

    def write() -> None:
        unfrozen = Period.objects.select_for_update().filter(
            pk=period.pk, status=Period.State.CLOSED, root=""
        )
        for now in list(unfrozen.values_list(Now(), flat=True)):
            unfrozen.update(root=frozen, closed_at=now, **_decided_by(period, now))

    run(write)


def _decided_by(period: Period, closed_at: datetime) -> dict[str, object]:
    if period.scheme == Scheme.CLASSIC:
        moments = _buy_times(closed_at)
        return {"buy_times": [millisecond_text(moment) for moment in moments]}
    terms = terms_of(period)
    if terms.beacon is None:
        raise ValueError(f"period {period.pk} has no beacon in its terms")
    deciding = draw_round(
        beacon=terms.beacon, closed_at=closed_at, delay_seconds=terms.beacon_delay_seconds
    )
    return {"beacon_round": deciding}


def _buy_times(closed_at: datetime) -> list[datetime]:
    """When the last entries of the whole site up to the close were bought, ascending."""
    bought = Entry.objects.filter(
        status__in=[Entry.State.CONFIRMED, Entry.State.REFUNDED], created_at__lte=closed_at
    )
    newest = bought.order_by("-pk").values_list("created_at", flat=True)[:BUY_TIMES]
    return last_buy_times(newest)


def period_refund(period: Period) -> int:
    """Returns the money of up to BATCH entries of a cancelled period; how many there were. Of a
    period that is not cancelled, none. Raises Busy, Unavailable."""

    def write() -> int:
        cancelled = Period.objects.filter(pk=period.pk, status=Period.State.CANCELLED)
        if not list(cancelled.select_for_update().values_list("pk")):
            return 0
        # In no order, so that it is read by the index that has these two, and nothing else is read.
        owed = Entry.objects.filter(period=period, status=Entry.State.CONFIRMED).order_by()
        rows = list(owed.values_list("pk", "user_id", "entry_no", "shares__cost")[:BATCH])
        if not rows:
            return 0
        book = Book(period.currency, House.LOTTERY, KIND)
        book.lock({user_id for _, user_id, _, _ in rows})
        for _, user_id, entry_no, cost in rows:
            book.credit(user_id, cost, entry_no)
        reference = f"period-{period.pk}-back-{rows[0][0]}"
        book.write(reference)
        entries = [pk for pk, _, _, _ in rows]
        Shares.objects.filter(entry__in=entries).update(returned=reference)
        Entry.objects.filter(pk__in=entries).update(status=Entry.State.REFUNDED)
        return len(rows)

    return run(write)


def periods_sweep() -> int:
    """Moves on every period that time, or its last share, has moved; returns how many steps that
    took. Beat calls it; any number may run at once, and one that can't be moved now waits for the
    next call and holds up no other."""
    steps = 0
    for due, step in (
        (Period.objects.filter(is_due()), period_close),
        (Period.objects.filter(status=Period.State.CLOSED, root=""), period_freeze),
        (_unrenewed(), period_renew),
        (_owing(), period_refund),
    ):
        steps += _each(due, step)
    _finish()
    return steps


def _unrenewed() -> QuerySet[Period]:
    """Over, to be followed by another, not yet followed, and with a prize for that."""
    over = (Period.State.CLOSED, Period.State.DRAWN, Period.State.CANCELLED)
    has_prize = Q(sku=None) | Q(sku__pool__available__gt=0)
    unfinished = Period.objects.filter(finished=False, status__in=over)
    return unfinished.filter(has_prize, may_open(), auto_renew=True, next=None)


def _owing() -> QuerySet[Period]:
    return Period.objects.filter(is_owing(), finished=False)


def _finish() -> None:
    """Notes for which periods nothing is left to do, so that no later sweep looks at them."""
    over = (Period.State.DRAWN, Period.State.CANCELLED)
    is_followed = Q(auto_renew=False) | Q(next__isnull=False)
    unfinished = Period.objects.filter(is_followed, finished=False, status__in=over)
    # A drawn one owes nothing: its entries stay confirmed.
    if finished := list(unfinished.exclude(is_owing()).values_list("pk", flat=True)[:BATCH]):
        Period.objects.filter(pk__in=finished).update(finished=True)


def _each(due: QuerySet[Period], step: Callable[[Period], object]) -> int:
    done = 0
    for period in due.select_related("pool", "sku__pool", "next").order_by("pk"):
        try:
            step(period)
            done += 1
        except Refusal as refusal:
            logger.warning(
                "period %s: %s: %s, beat tries again", period.pk, step.__name__, refusal.code
            )
        except Exception:
            # Whatever it is, it must not hold up the others; the audit tells of it.
            logger.exception("period %s: %s failed", period.pk, step.__name__)
    return done
