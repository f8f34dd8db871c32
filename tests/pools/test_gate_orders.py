"""Sales behind gates: what shoppers are told, and that the gate hears of all that happens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from goods.sales.models import FlashSale
from goods.sales.services import sale_end, sale_pause, sale_set_pool
from orders import lifecycle
from orders.models import Order
from shop.accounts.models import User
from shop.pools.audit import audit
from shop.pools.drain import drain
from shop.pools.gatekeeping import look, rebuild
from shop.pools.models import Strategy
from shop.pools.tasks import correct_gates
from tests.factories import make_user, overdue, place_in
from tests.kit.marks import on_mariadb
from tests.kit.units import counters
from tests.orders.settling import settle
from tests.pools.gates import (
    DOOR,
    buys,
    gated_sale,
    in_step,
    let_pass,
    remaining,
    spoil,
)

# Redis is there where MariaDB is.
pytestmark = [*on_mariadb, pytest.mark.usefixtures("empty_gates")]


@pytest.fixture(params=["direct", "queued"])
def sale(request: pytest.FixtureRequest) -> FlashSale:
    """10 units behind a gate, at most 2 for one shopper."""
    return gated_sale(placement=request.param)


@contextmanager
def disabled(user: User) -> Iterator[None]:
    User.objects.filter(pk=user.pk).update(is_active=False)
    yield
    User.objects.filter(pk=user.pk).update(is_active=True)


def test_the_gate_is_in_step_after_everything_that_happens_to_an_order(sale: FlashSale) -> None:
    buyer, payer, late, over = (make_user() for _ in range(4))

    def step(work: Callable[[], object]) -> None:
        work()
        settle(sale)
        assert in_step(sale.pool), work

    step(lambda: buys(sale, buyer, key="k"))
    step(lambda: buys(sale, buyer, key="k"))  # again
    step(lambda: buys(sale, buyer, count=2))  # beyond the limit
    order = Order.objects.get(user=buyer)
    step(lambda: lifecycle.order_cancel(user=buyer, order_no=order.order_no))
    step(lambda: buys(sale, buyer, key="k"))  # of what is cancelled
    step(lambda: buys(sale, payer, count=2))
    step(lambda: overdue(Order.objects.get(user=payer)))
    step(lifecycle.orders_expire)
    with disabled(late):
        step(lambda: buys(sale, late))
    step(lambda: DOOR.post(over, sale.pk, {"count": 1, "address": 987654}))  # not found
    step(lambda: buys(sale, over, count=3))  # beyond the limit before the gate is asked
    assert audit().broken == {}


def test_a_pending_order_that_is_cancelled_makes_room_at_the_gate() -> None:
    sale, user = gated_sale(total=1, placement="queued"), make_user()
    order = place_in(sale, user)
    assert buys(sale, make_user()).code == "sold_out"

    lifecycle.order_cancel(user=user, order_no=order.order_no)

    assert in_step(sale.pool)
    assert buys(sale, user).status == 202


def test_a_gate_that_admits_too_much_costs_a_refusal_and_sells_nothing_twice(
    sale: FlashSale,
) -> None:
    spoil(sale.pool, by=+5)
    replies = [buys(sale, make_user(), count=2) for _ in range(7)]
    settle(sale)

    assert counters(sale.pool) == (0, 10)
    told = [reply.code or "stored" for reply in replies]
    if sale.placement == "direct":
        assert told == ["stored"] * 5 + ["sold_out"] * 2
    else:
        assert told == ["stored"] * 7
        failed = Order.objects.filter(status="failed").values_list("failure", flat=True)
        assert list(failed) == ["sold_out"] * 2
    # Whoever was refused after all has been given back to the gate: only the fault is left.
    assert look(sale.pool_id).remaining == -5
    assert look(sale.pool_id).users == {}
    assert audit().broken == {}


def test_a_gate_that_forgets_a_shopper_does_not_lift_the_limit(sale: FlashSale) -> None:
    user = make_user()
    buys(sale, user, count=2)
    settle(sale)
    spoil(sale.pool, users={user.pk: -2})

    reply = buys(sale, user, count=1)
    settle(sale)

    assert counters(sale.pool) == (8, 2)
    if sale.placement == "direct":
        assert reply.refusal == (409, "purchase_limit")
    assert audit().broken == {}


def test_a_full_queue_gives_back_what_the_gate_has_let_through() -> None:
    sale = gated_sale(placement="queued", concurrency_limit=1)
    assert buys(sale, make_user()).status == 202
    user = make_user()

    refused = [buys(sale, user, key="k") for _ in range(3)]

    assert [reply.refusal for reply in refused] == [(503, "busy")] * 3
    assert in_step(sale.pool)
    settle(sale)
    assert buys(sale, user, key="k").status == 202


@pytest.mark.parametrize("snapshot", [7, [{"sku": 1}], [{"pool": 987_654, "count": 1}]])
def test_an_order_whose_units_are_unknown_holds_up_no_gate(
    snapshot: Any, settings: Settings
) -> None:
    """Not its own, nor any that beat comes to after it."""
    settings.DRAIN_ATTEMPTS = 1
    sale, other = gated_sale(placement="queued"), gated_sale(placement="queued")
    order = place_in(sale, make_user(), 2)
    Order.objects.filter(pk=order.pk).update(snapshot=snapshot)
    spoil(other.pool, by=+3)

    for _ in range(2):
        correct_gates()
        for one in (sale, other):
            let_pass(one.pool)
    assert in_step(sale.pool)
    assert in_step(other.pool)
    assert audit().broken == {}

    drain(sale.queue_id)
    order.refresh_from_db()
    assert order.failure == "internal"
    assert in_step(sale.pool)


@pytest.mark.parametrize("why", ["paused", "sold_out", "purchase_limit", "ended", "rate_limited"])
def test_a_repeat_is_answered_whatever_the_gate_says_to_others(
    why: str, settings: Settings
) -> None:
    settings.SALE_RATE_SECONDS = {"user": 60, "address": 60, "all": 60}
    terms: dict[str, Any] = {"per_user_limit": 1, "placement": "direct", "total": 1}
    if why == "rate_limited":
        terms |= {"total": 9, "rate_in_all": 1}
    sale, user, operator = gated_sale(**terms), make_user(), make_user()
    first = buys(sale, user, key="k")
    if why == "paused":
        sale_pause(sale, operator=operator)
    elif why == "ended":
        sale_end(sale)
    other = buys(sale, user if why == "purchase_limit" else make_user())

    again = buys(sale, user, key="k")

    assert other.code == why
    assert (again.status, again.is_replay) == (201, True)
    assert again.body["order_no"] == first.body["order_no"]


def test_each_refusal_of_a_gate_has_its_own_answer(sale: FlashSale) -> None:
    pool = sale.pool
    greedy = make_user()
    assert buys(sale, greedy, count=2).status in (201, 202)
    limited = buys(sale, greedy)
    assert (limited.refusal, limited.body["limit"]) == ((409, "purchase_limit"), 2)
    spoil(pool, by=-7)
    few = buys(sale, make_user(), count=2)
    assert few.refusal == (409, "insufficient_stock")
    assert (few.body["sku"], few.body["available"]) == (sale.sku_id, 1)
    spoil(pool, by=-1)
    assert buys(sale, make_user()).refusal == (409, "sold_out")


def test_a_rate_refusal_is_429_with_the_seconds_to_wait(settings: Settings) -> None:
    settings.SALE_RATE_SECONDS = {"user": 60, "address": 60, "all": 60}
    sale = gated_sale(placement="direct", rate_per_user=1, per_user_limit=None)
    user = make_user()
    assert buys(sale, user).status == 201

    refused = buys(sale, user)

    assert refused.refusal == (429, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.body["retry_after"] == int(refused.headers["Retry-After"])
    assert Order.objects.count() == 1


@pytest.mark.parametrize("proxies", [0, 1])
def test_an_address_is_what_the_stated_number_of_proxies_says(
    proxies: int, settings: Settings
) -> None:
    """Rotating what a client may write itself opens nothing."""
    settings.TRUSTED_PROXIES = proxies
    sale = gated_sale(placement="direct", rate_per_address=3, per_user_limit=None)
    settings.SALE_RATE_SECONDS = {"user": 60, "address": 60, "all": 60}
    rebuild(sale.pool_id, force=True)

    replies = [
        DOOR.post(
            make_user(),
            sale.pk,
            {"count": 1},
            **{"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.9"},
        )
        for number in range(8)
    ]

    told = [reply.code or "stored" for reply in replies]
    assert told == ["stored"] * 3 + ["rate_limited"] * 5


def test_a_gate_switched_off_and_on_knows_what_happened_meanwhile(sale: FlashSale) -> None:
    operator, user = make_user(), make_user()
    sale_set_pool(sale, strategy=Strategy.DEFAULT, gated=False, operator=operator)
    spoil(sale.pool, by=-10)
    place_in(sale, user, 2)
    settle(sale)

    sale_set_pool(sale, strategy=Strategy.DEFAULT, gated=True, operator=operator)

    assert in_step(sale.pool)
    assert remaining(sale.pool) == 8
