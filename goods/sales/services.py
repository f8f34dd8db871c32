"""Scheduling and steering flash sales: units move between pools, terms change, gates hear of it.

Each step is a whole transaction, safe to repeat, with an entry in the operator's log. The gate is
told after the commit and best effort: what it did not hear is corrected (`shop.pools.gatekeeping`).
"""

import logging
import uuid
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib.admin.models import ADDITION, CHANGE
from django.db import IntegrityError
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext

from goods.models import Sku
from goods.sales.models import POOL_KIND, FlashSale, Protection
from goods.stock import MAX_UNITS
from shop.errors import Ended, InsufficientStock, Invalid, Refusal
from shop.operators_log import Changes, changes_to, log
from shop.pools import gate, gatekeeping
from shop.pools import services as pools
from shop.pools.ending import end
from shop.pools.models import Movement, Placement, Pool, Queue, Strategy
from shop.pools.refusals import Shortage
from shop.transactions import is_duplicate, run

if TYPE_CHECKING:
    from shop.accounts.models import User

logger = logging.getLogger(__name__)

# The kind of the queues that sales have: orders wait in them (`orders.pending`).
QUEUE_KIND = "orders"
# Ten billion yuan: no order's total outgrows its column.
MAX_PRICE_FEN = 10**12
OPTIONAL_NUMBERS = (
    "per_user_limit",
    "concurrency_limit",
    "rate_per_user",
    "rate_per_address",
    "rate_in_all",
)


@dataclass(frozen=True, slots=True)
class SalePlan:
    """What a sale is scheduled with. `total` units of the SKU are set apart; None is the settings'
    own choice, or no limit."""

    sku: Sku
    price_fen: int
    total: int
    starts_at: datetime
    ends_at: datetime
    per_user_limit: int | None = 1
    protection: Protection = Protection.NONE
    placement: Placement = Placement.QUEUED
    strategy: Strategy = Strategy.DEFAULT
    gated: bool = False
    concurrency_limit: int | None = None
    rate_per_user: int | None = None
    rate_per_address: int | None = None
    rate_in_all: int | None = None


def sale_schedule(
    plan: SalePlan, *, operator: "User | None" = None, reference: str = ""
) -> FlashSale:
    """Creates the sale and moves its units out of the SKU's stock, in one transaction.

    Once per SKU and `reference` (up to 64 characters; without one each call has its own): again, it
    returns the sale that the first call has scheduled. Raises Invalid for terms that make no sense,
    InsufficientStock, Busy, Unavailable.
    """
    _check(plan)
    # Also so that a repeat after a COMMIT whose answer was lost finds what it did.
    reference = reference or f"sale-{uuid.uuid4().hex}"

    def work() -> FlashSale:
        pool = Pool.objects.create(
            kind=POOL_KIND,
            strategy=plan.strategy,
            per_user_limit=plan.per_user_limit,
            gated=plan.gated,
        )
        sale = FlashSale.objects.create(
            sku=plan.sku,
            pool=pool,
            queue=Queue.objects.create(kind=QUEUE_KIND, name=f"{POOL_KIND}:{pool.pk}"),
            price_fen=plan.price_fen,
            total=plan.total,
            starts_at=plan.starts_at,
            ends_at=plan.ends_at,
            protection=plan.protection,
            placement=plan.placement,
            concurrency_limit=plan.concurrency_limit,
            rate_per_user=plan.rate_per_user,
            rate_per_address=plan.rate_per_address,
            rate_in_all=plan.rate_in_all,
        )
        _log(sale, operator, f"Scheduled {plan.total} of {plan.sku.code}", flag=ADDITION)
        _transfer(sale, plan.total, reference=reference, operator=operator)
        return sale

    try:
        sale = run(work)
    except IntegrityError as error:
        earlier = _scheduled(plan.sku, reference) if is_duplicate(error) else None
        if earlier is None:
            raise
        return earlier
    _open_gate(sale)
    return sale


def _scheduled(sku: Sku, reference: str) -> FlashSale | None:
    """The sale that was scheduled under this reference."""
    into = Q(pool__movements__kind=Movement.TRANSFER, pool__movements__reference=reference)
    return FlashSale.objects.select_related("sku", "pool").filter(into, sku=sku).first()


