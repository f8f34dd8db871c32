"""The drain alone: orders that are pending already, settled in this process while no worker runs,
beside orders of the same kind placed in this process, one transaction each."""

import time
from collections.abc import Sequence

from django.conf import settings
from django.utils import timezone

from bench.draining import Draining, Pace
from bench.inside import sales, shop
from bench.measuring.bench import Bench, progress
from bench.measuring.cells import SHOPPERS
from bench.sales import DIRECT, QUEUED, Outcome, Way
from goods.sales.models import FlashSale
from orders.models import Order
from orders.placement import place_direct
from orders.sale_orders import SaleRequest, sale_order_place
from shop.accounts.models import User
from shop.api.idempotency import RequestKey
from shop.numbers import new_number
from shop.pools.drain import drain
from shop.pools.services import Terms

ORDERS, DIRECT_ORDERS = 10_000, 2_000
STORED_AT_ONCE = 500
LIMIT = 10
WAY = Way(QUEUED, "optimistic", False)


def measure(bench: Bench) -> Draining:
    """Each from warm connections and caches: the first orders of a kind are not counted."""
    bench.shoppers(SHOPPERS)
    users = list(User.objects.order_by("-pk").values_list("pk", flat=True)[:SHOPPERS])
    _drained(users, orders=STORED_AT_ONCE)
    drained = _drained(users, orders=ORDERS)
    _direct(users, orders=100)
    direct = _direct(users, orders=DIRECT_ORDERS)
    progress("drain alone", drained.per_second)
    progress("one-order transactions", direct.per_second)
    return Draining(
        batch=settings.DRAIN_BATCH,
        drained=drained,
        direct=direct,
        commit_ms=shop.commit_ms(),
        broken=shop.broken_promises(),
    )


def _drained(users: Sequence[int], *, orders: int) -> Pace:
    """`orders` pending ones, settled."""
    sale = sales.fresh_sale(WAY, stock=orders, limit=LIMIT)
    rows = _copies(_first(sale, users[0]), users, orders=orders - 1)
    numbers = [row.order_no for row in rows]
    for start in range(0, len(rows), STORED_AT_ONCE):
        Order.objects.bulk_create(rows[start : start + STORED_AT_ONCE])
    started = time.perf_counter()
    while drain(sale.queue_id):
        pass
    seconds = time.perf_counter() - started
    return Pace(orders, seconds, _outcome(sale, orders, numbers))


def _direct(users: Sequence[int], *, orders: int) -> Pace:
    """`orders` of the same kind, each stored and settled in a transaction of its own."""
    sale = sales.fresh_sale(Way(DIRECT, "optimistic", False), stock=orders + 1, limit=LIMIT)
    rows = _copies(_first(sale, users[0]), users, orders=orders)
    numbers = [row.order_no for row in rows]
    terms = {sale.pool_id: Terms(sale.pool.strategy, LIMIT)}
    started = time.perf_counter()
    for row in rows:
        place_direct(row, terms=terms)
    seconds = time.perf_counter() - started
    return Pace(orders, seconds, _outcome(sale, orders + 1, numbers))


def _first(sale: FlashSale, user_id: int) -> Order:
    """An order of the sale as the shop itself places it: the others are copies of it."""
    key = RequestKey.of(
        user_id=user_id, route="sale-orders", key=f"{sale.pk}-first", path="", body={}
    )
    return sale_order_place(key=key, wanted=SaleRequest(sale_id=sale.pk, count=1)).row


def _copies(order: Order, users: Sequence[int], *, orders: int) -> list[Order]:
    """New orders like `order`, of one user after the other, each with its own key and number."""
    values = {
        field.attname: getattr(order, field.attname)
        for field in Order._meta.concrete_fields
        if not field.primary_key
    }
    return [
        Order(
            **values
            | {
                "user_id": users[(number + 1) % len(users)],
                "idempotency_key": f"{order.sale_id}-{number}",
                "order_no": new_number(timezone.now()),
            }
        )
        for number in range(orders)
    ]


def _outcome(sale: FlashSale, loaded: int, numbers: Sequence[str]) -> Outcome:
    found = sales.outcome(sale, loaded=loaded, limit=LIMIT, given=numbers)
    sales.end(sale)
    return found
