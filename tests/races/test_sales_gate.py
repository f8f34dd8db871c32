"""The gate and the database while both change: what either knows of the other, and when."""

from collections.abc import Callable
from functools import partial
from threading import Thread

import pytest
from django.db import connection

from goods.sales.services import sale_end, sale_pause, sale_resume
from orders.models import Order
from shop.pools import gate, gatekeeping, passage
from shop.pools.gate import Verdict
from tests.factories import make_user
from tests.faults.deaths import deaf
from tests.faults.sales import How, assert_sold, buy, code_of, in_step, make_users, sale_of, wipe
from tests.kit.marks import on_mariadb
from tests.kit.proxy import Proxy, database_through

pytestmark = on_mariadb

GATED = How("direct", "optimistic", gated=True)


def test_any_number_of_threads_may_come_and_go_at_the_gate() -> None:
    """A server ends the threads that it does not need and starts others: those before them have
    left no connections that count."""
    sale, [user] = sale_of(GATED, stock=1_000), make_users(1)
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


@pytest.mark.parametrize("limit", [None, 5])
@pytest.mark.parametrize("counts", [(1, 1), (1, 3), (3, 1)])
def test_a_repeat_that_overtakes_its_first_takes_its_units_and_no_others(
    monkeypatch: pytest.MonkeyPatch, counts: tuple[int, int], limit: int | None
) -> None:
    """The gate has let the first through; the repeat, maybe of another body, is stored before."""
    first, repeat = counts
    sale, [user] = sale_of(GATED, stock=10, per_user_limit=limit), make_users(1)
    overtakes = iter([partial(buy, user, sale, count=repeat, key="k")])
    monkeypatch.setattr(passage, "failpoint", lambda name: next(overtakes, lambda: None)() and None)

    code = code_of(partial(buy, user, sale, count=first, key="k"))

    assert code == ("" if first == repeat else "idempotency_key_reused")
    assert gatekeeping.figures(sale.pool_id)["remaining"] == 10 - repeat
    assert in_step(sale)
    assert_sold(sale, units=repeat, of=10)


# --- what a gate did not hear


def test_a_pause_and_a_resumption_that_the_gate_did_not_hear_of_are_told_again() -> None:
    sale, operator = sale_of(GATED, stock=10), make_user()
    first, second, third = make_users(3)

    with deaf():
        sale_pause(sale, operator=operator)
    gatekeeping.correct(sale.pool_id)
    assert code_of(partial(buy, first, sale)) == "paused"

    with deaf():
        sale_resume(sale, operator=operator)
    assert code_of(partial(buy, second, sale)) == "paused"
    gatekeeping.correct(sale.pool_id)
    assert code_of(partial(buy, third, sale)) == ""


def test_who_tells_a_gate_late_tells_it_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The corrector has read the terms, then the sale is paused, then the corrector goes on."""
    sale, operator, [user] = sale_of(GATED, stock=10), make_user(), make_users(1)
    tell = gate.script
    pauses = iter([partial(sale_pause, sale, operator=operator)])

    def pause_first(name: str) -> object:
        if name == "terms":
            next(pauses, lambda: None)()
        return tell(name)

    monkeypatch.setattr(gate, "script", pause_first)
    gatekeeping.apply_terms(sale.pool_id)

    assert code_of(partial(buy, user, sale)) == "paused"


# --- rebuilds


@pytest.fixture
def while_rebuilding(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """What is done once, after a rebuild has read the database and before its gate is in place."""

    def arrange(work: Callable[[], object]) -> None:
        once = iter([work])
        monkeypatch.setattr(
            gatekeeping, "failpoint", lambda name: next(once, lambda: None)() and None
        )

    return arrange


def test_of_two_rebuilds_of_a_cold_gate_the_late_one_undoes_nothing(
    while_rebuilding: Callable[[Callable[[], object]], None],
) -> None:
    sale, users = sale_of(GATED, stock=10), make_users(3)
    wipe(sale)

    def others() -> None:
        gatekeeping.rebuild(sale.pool_id)
        for user in users:
            buy(user, sale, key="k")

    while_rebuilding(others)
    assert gatekeeping.rebuild(sale.pool_id) is False

    assert gatekeeping.figures(sale.pool_id)["remaining"] == 7
    assert in_step(sale)
    # What it had prepared is not left behind.
    assert not gate.client().keys(f"{{pool:{sale.pool_id}}}:*:*")


def test_a_gate_that_is_rebuilt_while_its_sale_ends_does_not_stay(
    while_rebuilding: Callable[[Callable[[], object]], None],
) -> None:
    sale, [user] = sale_of(GATED, stock=10), make_users(1)
    buy(user, sale)

    while_rebuilding(partial(sale_end, sale))
    gatekeeping.rebuild(sale.pool_id, force=True)

    left = gate.client().keys(f"{{pool:{sale.pool_id}}}:*")
    assert left
    assert all(0 < gate.client().ttl(key) <= gate.FADE_SECONDS for key in left)


def test_a_release_after_the_gate_is_gone_leaves_nothing_behind() -> None:
    sale, [user] = sale_of(GATED, stock=10), make_users(1)
    request = gate.Request(sale.pool_id, user.pk, count=1, key="k")
    assert gate.admit(request).verdict is Verdict.ADMITTED
    [counter] = gate.names(sale.pool_id)
    gate.client().delete(counter)

    gate.release(request)

    assert not gate.client().exists(counter)
