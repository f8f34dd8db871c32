"""Redis slow, gone, full or wiped: gated sales wait for it, and nothing is ever wrong."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from deploy.local.servers import Redis
from goods.sales.models import FlashSale
from goods.sales.services import sale_end, sale_pause
from orders.models import Order
from shop.accounts.models import User
from shop.api.problems import UNHANDLED
from shop.pools import gate, tasks
from shop.pools.audit import audit
from shop.pools.gate import Verdict
from tests.factories import make_address, make_sale, make_sku, make_user, place_in
from tests.kit.barrier import race
from tests.kit.marks import on_mariadb
from tests.kit.redis import gates_in, hung, own_redis, stopped
from tests.kit.units import counters
from tests.orders.settling import settle
from tests.pools.gates import (
    Kind,
    admit,
    buys,
    gated_pool,
    gated_sale,
    in_step,
    let_correct,
    verdict,
)

# Redis is there where MariaDB is.
pytestmark = [*on_mariadb, pytest.mark.usefixtures("empty_gates")]


@pytest.fixture(params=["direct", "queued"])
def sale(request: pytest.FixtureRequest) -> FlashSale:
    """10 units behind a gate, at most 2 for one shopper."""
    return gated_sale(placement=request.param)


@pytest.fixture
def redis(empty_gates: None, tmp_path: Path) -> Iterator[Redis]:
    """A Redis of this test's own, which it may harm."""
    with own_redis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def _nothing_unforeseen() -> Iterator[None]:
    """No request of the test may end in an error that nobody foresaw."""

    def unforeseen() -> float:
        return sum(sample.value for metric in UNHANDLED.collect() for sample in metric.samples)

    before = unforeseen()
    yield
    assert unforeseen() == before


@contextmanager
def killed(server: Redis) -> Iterator[None]:
    server.kill()
    try:
        yield
    finally:
        server.start()
        gate._down.until = 0.0


@contextmanager
def full(server: Redis) -> Iterator[None]:
    """It takes nothing more: OOM."""
    gate._client().config_set("maxmemory", 1)
    try:
        yield
    finally:
        gate._client().config_set("maxmemory", 0)
        gate._down.until = 0.0


@pytest.mark.parametrize("harm", [hung, killed, full])
@pytest.mark.usefixtures("_nothing_unforeseen")
def test_without_its_redis_a_gated_sale_is_unavailable_and_all_else_goes_on(
    harm: Callable[[Redis], Any], redis: Redis, sale: FlashSale, login: Callable[[User], APIClient]
) -> None:
    plain, tea = make_sale(placement=sale.placement), make_sku()
    early, user, other = make_user(), make_user(), make_user()
    placed = buys(sale, early, key="k")
    assert placed.status in (201, 202)
    cancel = f"/api/v1/orders/{placed.body['order_no']}/cancel"

    with harm(redis):
        refused = [buys(sale, user, key="k") for _ in range(3)]
        # What this process has just been refused it need not ask again, so look anew.
        gate._down.until = 0.0
        refused.append(buys(sale, user, key="k"))
        again = buys(sale, early, key="k")
        elsewhere = buys(plain, other)
        in_cart = login(other).post(
            "/api/v1/orders",
            {"items": [{"sku": tea.pk, "count": 1}], "address": make_address(other).pk},
            headers={"Idempotency-Key": "k"},
        )
        settle(sale)
        shown = login(early).post(cancel)

    assert [reply.refusal for reply in refused] == [(503, "unavailable")] * 4
    assert {reply.headers["Retry-After"] for reply in refused} == {"2"}
    assert (again.status, again.is_replay) == (placed.status, True)
    assert again.body["order_no"] == placed.body["order_no"]
    assert elsewhere.status == placed.status
    assert in_cart.status_code == 201
    assert (shown.status_code, shown.json()["status"]) == (200, "cancelled")
    assert not Order.objects.filter(user=user).exists()

    # It is back; whatever it did not hear is corrected, or it is cold and rebuilt.
    let_correct(sale.pool)
    assert in_step(sale.pool)
    assert buys(sale, user, key="k").status == placed.status
    settle(sale)
    assert counters(sale.pool) == (9, 1)
    assert audit().broken == {}


