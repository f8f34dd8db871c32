"""The drain among others who hold rows: it waits for nobody, and nobody is left to beat."""

from typing import Any

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from orders.models import Order
from orders.pending import OrderQueue
from shop.pools.drain import drain
from tests.factories import make_user, place_in
from tests.kit.barrier import race
from tests.kit.marks import on_mariadb
from tests.orders.settling import fates, queued_sale, wait_in

pytestmark = on_mariadb


def test_a_queue_that_is_being_drained_is_left_to_who_drains_it(
    somebody: BaseDatabaseWrapper,
) -> None:
    sale = queued_sale(5)
    orders = wait_in(sale, 1)
    with somebody.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT id FROM pools_queue WHERE id = %s FOR UPDATE", [sale.queue_id])
        assert not drain(sale.queue_id)
        assert fates(orders) == ["pending"]
        cursor.execute("ROLLBACK")

    drain(sale.queue_id)
    assert fates(orders) == ["unpaid"]


def test_an_order_that_is_being_moved_is_left_out(somebody: BaseDatabaseWrapper) -> None:
    sale = queued_sale(5)
    orders = wait_in(sale, 1, 1)
    with somebody.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT id FROM orders_order WHERE id = %s FOR UPDATE", [orders[0].pk])
        # It may be there again in a moment.
        assert drain(sale.queue_id)
        assert fates(orders) == ["pending", "unpaid"]
        cursor.execute("ROLLBACK")

    assert not drain(sale.queue_id)
    assert fates(orders) == ["unpaid", "unpaid"]


def test_what_comes_during_the_last_look_is_not_left_to_beat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It comes when the drain has looked, and its own drain before the first has let go."""
    sale, user = queued_sale(5), make_user()
    look = OrderQueue.pending
    late: list[bool] = []

    def come_late(self: OrderQueue, *arguments: Any, **options: Any) -> Any:
        found = look(self, *arguments, **options)
        if not found and not late:
            late.append(True)
            [outcome] = race([lambda: (place_in(sale, user), drain(sale.queue_id))[1]])
            late.append(outcome.result())
        return found

    monkeypatch.setattr(OrderQueue, "pending", come_late)
    more = drain(sale.queue_id)

    assert late == [True, False]  # the second found the queue taken
    assert more
    assert not drain(sale.queue_id)
    assert list(Order.objects.values_list("status", flat=True)) == ["unpaid"]
