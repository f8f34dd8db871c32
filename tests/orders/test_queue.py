"""The queue and its drain: what is settled, in which order, and what holds up nobody."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from queue import Empty
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from kombu.simple import SimpleQueue
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from goods.models import Sku
from orders.cart import cart_item_set, cart_lines
from orders.checkout import Checkout, order_place
from orders.models import CartItem, Order, OrderLine, OrderMove
from orders.pending import OrderQueue, checkout_queue
from shop.accounts.models import User
from shop.celery import app
from shop.errors import Busy
from shop.pools import drain as draining
from shop.pools import tasks
from shop.pools.audit import audit
from shop.pools.drain import drain, waiting
from shop.pools.models import Pool, PoolMovement, PoolUser, Queue
from tests.factories import (
    make_address,
    make_sale,
    make_sku,
    make_user,
    place,
    place_in,
    request_key_of,
)
from tests.kit.barrier import race
from tests.kit.units import counters, held_by
from tests.orders.settling import fates, queued_sale, wait_in

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture
def queued_checkout(settings: Settings) -> None:
    settings.CHECKOUT_PLACEMENT = "queued"


def takes_of(pool: Pool) -> list[int]:
    return list(
        PoolMovement.objects.filter(pool=pool, kind="take")
        .order_by("pk")
        .values_list("delta", flat=True)
    )


# --- who gets what


def test_who_came_first_is_served_first() -> None:
    sale = queued_sale(2)
    orders = wait_in(sale, 1, 1, 1)

    assert not drain(sale.queue_id)

    assert fates(orders) == ["unpaid", "unpaid", "sold_out"]
    assert counters(sale.pool) == (0, 2)
    assert audit().broken == {}


def test_a_smaller_order_that_came_later_may_still_fit() -> None:
    sale = queued_sale(3)
    orders = wait_in(sale, 2, 2, 1)

    drain(sale.queue_id)

    assert fates(orders) == ["unpaid", "sold_out", "unpaid"]
    assert counters(sale.pool) == (0, 3)


def test_an_order_that_fails_touches_nothing() -> None:
    sale = queued_sale(1, per_user_limit=5)
    first, second = make_user(), make_user()
    orders = [place_in(sale, first), place_in(sale, second)]

    drain(sale.queue_id)

    assert fates(orders) == ["unpaid", "sold_out"]
    assert (held_by(first.pk, sale.pool), held_by(second.pk, sale.pool)) == (1, 0)
    lost = Order.objects.get(pk=orders[1].pk)
    assert (lost.queue_id, lost.expires_at, lost.paid_at) == (None, None, None)
    assert not lost.lines.exists()
    assert list(lost.moves.values_list("source", "target", "actor")) == [
        ("pending", "failed", "drain")
    ]


def test_a_limit_holds_within_one_batch() -> None:
    sale = queued_sale(10, per_user_limit=2)
    user, other = make_user(), make_user()
    orders = [place_in(sale, buyer, count) for buyer, count in ((user, 1), (user, 2), (other, 2))]
    orders.append(place_in(sale, user, 1))

    drain(sale.queue_id)

    assert fates(orders) == ["unpaid", "purchase_limit", "unpaid", "unpaid"]
    assert (held_by(user.pk, sale.pool), held_by(other.pk, sale.pool)) == (2, 2)
    assert counters(sale.pool) == (6, 4)
    assert audit().broken == {}


def test_a_limit_counts_what_was_settled_before() -> None:
    sale, user = queued_sale(10, per_user_limit=2), make_user()
    fate = []
    for _ in range(3):
        order = place_in(sale, user)
        drain(sale.queue_id)
        fate += fates([order])
    assert fate == ["unpaid", "unpaid", "purchase_limit"]


def test_what_waits_while_the_pool_is_closed_fails_as_ended() -> None:
    sale = queued_sale(5)
    orders = wait_in(sale, 1)
    Pool.objects.filter(pk=sale.pool_id).update(open=False)

    drain(sale.queue_id)

    assert fates(orders) == ["ended"]
    assert counters(sale.pool) == (5, 0)


def test_in_one_batch_each_order_has_its_own_fate() -> None:
    """Free and owing, allowed and not, one after the other."""
    sale, free = queued_sale(3), queued_sale(3, price_fen=0)
    frees = Order.objects.filter(sale=free)
    disabled = make_user()
    orders = [*wait_in(sale, 1), place_in(sale, disabled), *wait_in(free, 1), *wait_in(sale, 3)]
    frees.update(queue=sale.queue)
    User.objects.filter(pk=disabled.pk).update(is_active=False)

    drain(sale.queue_id)

    assert fates(orders) == ["unpaid", "permission_denied", "paid", "sold_out"]
    paid = frees.get()
    assert (paid.expires_at, paid.paid_at is None) == (None, False)
    assert (counters(sale.pool), counters(free.pool)) == ((2, 1), (2, 1))
    assert audit().broken == {}


# --- checkout in the queue


def check_out(user: User, items: dict[Sku, int] | None) -> Order:
    wanted = None if items is None else {sku.pk: count for sku, count in items.items()}
    checkout = Checkout(items=wanted, address_id=make_address(user).pk)
    return order_place(user=user, key=request_key_of(user), checkout=checkout).row


@pytest.mark.usefixtures("queued_checkout")
def test_checkout_in_the_queue_answers_202_and_is_settled_later(
    login: Callable[[User], APIClient], shopper: User
) -> None:
    tea, client = make_sku(stock=5, price_fen=700), login(shopper)
    body = {"items": [{"sku": tea.pk, "count": 2}], "address": make_address(shopper).pk}

    answers = [
        client.post("/api/v1/orders", body, headers={"Idempotency-Key": "k"}) for _ in range(2)
    ]
    before = counters(tea.pool)
    drain(checkout_queue())
    seen = client.get(answers[0]["Location"]).json()

    assert [answer.status_code for answer in answers] == [202, 202]
    assert [answer.json()["status"] for answer in answers] == ["pending", "pending"]
    assert answers[1]["Idempotent-Replayed"] == "true"
    assert answers[0]["Location"] == f"/api/v1/orders/{answers[0].json()['order_no']}"
    assert answers[0]["Retry-After"] == "1"
    assert before == (5, 0)
    assert (seen["status"], seen["total_fen"]) == ("unpaid", 1400)
    assert seen["expires_at"] is not None
    assert counters(tea.pool) == (3, 2)
    assert audit().broken == {}


@pytest.mark.usefixtures("queued_checkout")
def test_all_lines_of_an_order_are_taken_or_none() -> None:
    tea, pot = make_sku(stock=5), make_sku(stock=1)
    both, neither, tea_only = (
        check_out(make_user(), items) for items in ({tea: 1, pot: 1}, {pot: 1, tea: 2}, {tea: 4})
    )

    drain(checkout_queue())

    assert fates([both, neither, tea_only]) == ["unpaid", "sold_out", "unpaid"]
    assert (counters(tea.pool), counters(pot.pool)) == ((0, 5), (0, 1))
    # One movement for each pool, whatever the number of orders.
    assert (takes_of(tea.pool), takes_of(pot.pool)) == ([-5], [-1])
    assert audit().broken == {}


@pytest.mark.usefixtures("queued_checkout")
def test_a_queued_order_is_at_the_price_it_was_placed_at() -> None:
    tea = make_sku(stock=5, price_fen=700)
    order = check_out(make_user(), {tea: 1})
    Sku.objects.filter(pk=tea.pk).update(price_fen=9_999, on_shelf=False)

    drain(checkout_queue())

    assert fates([order]) == ["unpaid"]
    assert OrderLine.objects.get().price_fen == 700


@pytest.mark.usefixtures("queued_checkout")
def test_a_cart_loses_exactly_what_was_ordered_from_it() -> None:
    user = make_user()
    tea, pot, cup, jar = (make_sku(stock=50) for _ in range(4))
    for sku, count in ((tea, 2), (pot, 1), (jar, 3)):
        cart_item_set(user=user, sku_id=sku.pk, count=count)
    order = check_out(user, None)
    assert cart_lines(user) == {tea.pk: 2, pot.pk: 1, jar.pk: 3}
    # Meanwhile: more of one, fewer of another, and one that was not ordered.
    cart_item_set(user=user, sku_id=tea.pk, count=5)
    cart_item_set(user=user, sku_id=jar.pk, count=1)
    cart_item_set(user=user, sku_id=cup.pk, count=1)

    drain(checkout_queue())

    assert fates([order]) == ["unpaid"]
    assert cart_lines(user) == {tea.pk: 3, cup.pk: 1}


@pytest.mark.usefixtures("queued_checkout")
def test_a_cart_stays_as_it_is_when_its_order_fails_or_was_not_made_of_it() -> None:
    tea, first, second = make_sku(stock=2), make_user(), make_user()
    for user in (first, second):
        cart_item_set(user=user, sku_id=tea.pk, count=2)
    orders = [check_out(first, {tea: 2}), check_out(second, None)]

    drain(checkout_queue())

    assert fates(orders) == ["unpaid", "sold_out"]
    assert CartItem.objects.count() == 2


@pytest.mark.usefixtures("queued_checkout")
def test_a_cancelled_order_leaves_the_cart_alone(login: Callable[[User], APIClient]) -> None:
    tea, user = make_sku(stock=2), make_user()
    cart_item_set(user=user, sku_id=tea.pk, count=1)
    order = check_out(user, None)

    login(user).post(f"/api/v1/orders/{order.order_no}/cancel")
    drain(checkout_queue())

    assert fates([order]) == ["cancelled"]
    assert cart_lines(user) == {tea.pk: 1}


# --- how it is written


def sent_by(work: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        work()
    return [query["sql"].replace("`", "").replace('"', "") for query in captured]


def test_a_batch_is_one_update_of_each_counter_and_as_many_statements_whatever_its_size(
    settings: Settings,
) -> None:
    sale = queued_sale(100, per_user_limit=1)
    wait_in(sale, *[1] * 3)
    few = sent_by(lambda: drain(sale.queue_id))
    wait_in(sale, *[1] * 30)
    many = sent_by(lambda: drain(sale.queue_id))

    assert len(many) == len(few)
    counted = [sql for sql in many if sql.startswith("UPDATE pools_pool ")]
    # `available = available - 30`, on a condition of nothing: the row is locked.
    [update] = counted
    assert "30" in update
    assert takes_of(sale.pool) == [-3, -30]
    locking = [sql for sql in many if "pools_pool WHERE" in sql and "ORDER BY" in sql]
    assert len(locking) == 1
    if connection.features.has_select_for_update:
        assert locking[0].endswith("FOR UPDATE")


def test_rows_are_locked_in_the_stated_order() -> None:
    """Queue, orders, limits, pools; the counter is written after all that is decided."""
    sale = queued_sale(5, per_user_limit=1)
    wait_in(sale, 1)

    sent = sent_by(lambda: drain(sale.queue_id))

    def first(start: str, table: str) -> int:
        return next(n for n, sql in enumerate(sent) if sql.startswith(start) and table in sql)

    steps = [
        first("SELECT pools_queue.id", "pools_queue.id = "),
        first("SELECT orders_order.id", "orders_order.queue_id = "),
        first("INSERT INTO", "pools_pooluser"),
        first("SELECT pools_pool.id", "ORDER BY pools_pool.id"),
        first("INSERT INTO", "pools_poolmovement"),
        first("UPDATE", "pools_pool "),
    ]
    assert steps == sorted(steps)


def test_a_full_batch_is_settled_before_the_next_one(settings: Settings) -> None:
    settings.DRAIN_BATCH = 3
    sale = queued_sale(10)
    orders = wait_in(sale, *[1] * 7)

    assert not drain(sale.queue_id)

    assert takes_of(sale.pool) == [-3, -3, -1]
    references = [OrderLine.objects.get(order=order).reference for order in orders]
    assert [len(set(references[start : start + 3])) for start in (0, 3, 6)] == [1, 1, 1]
    assert len(set(references)) == 3
    assert all(reference.startswith("batch-") for reference in references)


def test_a_drain_yields_when_its_time_is_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DRAIN_BATCH = 1
    sale = queued_sale(10)
    wait_in(sale, *[1] * 5)
    monkeypatch.setattr(draining, "BUDGET_SECONDS", 1e-6)

    # Each time one batch, then another queue has its turn.
    left = [drain(sale.queue_id) for _ in range(2)]

    assert left == [True, True]
    assert takes_of(sale.pool) == [-1, -1]
    assert Order.objects.filter(queue=sale.queue_id).count() == 3


def test_queues_are_drained_apart(settings: Settings) -> None:
    one, other = queued_sale(5), queued_sale(5)
    mine, theirs = wait_in(one, 1), wait_in(other, 1)
    assert set(waiting()) == {one.queue_id, other.queue_id}

    drain(one.queue_id)

    assert (fates(mine), fates(theirs)) == (["unpaid"], ["pending"])
    assert waiting() == [other.queue_id]


# --- poison


def tear(order: Order) -> None:
    """What settling reads of it makes no sense."""
    Order.objects.filter(pk=order.pk).update(snapshot=[{"sku": 1}])


def take_pool_away(order: Order) -> None:
    """It wants units of a pool that is not there."""
    snapshot = [{**line, "pool": 987_654} for line in order.snapshot]
    Order.objects.filter(pk=order.pk).update(snapshot=snapshot)


def take_sku_away(order: Order) -> None:
    """Its line can't be stored: SQLite says so at COMMIT, MariaDB at once."""
    snapshot = [{**line, "sku": 987_654} for line in order.snapshot]
    Order.objects.filter(pk=order.pk).update(snapshot=snapshot)


