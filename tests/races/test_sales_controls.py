"""The negative controls: what happens to a sale when one of its guards is missing. Each time the
fault must be seen, by the audit or by whoever was first in the queue, and without it must not be.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from goods.sales.models import FlashSale
from goods.sales.services import QUEUE_KIND
from orders.models import Order, OrderLine, OrderMove
from orders.pending import SETTLED_FROM, OrderQueue
from orders.settlement import PendingOrder
from shop.pools import limits
from shop.pools.audit import audit
from shop.pools.kinds import queue_kinds
from shop.pools.models import PoolMovement
from tests.faults.sales import assert_sold, buy, sale_of, states
from tests.kit.barrier import race
from tests.kit.hows import (
    EVERY,
    How,
    Sold,
    code_of,
    drain_all,
    forget_shoppers,
    make_users,
    spoil_gate,
)
from tests.kit.marks import on_mariadb
from tests.kit.units import counters

pytestmark = on_mariadb

DIRECT, QUEUED = (How(placement, "optimistic", gated=False) for placement in ("direct", "queued"))
GATED = [how for how in EVERY if how.gated]


# --- the unique key of orders


@pytest.fixture
def no_unique_key() -> Iterator[None]:
    [key] = [one for one in Order._meta.constraints if one.name == "order_idempotency_key"]
    with connection.schema_editor() as editor:
        editor.remove_constraint(Order, key)
    yield
    for model in (OrderLine, OrderMove, Order):
        model.objects.all().delete()
    with connection.schema_editor() as editor:
        editor.add_constraint(Order, key)


def repeats_at_once(how: How) -> FlashSale:
    """One shopper, one key, 20 times at once."""
    sale, [user] = sale_of(how, stock=100), make_users(1)
    outcomes = race([partial(buy, user, sale, key="k") for _ in range(20)])
    assert all(outcome.error is None for outcome in outcomes), outcomes
    drain_all(sale)
    return sale


@pytest.mark.parametrize("how", [DIRECT, QUEUED, *GATED], ids=str)
def test_with_the_unique_key_repeats_at_once_are_one_order(how: How) -> None:
    sale = repeats_at_once(how)

    assert_sold(sale, units=1, of=100)


@pytest.mark.parametrize("how", [DIRECT, QUEUED, *GATED], ids=str)
@pytest.mark.usefixtures("no_unique_key")
def test_without_the_unique_key_repeats_at_once_are_many_orders(how: How) -> None:
    """The gate knows a key too; it lets a repeat through, for the database to decide."""
    repeats_at_once(how)

    assert Order.objects.count() > 1
    assert list(audit().broken) == [3]


# --- the queue's row lock


@pytest.fixture
def no_order_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drain that reads pending orders without locking them."""

    class Unlocked(OrderQueue):
        def pending(
            self,
            queue_id: int,
            *,
            most: int,
            only: Collection[int] | None,
            without: Collection[int],
        ) -> Sequence[PendingOrder]:
            rows = Order.objects.filter(queue_id=queue_id).order_by("pk")
            return [PendingOrder(*row) for row in rows.values_list(*SETTLED_FROM)[:most]]

    monkeypatch.setitem(queue_kinds, QUEUE_KIND, Unlocked())


def first_and_second(sale: FlashSale) -> list[str]:
    return [buy(user, sale).order_no for user in make_users(2)]


def failure_of(order_no: str) -> str:
    order = Order.objects.get(order_no=order_no)
    return order.failure or order.status


def test_with_the_queues_lock_the_first_in_the_queue_gets_the_last_unit(
    two_drains: Callable[[Sold], None], settings: Settings
) -> None:
    settings.DRAIN_BATCH = 1
    sale = sale_of(QUEUED, stock=1)
    orders = first_and_second(sale)

    two_drains(sale)

    assert [failure_of(order_no) for order_no in orders] == ["unpaid", "sold_out"]
    assert_sold(sale, units=1, of=1)


@pytest.mark.usefixtures("no_lease")
def test_without_the_queues_lock_two_drains_at_once_serve_the_second_first(
    two_drains: Callable[[Sold], None], settings: Settings
) -> None:
    settings.DRAIN_BATCH = 1
    sale = sale_of(QUEUED, stock=1)
    orders = first_and_second(sale)

    two_drains(sale)

    assert [failure_of(order_no) for order_no in orders] == ["sold_out", "unpaid"]


