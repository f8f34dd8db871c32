"""The gate and the database while both change: what either knows of the other, and when."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from threading import Thread

import pytest
from django.db import connection

from goods.sales.models import FlashSale
from goods.sales.services import (
    sale_add_units,
    sale_end,
    sale_pause,
    sale_resume,
    sale_set_pool,
)
from orders.lifecycle import order_cancel
from orders.models import Order
from shop.accounts.models import User
from shop.pools import gate, gatekeeping, passage
from shop.pools.gate import Verdict
from shop.pools.models import Strategy
from tests.factories import make_sku, make_user
from tests.faults.deaths import deaf, dying_at, mortal
from tests.faults.sales import assert_sold, buy, sale_of, states
from tests.kit.hows import How, code_of, drain_all, in_step, make_users, wipe
from tests.kit.marks import on_mariadb
from tests.kit.proxy import Proxy, database_through
from tests.kit.units import counters
from tests.pools.gates import let_correct, let_pass

pytestmark = on_mariadb

GATES = [How(placement, "optimistic", gated=True) for placement in ("direct", "queued")]
GATED = GATES[0]


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


@pytest.mark.parametrize("limit", [None, 5])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("how", GATES, ids=str)
def test_a_repeat_of_an_order_whose_key_the_gate_has_lost_takes_no_units(
    how: How, count: int, limit: int | None
) -> None:
    sale, [user] = sale_of(how, stock=10, per_user_limit=limit), make_users(1)
    order_no = buy(user, sale, key="k").order_no
    _, keys = gate.names(sale.pool_id, "keys")
    gate.client().delete(keys)

    code = code_of(partial(buy, user, sale, count=count, key="k"))

    assert code == ("" if count == 1 else "idempotency_key_reused")
    assert in_step(sale)
    # It knows the key again.
    again = gate.Request(sale.pool_id, user.pk, count=1, key="k")
    assert gate.admit(again).verdict is Verdict.KNOWN
    drain_all(sale)
    assert [order_no] == list(Order.objects.values_list("order_no", flat=True))
    assert_sold(sale, units=1, of=10)
    assert in_step(sale)


# --- what a gate did not hear


def loses_a_request(sale: FlashSale, monkeypatch: pytest.MonkeyPatch) -> int:
    """A server dies when the gate has let somebody through: its units are off for nobody."""
    mortal(monkeypatch)
    with dying_at("gate.admitted"):
        buy(*make_users(1), sale, count=2)
    return 2


def loses_a_refusal(sale: FlashSale, monkeypatch: pytest.MonkeyPatch) -> int:
    """The database says no, at once or in a drain, and Redis does not hear of it."""
    [user] = make_users(1)
    User.objects.filter(pk=user.pk).update(is_active=False)
    with ExitStack() as deafness, monkeypatch.context() as patch:
        patch.setattr(passage, "failpoint", lambda name: deafness.enter_context(deaf()))
        code_of(partial(buy, user, sale, count=2))
        drain_all(sale)
    assert set(states(sale)) <= {"permission_denied"}
    return 2


def loses_a_return(sale: FlashSale, monkeypatch: pytest.MonkeyPatch) -> int:
    [user] = make_users(1)
    order = buy(user, sale, count=2)
    drain_all(sale)
    with deaf():
        order_cancel(user=user, order_no=order.order_no)
    return 2


def loses_the_answer_to_a_return(sale: FlashSale, monkeypatch: pytest.MonkeyPatch) -> int:
    """What was to be told after a COMMIT goes with the connection that is told nothing of it; the
    second run finds the order cancelled."""
    [user] = make_users(1)
    order = buy(user, sale, count=2)
    drain_all(sale)
    settings = connection.settings_dict
    with (
        Proxy(host=settings["HOST"], port=int(settings["PORT"])) as proxy,
        database_through(proxy),
    ):
        proxy.swallow_commit_answers()
        order_cancel(user=user, order_no=order.order_no)
        assert proxy.commits_to_swallow == 0
    return 2


def loses_more_units(sale: FlashSale, monkeypatch: pytest.MonkeyPatch) -> int:
    with deaf():
        sale_add_units(sale, count=2, operator=make_user(), reference="more")
    return 2


def forgets_a_repeat_whose_first_is_refused(
    sale: FlashSale, monkeypatch: pytest.MonkeyPatch
) -> int:
    """The first is refused, and the gate told so, while its repeat is on its way to be stored."""
    [user] = make_users(1)
    first = gate.Request(sale.pool_id, user.pk, count=2, key="k")
    assert gate.admit(first).verdict is Verdict.ADMITTED
    with monkeypatch.context() as patch:
        patch.setattr(passage, "failpoint", lambda name: gate.release(first))
        buy(user, sale, count=2, key="k")
    drain_all(sale)
    return -2


def forgets_a_lost_request_that_comes_again(
    sale: FlashSale, monkeypatch: pytest.MonkeyPatch
) -> int:
    """Its units were corrected, and its key is known: it passes, and the gate has too many."""
    mortal(monkeypatch)
    [user] = make_users(1)
    with dying_at("gate.admitted"):
        buy(user, sale, count=2, key="k")
    let_correct(sale.pool)
    assert in_step(sale)
    let_pass(sale.pool)
    buy(user, sale, count=2, key="k")
    drain_all(sale)
    return -2


LOSSES = [
    loses_a_request,
    loses_a_refusal,
    loses_a_return,
    loses_the_answer_to_a_return,
    loses_more_units,
    forgets_a_repeat_whose_first_is_refused,
    forgets_a_lost_request_that_comes_again,
]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("how", GATES, ids=str)
def test_what_a_gate_did_not_hear_of_is_mended_by_two_looks_and_sold_exactly(
    how: How,
    loss: Callable[[FlashSale, pytest.MonkeyPatch], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sale = sale_of(how, stock=10, sku=make_sku(stock=20), per_user_limit=2)
    too_few = loss(sale, monkeypatch)
    drift = gatekeeping.look(sale.pool_id)
    assert drift is not None
    assert drift.remaining == too_few

    let_correct(sale.pool)

    assert in_step(sale)
    left, sold = counters(sale.pool)
    for user in make_users(left):
        buy(user, sale)
    assert code_of(partial(buy, *make_users(1), sale)) == "sold_out"
    drain_all(sale)
    assert_sold(sale, units=left + sold, of=left + sold)
    assert in_step(sale)


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


@pytest.fixture
def read_before() -> tuple[FlashSale, FlashSale]:
    """A sale whose gate has just been switched on, and the same as somebody read it before that."""
    sale = sale_of(How("direct", "optimistic", gated=False), stock=10)
    read = FlashSale.objects.select_related("pool", "sku").get(pk=sale.pk)
    sale_set_pool(sale, strategy=Strategy.DEFAULT, gated=True, operator=make_user())
    return sale, read


def test_who_pauses_a_sale_tells_a_gate_that_was_switched_on_meanwhile(
    read_before: tuple[FlashSale, FlashSale],
) -> None:
    sale, read = read_before

    sale_pause(read, operator=make_user())

    assert code_of(partial(buy, *make_users(1), sale)) == "paused"


def test_who_ends_a_sale_leaves_no_gate_that_was_switched_on_meanwhile(
    read_before: tuple[FlashSale, FlashSale],
) -> None:
    sale, read = read_before

    sale_end(read)

    assert 0 < gate.client().ttl(gate.names(sale.pool_id)[0]) <= gate.FADE_SECONDS


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


@pytest.mark.parametrize("was", ["cold", "warm"])
def test_a_gate_that_is_rebuilt_while_its_sale_is_paused_is_paused(
    while_rebuilding: Callable[[Callable[[], object]], None], was: str
) -> None:
    sale, [user] = sale_of(GATED, stock=10), make_users(1)
    if was == "cold":
        wipe(sale)

    while_rebuilding(partial(sale_pause, sale, operator=make_user()))
    gatekeeping.rebuild(sale.pool_id, force=was == "warm")

    assert code_of(partial(buy, user, sale)) == "paused"


@pytest.mark.parametrize("is_being_rebuilt", [False, True])
def test_a_gate_that_is_switched_off_does_not_stay(
    while_rebuilding: Callable[[Callable[[], object]], None], is_being_rebuilt: bool
) -> None:
    """Switched on again, it would know nothing of what was sold without it."""
    sale, operator, [user] = sale_of(GATED, stock=10), make_user(), make_users(1)
    buy(user, sale)
    switch_off = partial(
        sale_set_pool, sale, strategy=Strategy.DEFAULT, gated=False, operator=operator
    )

    if is_being_rebuilt:
        while_rebuilding(switch_off)
        gatekeeping.rebuild(sale.pool_id, force=True)
    else:
        switch_off()

    left = gate.client().keys(f"{{pool:{sale.pool_id}}}:*")
    assert left
    assert all(0 < gate.client().ttl(key) <= gate.FADE_SECONDS for key in left)
    assert not gatekeeping.rebuild(sale.pool_id, force=True)


def test_a_gate_that_is_switched_on_while_another_operator_switches_it_off_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one who switched it off lets it fade only after the other has opened it."""
    sale, operator = sale_of(GATED, stock=10), make_user()
    switch = partial(sale_set_pool, strategy=Strategy.DEFAULT, operator=operator)
    fade, others = gate.fade, iter([partial(switch, sale, gated=True)])

    def late(pool_id: int) -> None:
        next(others, lambda: None)()
        fade(pool_id)

    monkeypatch.setattr(gate, "fade", late)

    switch(sale, gated=False)

    forever = -1
    assert gate.client().ttl(gate.names(sale.pool_id)[0]) == forever
    assert in_step(sale)


def test_a_release_after_the_gate_is_gone_leaves_nothing_behind() -> None:
    sale, [user] = sale_of(GATED, stock=10), make_users(1)
    request = gate.Request(sale.pool_id, user.pk, count=1, key="k")
    assert gate.admit(request).verdict is Verdict.ADMITTED
    [counter] = gate.names(sale.pool_id)
    gate.client().delete(counter)

    gate.release(request)

    assert not gate.client().exists(counter)