def _check(plan: SalePlan) -> None:
    for field in ("starts_at", "ends_at"):
        if not 2000 <= getattr(plan, field).year <= 9000:
            raise Invalid.field(field, gettext("A year from 2000 to 9000."))
    if plan.starts_at >= plan.ends_at:
        raise Invalid.field("ends_at", gettext("A sale must end after it starts."))
    if plan.total < 1:
        raise Invalid.field("total", gettext("At least 1."))
    if plan.price_fen < 0:
        raise Invalid.field("price_fen", gettext("At least 0."))
    for field, most in (("total", MAX_UNITS), ("price_fen", MAX_PRICE_FEN)):
        if getattr(plan, field) > most:
            raise Invalid.field(field, gettext("At most %(most)d.") % {"most": most})
    for field in OPTIONAL_NUMBERS:
        number = getattr(plan, field)
        if number is not None and not 1 <= number <= MAX_UNITS:
            raise Invalid.field(
                field, gettext("From 1 to %(most)d, or nothing.") % {"most": MAX_UNITS}
            )
    if plan.gated and not gate.configured():
        raise Invalid.field("gated", gettext("This shop has no Redis for gates."))


def _transfer(sale: FlashSale, count: int, *, reference: str, operator: "User | None") -> None:
    """Units from the SKU's stock into the sale."""
    try:
        pools.transfer(
            source_id=sale.sku.pool_id,
            target_id=sale.pool_id,
            count=count,
            reference=reference,
            operator=operator,
        )
    except Shortage as shortage:
        raise InsufficientStock(sku=sale.sku_id, available=shortage.available) from shortage


def sale_add_units(sale: FlashSale, *, count: int, operator: "User", reference: str) -> bool:
    """Moves `count` more units into a sale that has not ended, once per `reference`; returns
    whether this call did. Raises Invalid, InsufficientStock, Ended, Busy, Unavailable."""
    if count < 1:
        raise Invalid.field("count", gettext("At least 1."))
    if count > MAX_UNITS:
        raise Invalid.field("count", gettext("At most %(most)d.") % {"most": MAX_UNITS})

    def work() -> None:
        _lock_open(sale)
        total = FlashSale.objects.values_list("total", flat=True).get(pk=sale.pk)
        FlashSale.objects.filter(pk=sale.pk).update(total=total + count)
        said = f"Added {count} units ({reference})"
        _log(sale, operator, said, changes={"allotment": (total, total + count)})
        _transfer(sale, count, reference=reference, operator=operator)

    try:
        run(work)
    except IntegrityError as error:
        if not is_duplicate(error):
            raise
        return False
    if sale.pool.gated:
        gate.raise_by(sale.pool_id, units=count)
    return True


def _lock_open(sale: FlashSale) -> None:
    """Waits for whoever ends the sale. Raises Ended when it is over."""
    locked = FlashSale.objects.select_for_update().filter(pk=sale.pk, ends_at__gt=Now())
    if not (list(locked.values_list("pk")) and is_open(sale)):
        raise Ended(sku=sale.sku_id)


def sale_pause(sale: FlashSale, *, operator: "User") -> None:
    """Lets nobody buy until it is resumed; what was accepted is settled. Raises Ended, Busy."""
    _steer(sale, operator, "Paused", paused=True)


def sale_resume(sale: FlashSale, *, operator: "User") -> None:
    """Goes on with a paused sale. Raises Ended, Busy, Unavailable."""
    _steer(sale, operator, "Resumed", paused=False)


def sale_set_placement(sale: FlashSale, *, placement: Placement, operator: "User") -> None:
    """Switches when the counter is taken, also while the sale runs. Raises Ended, Busy."""
    _steer(sale, operator, f"Placement: {placement}", placement=placement)


def _steer(sale: FlashSale, operator: "User", said: str, **changes: Any) -> None:
    def work() -> None:
        _lock_open(sale)
        before = FlashSale.objects.get(pk=sale.pk)
        FlashSale.objects.filter(pk=sale.pk).update(**changes)
        _log(sale, operator, said, changes=changes_to(before, **changes))

    run(work)
    for name, value in changes.items():
        setattr(sale, name, value)
    _tell_gate(sale)


