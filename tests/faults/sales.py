"""Flash sales for tests of races and faults: how they can be sold, and what came of them.

A `How` is one combination of the switches that a sale has; `hows` gives the short form a sample
of them, by a seed that is printed, and the long one (`make soak`) all.
"""

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product, zip_longest
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections

from goods.sales.models import FlashSale
from orders.models import Order, OrderLine, OrderMove
from orders.sale_orders import SaleRequest, sale_order_place
from shop.accounts.models import User
from shop.errors import Refusal
from shop.pools import drain, gate, gatekeeping
from shop.pools.audit import audit
from shop.pools.models import Placement, PoolMovement, Strategy
from tests.factories import make_sale, make_sku, request_key_of
from tests.kit.units import counters

SEED = int(os.environ.get("RACE_SEED") or random.randrange(10**9))
# Orders that hold units; without payments there are no others.
HOLDING = ("unpaid", "paid")


@dataclass(frozen=True, slots=True)
class How:
    """How a sale is sold; `soak`: in the long form."""

    placement: str
    strategy: str
    gated: bool
    soak: bool = False

    @property
    def queued(self) -> bool:
        return self.placement == "queued"

    def __str__(self) -> str:
        gate = "gate" if self.gated else "no gate"
        return f"{self.placement}, {self.strategy}, {gate}{', soak' if self.soak else ''}"


EVERY = [
    How(placement, strategy, gated)
    for placement, strategy, gated in product(
        ("direct", "queued"), ("optimistic", "pessimistic"), (True, False)
    )
]


def hows(
    test: str, *, short: int, only: Callable[[How], bool] = lambda how: True
) -> "pytest.MarkDecorator":
    """Parametrizes `how`: `short` of the combinations, both placements where there are two, for
    `make test`; all of them for `make soak`. `test` makes each test's sample its own."""
    fitting = [how for how in EVERY if only(how)]
    dice = random.Random(f"{SEED} {test}")
    halves = [[how for how in fitting if how.queued is queued] for queued in (True, False)]
    for half in halves:
        dice.shuffle(half)
    dice.shuffle(halves)
    sample = [how for pair in zip_longest(*halves) for how in pair if how][:short]
    soak = [pytest.param(replace(how, soak=True), marks=pytest.mark.soak) for how in fitting]
    return pytest.mark.parametrize("how", [*sample, *soak], ids=str)


def make_users(count: int) -> list[User]:
    """Shoppers who can't log in, which costs nothing."""
    run = uuid4().hex[:10]
    User.objects.bulk_create(User(username=f"buyer-{run}-{n}") for n in range(count))
    return list(User.objects.filter(username__startswith=f"buyer-{run}-").order_by("pk"))


def sale_of(how: How, *, stock: int, **terms: Any) -> FlashSale:
    """A sale of all `stock` units of a SKU that has begun, without a limit; `terms`: more of its
    terms, `sku` one that has more."""
    defaults = {
        "sku": terms.pop("sku", None) or make_sku(stock=stock),
        "per_user_limit": None,
        "placement": Placement(how.placement),
        "strategy": Strategy(how.strategy),
        "gated": how.gated,
    }
    return make_sale(total=stock, **defaults | terms)


def buy(user: User, sale: FlashSale, *, count: int = 1, key: str = "") -> Order:
    """Buys as the view would. Raises the refusal."""
    wanted = SaleRequest(sale_id=sale.pk, count=count, client_address="203.0.113.7")
    request_key = request_key_of(user, key, body=str(count), route="sale-orders")
    return sale_order_place(key=request_key, wanted=wanted).row


def code_of(attempt: Callable[[], object]) -> str:
    """The code of its refusal, "" when there is none."""
    try:
        attempt()
    except Refusal as refusal:
        return refusal.code
    return ""


@contextmanager
def drained(*sales: FlashSale, others: Sequence[int] = (), drains: int = 2) -> Iterator[None]:
    """Inside, so many drains of each queue run all the time; at the end nothing waits. `others`:
    ids of queues of no sale."""
    queues = [*(sale.queue_id for sale in sales), *others]
    over = Event()
    failures: list[BaseException] = []

    def run(queue_id: int) -> None:
        try:
            while not over.is_set():
                # As the task does: what waits is left to the next bell.
                with suppress(Refusal):
                    drain.drain(queue_id)
                over.wait(0.005)
        except BaseException as error:  # noqa: BLE001 -- raised where the block ends
            failures.append(error)
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=(one,), daemon=True) for one in queues * drains]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
    assert not failures, failures
    for queue_id in queues:
        empty(queue_id)


def drain_all(sale: FlashSale) -> None:
    """Settles what waits."""
    empty(sale.queue_id)


def empty(queue_id: int) -> None:
    """Settles what waits in the queue."""
    while drain.drain(queue_id):
        pass
    assert not Order.objects.filter(queue_id=queue_id).exists()


def states(sale: FlashSale) -> Counter[str]:
    """Its orders by state, or by failure."""
    rows = Order.objects.filter(sale=sale).values_list("status", "failure")
    return Counter(failure or status for status, failure in rows)


def units_held(sale: FlashSale) -> int:
    """Units that its orders hold, by their own lines."""
    lines = OrderLine.objects.filter(order__sale=sale)
    return sum(count - back for count, back in lines.values_list("count", "given_back"))


def in_step(sale: FlashSale) -> bool:
    """Whether its gate, if it has one, is warm and equals the database."""
    if not sale.pool.gated:
        return True
    look = gatekeeping.look(sale.pool_id)
    return look is not None and not look.drifts


def assert_sold(sale: FlashSale, *, units: int, of: int) -> None:
    """Exactly so many units are sold, each order was settled once, and every promise holds."""
    assert units_held(sale) == units
    assert counters(sale.pool) == (of - units, units)
    taken = PoolMovement.objects.filter(pool=sale.pool_id, kind="take")
    back = PoolMovement.objects.filter(pool=sale.pool_id, kind="give_back")
    deltas = [*taken.values_list("delta", flat=True), *back.values_list("delta", flat=True)]
    assert -sum(deltas) == units
    settled = OrderMove.objects.filter(order__sale=sale, source="pending")
    assert settled.count() == settled.values("order_id").distinct().count()
    assert audit().broken == {}


def spoil_gate(sale: FlashSale, *, by: int) -> None:
    """Somebody changes what the gate thinks that remains."""
    [counter] = gate.names(sale.pool_id)
    gate.client().hincrby(counter, "remaining", by)


def wipe(sale: FlashSale) -> None:
    """Redis loses all that it knows of the sale."""
    if left := gate.client().keys(f"{{pool:{sale.pool_id}}}:*"):
        gate.client().delete(*left)


def forget_shoppers(sale: FlashSale) -> None:
    """Somebody deletes what the gate knows of shoppers and their keys."""
    _, users, keys = gate.names(sale.pool_id, "users", "keys")
    gate.client().delete(users, keys)


def ended_at(sale: FlashSale) -> datetime:
    """When it ends, as stored now."""
    return FlashSale.objects.values_list("ends_at", flat=True).get(pk=sale.pk)
