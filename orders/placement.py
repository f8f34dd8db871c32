"""Storing an accepted order, now or soon: the one step that cart checkout and flash sales share.

Direct: the order and its units in one transaction. Queued: the order alone, as `pending`, in one
statement that touches no counter; the drain takes its units with those of many others.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta

from django.conf import settings

from orders.models import Order
from orders.settlement import settle
from orders.states import State
from shop import transactions
from shop.api.idempotency import insert
from shop.pools.services import Terms, admitted
from shop.pools.waiting import Queued, wait_in

ACCEPTED = 202
CREATED = 201


def place_queued(order: Order, *, queued: Queued) -> Order:
    """Stores the order as pending. Raises Busy, Unavailable, RequestInProgress, IntegrityError."""
    order.status = State.PENDING
    order.first_status = ACCEPTED
    wait_in(order, queued)
    return order


def place_direct(
    order: Order,
    *,
    terms: Mapping[int, Terms],
    concurrency: int | None = None,
    alongside: Callable[[], None] = lambda: None,
) -> Order:
    """Stores the order, settled. `terms`: of its pools, by id; `concurrency`: requests of this
    process at work on each of them, None for the setting's number. `alongside` is done in the same
    transaction, after the order's own row and before the counters.

    Raises LimitReached, Shortage, Closed, Busy, Unavailable, RequestInProgress, IntegrityError.
    """
    is_free = order.total_fen == 0
    pay_until = order.created_at + timedelta(seconds=settings.ORDER_PAY_SECONDS)
    order.first_status = CREATED
    order.status = State.PAID if is_free else State.UNPAID
    order.paid_at = order.created_at if is_free else None
    order.expires_at = None if is_free else pay_until

    def write() -> Order:
        insert(order)
        alongside()
        settle(order, terms=terms)
        return order

    with admitted(terms, limit=concurrency):
        return transactions.run(write)