def sale_set_pool(sale: FlashSale, *, strategy: Strategy, gated: bool, operator: "User") -> None:
    """Switches how units are taken, and whether the gate stands before them; also while the sale
    runs. A gate that is switched off fades: it hears of nothing any more. Raises Invalid where this
    shop has no Redis for gates."""
    if gated and not gate.configured():
        raise Invalid.field("gated", gettext("This shop has no Redis for gates."))

    def work() -> None:
        [before] = Pool.objects.locked([sale.pool_id])
        Pool.objects.filter(pk=sale.pool_id).update(strategy=strategy, gated=gated)
        said = f"Strategy: {strategy or 'default'}, gate: {'on' if gated else 'off'}"
        _log(sale, operator, said, changes=changes_to(before, strategy=strategy, gated=gated))

    run(work)
    sale.pool.strategy, sale.pool.gated = strategy, gated
    if not gated and gate.configured():
        gate.fade(sale.pool_id)
    # If it is on by now: what has just been let fade may be what another has just opened.
    _open_gate(sale)


def sale_end(sale: FlashSale, *, operator: "User | None" = None) -> int:
    """Ends a sale: nothing new is accepted, what waits is settled, then the rest goes back to the
    SKU's stock. Harmless to repeat; returns how many units went back. Raises Busy, Unavailable.
    """
    run(lambda: _close_window(sale, operator))
    _tell_gate(sale)
    left = end(sale.queue_id, partial(_close_pool, sale))
    gatekeeping.quietly(gate.fade, sale.pool)
    return left


def _close_window(sale: FlashSale, operator: "User | None") -> None:
    # Of several who end it, one does; and its start passes for all of this or for nothing.
    list(FlashSale.objects.select_for_update().filter(pk=sale.pk).values_list("pk"))
    seen = FlashSale.objects.select_related("pool").annotate(db_now=Now()).get(pk=sale.pk)
    if seen.starts_at < seen.db_now < seen.ends_at:
        FlashSale.objects.filter(pk=sale.pk).update(ends_at=Now())
    elif seen.db_now <= seen.starts_at and seen.pool.open:
        # One that has not begun never will: closed before its window opens.
        Pool.objects.filter(pk=sale.pool_id).update(open=False)
    else:
        return
    _log(sale, operator, "Ended")


def _close_pool(sale: FlashSale) -> int:
    """Closes the pool and moves what is left; what surfaces later finds it closed, and fails as
    `ended`."""
    by_id = {pool.pk: pool for pool in Pool.objects.locked([sale.pool_id, sale.sku.pool_id])}
    Pool.objects.filter(pk=sale.pool_id).update(open=False)
    left: int = by_id[sale.pool_id].available
    if left:
        # Under these locks once for what is there; what comes back later goes back by itself.
        pools.transfer(
            source_id=sale.pool_id,
            target_id=sale.sku.pool_id,
            count=left,
            reference=f"sale:{sale.pk}:back:{uuid.uuid4().hex}",
        )
    return left


def is_open(sale: FlashSale) -> bool:
    """Whether its pool gives units, whatever the time."""
    return Pool.objects.filter(pk=sale.pool_id, open=True).exists()


def sales_sweep() -> int:
    """Ends sales whose time is up, and moves on what came back to a closed pool since; returns how
    many it dealt with. Beat calls it; any number may run at once. One that can't be ended now waits
    for the next call."""
    over = FlashSale.objects.filter(ends_at__lte=Now(), pool__open=True)
    returned = FlashSale.objects.filter(pool__open=False, pool__available__gt=0)
    sales = [*over.select_related("sku", "pool"), *returned.select_related("sku", "pool")]
    ended = 0
    for sale in sales:
        try:
            sale_end(sale)
            ended += 1
        except Refusal as refusal:
            logger.warning("sale %s: not ended: %s, beat rings again", sale.pk, refusal.code)
    return ended


def rebuild_gate(sale: FlashSale, *, operator: "User | None" = None) -> None:
    """Opens the sale's gate anew from the database. Raises Invalid for a sale without a gate, Ended
    for one that is closed, Unavailable."""
    gatekeeping.reopen_by_hand(sale.pool)
    run(lambda: _log(sale, operator, "Gate rebuilt"))


def _open_gate(sale: FlashSale) -> None:
    gatekeeping.quietly(gatekeeping.reopen, sale.pool)


def _tell_gate(sale: FlashSale) -> None:
    gatekeeping.quietly(gatekeeping.apply_terms, sale.pool)


def _log(
    sale: FlashSale,
    operator: "User | None",
    said: str,
    *,
    flag: int = CHANGE,
    changes: Changes | None = None,
) -> None:
    if operator is not None:
        log(operator, [sale], flag, said, changes=changes)