@pytest.mark.usefixtures("_nothing_unforeseen")
def test_a_redis_that_hangs_is_not_asked_again_for_a_moment(
    redis: Redis, sale: FlashSale, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A moment that does not end before this test does.
    monkeypatch.setattr(gate, "DOWN_SECONDS", 3600.0)
    users, asked, call = [make_user() for _ in range(20)], [], gate._Lines.call

    def counting(*arguments: Any) -> Any:
        asked.append(arguments)
        return call(*arguments)

    monkeypatch.setattr(gate._Lines, "call", counting)
    with hung(redis):
        replies = [buys(sale, user) for user in users]

    assert {reply.code for reply in replies} == {"unavailable"}
    assert len(asked) == 1


@pytest.mark.usefixtures("_nothing_unforeseen")
def test_an_answer_that_comes_too_late_is_nobody_elses(redis: Redis, kind: Kind) -> None:
    """Left on the line, it would be taken for the answer to the next request."""
    pool = gated_pool(kind, 9)
    with gates_in(redis, timeout=2.0):
        admit(pool, 1, key="known")
        with stopped(redis), pytest.raises(gate.Unavailable):
            admit(pool, 2, key="late")
        gate._down.until = 0.0

        assert verdict(pool, 1, key="known") == Verdict.KNOWN
        assert verdict(pool, 3, key="new") == Verdict.ADMITTED


@pytest.mark.usefixtures("_nothing_unforeseen")
def test_a_redis_that_comes_back_empty_forgets_no_limit_and_no_key(
    redis: Redis, sale: FlashSale
) -> None:
    users = [make_user() for _ in range(4)]
    first = [buys(sale, user, key="k", count=2) for user in users]
    with killed(redis):
        pass

    cold = buys(sale, make_user())
    tasks.correct_gates()
    again = [buys(sale, user, key="k", count=2) for user in users]
    more = [buys(sale, user) for user in users]
    late = [buys(sale, make_user(), count=2) for _ in range(2)]
    settle(sale)

    assert cold.refusal == (503, "unavailable")
    assert [reply.body["order_no"] for reply in again] == [
        reply.body["order_no"] for reply in first
    ]
    assert {reply.is_replay for reply in again} == {True}
    assert {reply.refusal for reply in more} == {(409, "purchase_limit")}
    assert [reply.code or "stored" for reply in late] == ["stored", "sold_out"]
    assert counters(sale.pool) == (0, 10)
    assert in_step(sale.pool)
    assert audit().broken == {}


@pytest.mark.usefixtures("_nothing_unforeseen")
def test_a_flush_in_the_rush_sells_neither_more_nor_less(redis: Redis, sale: FlashSale) -> None:
    """FLUSHALL again and again, and beat a moment later, while 100 shoppers want 10 units."""
    users = [make_user() for _ in range(100)]
    over, rounds = threading.Event(), Counter[str]()

    def flush() -> None:
        try:
            while not over.is_set():
                gate._client().flushall()
                tasks.correct_gates()
                rounds["flushed"] += 1
        finally:
            over.set()

    def shop(mine: list[User]) -> list[str]:
        told = []
        for number, user in enumerate(mine):
            # Some in each of the first rounds, however fast they are.
            while rounds["flushed"] < number // 5 and not over.is_set():
                over.wait(0.005)
            for _ in range(10_000):
                reply = buys(sale, user, key="k")
                if reply.code not in ("unavailable", "busy"):
                    break
                over.wait(0.005)
            told.append(reply.code or "stored")
        return told

    def crowd() -> list[str]:
        try:
            outcomes = race([partial(shop, users[first::4]) for first in range(4)])
            return [one for outcome in outcomes for one in outcome.result()]
        finally:
            over.set()

    flushing, shopping = race([flush, crowd])
    settle(sale)

    flushing.result()
    assert rounds["flushed"] >= 4
    assert set(shopping.result()) <= {"stored", "sold_out"}
    assert counters(sale.pool) == (0, 10)
    assert Order.objects.filter(status="unpaid").count() == 10
    assert audit().broken == {}


@pytest.mark.usefixtures("_nothing_unforeseen")
@pytest.mark.parametrize("harm", [hung, killed, full])
def test_operators_steer_a_sale_without_its_redis(
    harm: Callable[[Redis], Any], redis: Redis, sale: FlashSale
) -> None:
    operator = make_user()
    place_in(sale, make_user())
    with harm(redis):
        scheduled = gated_sale(placement="direct")
        sale_pause(sale, operator=operator)
        over = gated_sale(placement="direct")
        assert sale_end(over) == 10
        tasks.correct_gates()

    tasks.correct_gates()

    assert buys(scheduled, make_user()).status == 201
    assert buys(sale, make_user()).code == "paused"
    assert buys(over, make_user()).code == "ended"


def test_the_audit_says_that_redis_does_not_answer(redis: Redis, kind: Kind) -> None:
    gated_pool(kind, 5)
    with killed(redis):
        assert audit().broken == {9: ["Redis does not answer"]}
    assert audit().broken == {}