@pytest.mark.usefixtures("no_order_locks")
def test_with_the_queues_lock_alone_each_order_is_settled_once(
    two_drains: Callable[[Sold], None],
) -> None:
    sale = sale_of(QUEUED, stock=10)
    first_and_second(sale)

    two_drains(sale)

    assert_sold(sale, units=2, of=10)


@pytest.mark.usefixtures("no_lease", "no_order_locks")
def test_without_any_lock_two_drains_at_once_settle_each_order_twice(
    two_drains: Callable[[Sold], None],
) -> None:
    sale = sale_of(QUEUED, stock=10)
    first_and_second(sale)

    two_drains(sale)

    assert counters(sale.pool) == (6, 4)
    assert PoolMovement.objects.filter(pool=sale.pool, kind="take").count() == 2
    assert {2, 8} <= set(audit().broken)


# --- the condition of a shopper's row


@pytest.fixture
def no_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shopper's units are counted, whatever the limit: by one order, and by a batch."""
    assert limits._TAKE.endswith("AND taken + %s <= %s")
    counted = limits._TAKE.replace("AND taken + %s <= %s", "AND (TRUE OR taken + %s <= %s)")
    monkeypatch.setattr(limits, "_TAKE", counted)
    locked = limits.locked
    # What it is told that everybody holds is far below any limit.
    monkeypatch.setattr(
        limits, "locked", lambda wanted: {one: held - 100 for one, held in locked(wanted).items()}
    )
    write = limits.write
    monkeypatch.setattr(
        limits, "write", lambda taken: write({one: held + 100 for one, held in taken.items()})
    )


def buys_at_once(how: How) -> tuple[FlashSale, Counter[str]]:
    """One shopper, where the limit is 1, with 10 keys at once."""
    sale, [user] = sale_of(how, stock=100, per_user_limit=1), make_users(1)
    outcomes = race([partial(code_of, partial(buy, user, sale)) for _ in range(10)])
    drain_all(sale)
    return sale, Counter(outcome.result() for outcome in outcomes)


@pytest.mark.parametrize("how", [DIRECT, QUEUED], ids=str)
def test_with_the_condition_of_the_shoppers_row_the_limit_holds(how: How) -> None:
    sale, codes = buys_at_once(how)

    if how.queued:
        assert codes == {"": 10}
        assert states(sale) == {"unpaid": 1, "purchase_limit": 9}
    else:
        assert codes == {"": 1, "purchase_limit": 9}
        assert states(sale) == {"unpaid": 1}
    assert_sold(sale, units=1, of=100)


@pytest.mark.parametrize("how", [DIRECT, QUEUED], ids=str)
@pytest.mark.usefixtures("no_condition")
def test_without_the_condition_of_the_shoppers_row_the_limit_is_passed(how: How) -> None:
    sale, codes = buys_at_once(how)

    assert codes == {"": 10}
    assert states(sale) == {"unpaid": 10}
    assert counters(sale.pool) == (90, 10)
    assert list(audit().broken) == [3]


# --- a gate that lets too many through


@pytest.mark.parametrize("how", GATED, ids=str)
def test_a_gate_that_admits_too_many_costs_them_a_refusal_and_sells_nothing_twice(
    how: How,
) -> None:
    sale, users = sale_of(how, stock=5), make_users(30)
    spoil_gate(sale, by=+100)

    outcomes = race([partial(code_of, partial(buy, user, sale)) for user in users])
    drain_all(sale)

    codes = Counter(outcome.result() for outcome in outcomes)
    if how.queued:
        assert codes == {"": 30}
        assert states(sale) == {"unpaid": 5, "sold_out": 25}
    else:
        assert codes == {"": 5, "sold_out": 25}
        assert states(sale) == {"unpaid": 5}
    assert_sold(sale, units=5, of=5)


@pytest.mark.parametrize("how", GATED, ids=str)
def test_a_gate_that_forgets_what_a_shopper_has_does_not_lift_the_limit(how: How) -> None:
    sale, [user] = sale_of(how, stock=100, per_user_limit=2), make_users(1)
    buy(user, sale, count=2, key="first")
    drain_all(sale)
    forget_shoppers(sale)

    codes = [code_of(partial(buy, user, sale, key=key)) for key in ("second", "third")]
    drain_all(sale)

    if how.queued:
        assert codes == ["", ""]
        assert states(sale) == {"unpaid": 1, "purchase_limit": 2}
    else:
        assert codes == ["purchase_limit", "purchase_limit"]
    assert buy(user, sale, count=2, key="first").order_no == Order.objects.earliest("pk").order_no
    assert_sold(sale, units=2, of=100)
