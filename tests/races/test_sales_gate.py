"""The gate and the database while both change: what either knows of the other, and when."""

from threading import Thread

import pytest
from django.db import connection

from orders.models import Order
from shop.pools import gate
from shop.pools.gate import Verdict
from tests.faults.sales import How, assert_sold, buy, in_step, make_users, sale_of
from tests.kit.marks import on_mariadb
from tests.kit.proxy import Proxy, database_through

pytestmark = on_mariadb


def test_any_number_of_threads_may_come_and_go_at_the_gate() -> None:
    """A server ends the threads that it does not need and starts others: those before them have
    left no connections that count."""
    sale, [user] = sale_of(How("direct", "optimistic", gated=True), stock=1_000), make_users(1)
    verdicts: list[object] = []

    def asks(number: int) -> None:
        request = gate.Request(sale.pool_id, user.pk, count=1, key=f"k{number}")
        try:
            verdicts.append(gate.admit(request).verdict)
        except BaseException as error:  # noqa: BLE001 -- asserted below
            verdicts.append(error)

    for number in range(250):
        thread = Thread(target=asks, args=(number,))
        thread.start()
        thread.join()

    assert verdicts == [Verdict.ADMITTED] * 250


@pytest.mark.parametrize("how", [How("direct", "optimistic", gated) for gated in (True, False)])
def test_a_commit_whose_answer_is_lost_is_one_order_and_one_unit_at_the_gate(how: How) -> None:
    sale, [user] = sale_of(how, stock=5), make_users(1)
    settings = connection.settings_dict
    with Proxy(host=settings["HOST"], port=int(settings["PORT"])) as proxy:
        with database_through(proxy):
            proxy.swallow_commit_answers()
            order = buy(user, sale, key="k")
        assert proxy.commits_to_swallow == 0

    assert Order.objects.get().order_no == order.order_no
    assert in_step(sale)
    assert buy(user, sale, key="k").order_no == order.order_no
    assert in_step(sale)
    assert_sold(sale, units=1, of=5)