@pytest.mark.parametrize("poison", [tear, take_pool_away, take_sku_away])
def test_an_order_that_cannot_be_settled_is_split_off_and_given_up_after_some_attempts(
    poison: Callable[[Order], None], settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DRAIN_ATTEMPTS = 3
    sale = queued_sale(20, per_user_limit=None)
    orders = wait_in(sale, *[1] * 9)
    poisoned, good = orders[4], orders[:4] + orders[5:]
    poison(poisoned)

    with caplog.at_level(logging.ERROR, logger="shop.pools.drain"):
        assert not drain(sale.queue_id)

    assert fates(good) == ["unpaid"] * 8
    assert counters(sale.pool) == (12, 8)
    poisoned.refresh_from_db()
    assert (poisoned.status, poisoned.attempts) == ("pending", 1)
    [said] = [record for record in caplog.records if record.exc_info]
    assert said.message == f"drain: settling row {poisoned.pk} of queue {sale.queue_id} failed"

    newcomers = wait_in(sale, 1)
    drain(sale.queue_id)
    drain(sale.queue_id)

    poisoned.refresh_from_db()
    assert (poisoned.status, poisoned.failure, poisoned.attempts) == ("failed", "internal", 3)
    assert poisoned.queue_id is None
    assert fates(newcomers) == ["unpaid"]
    assert not drain(sale.queue_id)
    assert counters(sale.pool) == (11, 9)
    assert OrderMove.objects.filter(order=poisoned).count() == 1
    assert not OrderLine.objects.filter(order=poisoned).exists()
    assert audit().broken == {}


def test_poison_first_last_and_in_the_middle_holds_up_nobody() -> None:
    sale = queued_sale(20)
    orders = wait_in(sale, *[1] * 10)
    for index in (0, 5, 9):
        tear(orders[index])

    drain(sale.queue_id)

    assert fates(orders) == ["pending" if index in (0, 5, 9) else "unpaid" for index in range(10)]
    # In the order they came, though in parts.
    assert sum(takes_of(sale.pool)) == -7
    assert audit().broken == {}


def test_an_order_that_cannot_even_be_given_up_holds_up_nobody(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sale = queued_sale(20)
    orders = wait_in(sale, *[1] * 3)
    tear(orders[0])

    def failed(self: OrderQueue, row_id: int) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(OrderQueue, "failed", failed)
    assert not drain(sale.queue_id)

    assert fates(orders) == ["pending", "unpaid", "unpaid"]
    assert f"drain: row {orders[0].pk} can't be given up" in caplog.messages


def test_an_error_that_passes_costs_an_attempt_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sale = queued_sale(20)
    orders = wait_in(sale, *[1] * 4)
    settle = OrderQueue.settle

    def broken(self: OrderQueue, rows: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(OrderQueue, "settle", broken)
    drain(sale.queue_id)
    monkeypatch.setattr(OrderQueue, "settle", settle)
    assert fates(orders) == ["pending"] * 4
    assert counters(sale.pool) == (20, 0)

    drain(sale.queue_id)

    assert fates(orders) == ["unpaid"] * 4
    assert set(Order.objects.values_list("attempts", flat=True)) == {1}


# --- bells


@pytest.fixture
def messages() -> Iterator[SimpleQueue]:
    """The broker's own queue of drains, which no worker listens to here."""
    with app.connection_for_write() as broker, broker.SimpleQueue("drains") as queue:
        queue.clear()
        yield queue
        queue.clear()


def told(messages: SimpleQueue, *, wait: float = 60) -> Iterator[int]:
    """The queues that messages name, which then are gone; until none has come for `wait` seconds.
    Bells of earlier tests may be among them."""
    with suppress(Empty):
        while True:
            message = messages.get(block=wait > 0, timeout=wait)
            message.ack()
            [[queue_id], _options, _embedded] = message.payload
            yield queue_id


def test_a_request_rings_for_its_queue(messages: SimpleQueue) -> None:
    sale = queued_sale(5)
    wait_in(sale, 1)
    assert sale.queue_id in told(messages)


def test_beat_rings_for_what_waits_although_its_bell_was_lost(messages: SimpleQueue) -> None:
    sale, idle = queued_sale(5), queued_sale(5)
    orders = wait_in(sale, 1)
    assert sale.queue_id in told(messages)  # and nobody does anything about it

    tasks.ring_drains()
    rung = list(told(messages, wait=0))
    assert sale.queue_id in rung
    assert idle.queue_id not in rung
    tasks.drain(sale.queue_id)

    assert fates(orders) == ["unpaid"]
    tasks.ring_drains()
    assert sale.queue_id not in told(messages, wait=0)


def test_a_drain_that_is_not_done_rings_for_itself(
    messages: SimpleQueue, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DRAIN_BATCH = 1
    monkeypatch.setattr(draining, "BUDGET_SECONDS", 1e-6)
    sale = queued_sale(5)
    orders = wait_in(sale, 1, 1)
    assert sale.queue_id in told(messages)

    tasks.drain(sale.queue_id)

    assert sale.queue_id in told(messages, wait=0)

    assert fates(orders) == ["unpaid", "pending"]


def test_drains_at_once_settle_each_order_once() -> None:
    sale = queued_sale(60, per_user_limit=1)
    orders = wait_in(sale, *[1] * 40)

    outcomes = race([partial(drain, sale.queue_id) for _ in range(6)])

    for outcome in outcomes:
        outcome.result()
    drain(sale.queue_id)
    assert fates(orders) == ["unpaid"] * 40
    assert counters(sale.pool) == (20, 40)
    assert sum(takes_of(sale.pool)) == -40
    assert OrderMove.objects.count() == OrderLine.objects.count() == 40
    assert set(PoolUser.objects.values_list("taken", flat=True)) == {1}
    assert audit().broken == {}


def test_a_late_or_doubled_bell_changes_nothing() -> None:
    sale = queued_sale(5)
    wait_in(sale, 1)
    for _ in range(3):
        tasks.drain(sale.queue_id)
    assert takes_of(sale.pool) == [-1]
    assert OrderMove.objects.count() == 1


# --- too many


def test_a_drain_lingers_only_where_it_found_something(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the bells of a rush, each answered for a moment, would hold up every other queue."""
    sale = queued_sale(total=2)
    pauses: list[float] = []

    def no_pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > 3:
            raise TimeoutError

    monkeypatch.setattr(draining.time, "sleep", no_pause)
    assert drain(sale.queue_id, linger=3600) is False
    assert pauses == []
    wait_in(sale, 1)
    with suppress(TimeoutError):
        drain(sale.queue_id, linger=3600)
    assert len(pauses) > 3


def test_a_queue_that_is_full_is_busy_until_it_is_drained(
    settings: Settings, login: Callable[[User], APIClient], shopper: User
) -> None:
    settings.PENDING_LIMIT = 2
    sale = queued_sale(10)
    first, _ = wait_in(sale, 1, 1)
    path, client = f"/api/v1/flash-sales/{sale.pk}/orders", login(shopper)

    def post(key: str) -> Any:
        return client.post(path, {"count": 1}, headers={"Idempotency-Key": key})

    refused = post("k")
    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
    assert refused["Retry-After"] == "1"
    assert Order.objects.count() == 2

    drain(sale.queue_id)
    accepted = post("k")
    assert accepted.status_code == 202
    # A repeat of what waits is answered however full it is.
    wait_in(sale, 1)
    again = post("k")
    assert (again.status_code, again["Idempotent-Replayed"]) == (202, "true")
    assert post("another").status_code == 503
    assert Order.objects.get(pk=first.pk).status == "unpaid"


def test_a_sales_own_limit_of_the_waiting_comes_first() -> None:
    sale, other = queued_sale(10, concurrency_limit=1), queued_sale(10)
    wait_in(sale, 1)
    with pytest.raises(Busy):
        wait_in(sale, 1)
    wait_in(other, 1, 1)
    assert Order.objects.count() == 3


def test_a_large_number_of_waiting_orders_is_not_counted_for_each_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shop.pools.waiting.COUNT_SECONDS", 3600)
    sale, user, other = queued_sale(10), make_user(), make_user()

    first, second = (sent_by(partial(place_in, sale, shopper)) for shopper in (user, other))

    assert [len([sql for sql in sent if "COUNT(" in sql]) for sent in (first, second)] == [1, 0]


# --- side by side


def test_a_cart_and_a_sale_of_one_sku_never_sell_more_than_there_is(settings: Settings) -> None:
    """The sale's units are set apart; what is left is the cart's."""
    tea = make_sku(stock=10)
    sale = make_sale(tea, total=4, placement="queued", per_user_limit=None)
    in_sale = wait_in(sale, 4, 1)
    settings.CHECKOUT_PLACEMENT = "queued"
    in_cart = [check_out(make_user(), {tea: count}) for count in (5, 2)]
    settings.CHECKOUT_PLACEMENT = "direct"
    at_once = place(make_user(), {tea: 1})

    for queue in Queue.objects.all():
        drain(queue.pk)

    assert fates(in_sale) == ["unpaid", "sold_out"]
    assert fates([at_once, *in_cart]) == ["unpaid", "unpaid", "sold_out"]
    assert (counters(sale.pool), counters(tea.pool)) == ((0, 4), (0, 6))
    assert audit().broken == {}
