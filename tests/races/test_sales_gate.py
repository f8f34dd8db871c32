"""The gate and the database while both change: what either knows of the other, and when."""

from threading import Thread

from shop.pools import gate
from shop.pools.gate import Verdict
from tests.faults.sales import How, make_sale, make_users
from tests.kit.marks import on_mariadb

pytestmark = on_mariadb


def test_any_number_of_threads_may_come_and_go_at_the_gate() -> None:
    """A server ends the threads that it does not need and starts others: those before them have
    left no connections that count."""
    sale, [user] = make_sale(How("direct", "optimistic", gated=True), stock=1_000), make_users(1)
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
