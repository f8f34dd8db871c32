"""Workers that die over a drain, bells that nobody hears or everybody hears, orders that can't be
settled: each pending order is settled once, within seconds, and nothing waits for an operator."""

import os
import random
import signal
from collections.abc import Callable
from functools import partial
from itertools import product

import pytest
from django.db import transaction
from kombu import Connection
from redis import Redis

from goods.sales.models import FlashSale
from orders.models import Order, OrderMove
from orders.pending import was_given_up
from shop.accounts.models import User
from shop.pools.tasks import drain
from tests.faults.clients import Client, Reply, agreement, at_once
from tests.faults.sales import assert_sold, sale_of, states
from tests.faults.shop import HEAL_SECONDS, REAL_PROCESSES, Shop, children_of, wait_until
from tests.kit.clientlog import ClientLog
from tests.kit.hows import SEED, How, hows, make_users

pytestmark = REAL_PROCESSES

Clients = Callable[..., Client]

BEFORE = ("drain.before", "drain.settled", "commit.before")
AFTER = ("commit.after", "drain.after")


def deaths() -> list[object]:
    """Who dies where, with or without a gate: three of them for `make test`, one before the commit,
    one in it, one after it."""
    dice = random.Random(f"{SEED} deaths")
    every = list(product(("child", "worker"), (*BEFORE, *AFTER), (True, False)))
    short = [
        (dice.choice(("child", "worker")), dice.choice(points), dice.choice((True, False)))
        for points in (BEFORE[:2], BEFORE[2:], AFTER)
    ]
    return [*short, *(pytest.param(*death, marks=pytest.mark.soak) for death in every)]


def buy_all(client_of: Clients, users: list[User], sale: FlashSale) -> list[Reply]:
    """One unit for each of them, at once."""
    return at_once([partial(client_of(user).buy, sale) for user in users])


def waits(sale: FlashSale) -> int:
    return Order.objects.filter(queue_id=sale.queue_id).count()


def silence(shop: Shop) -> None:
    """Takes away what bells have said. With the web processes go the rings that they delay."""
    broker = Redis.from_url(shop.env["REDIS_URL"])
    wait_until(lambda: broker.llen("drains"), "a bell has rung", seconds=HEAL_SECONDS)
    shop.web.kill()
    broker.flushdb()
    shop.start_web()


def is_in_hand(sale: FlashSale) -> bool:
    """Whether a drain has locked pending orders."""
    pending = Order.objects.filter(queue_id=sale.queue_id)
    with transaction.atomic():
        free = pending.select_for_update(skip_locked=True).values_list("pk", flat=True)
        return len(free) < pending.count()


def is_settled(sale: FlashSale) -> bool:
    """Whether a drain has committed something."""
    return OrderMove.objects.filter(order__sale=sale).exists()


@pytest.mark.parametrize(("who", "point", "gated"), deaths())
def test_a_death_over_a_drain_settles_each_order_once(
    shop: Shop, client_of: Clients, log: ClientLog, who: str, point: str, gated: bool
) -> None:
    sale = sale_of(How("queued", "optimistic", gated), stock=20, per_user_limit=1)

    with shop.a_worker_that_stays_at(point) as worker:
        replies = buy_all(client_of, make_users(30), sale)
        reached = is_in_hand if point in BEFORE else is_settled
        wait_until(lambda: reached(sale), f"a drain at {point}", seconds=HEAL_SECONDS)
        if who == "child":
            for child in children_of(worker):
                os.kill(child, signal.SIGKILL)
            shop.let_go()
            took = wait_until(lambda: not waits(sale), "all settled", seconds=HEAL_SECONDS)
            assert worker.exit_code() is None
        else:
            worker.kill()
            shop.worker.start()
            took = wait_until(lambda: not waits(sale), "all settled", seconds=HEAL_SECONDS)
    print(f"settled {took:.1f} s after the death")

    stored = sum(not reply.code for reply in replies)
    assert {reply.code for reply in replies} <= {"", "sold_out"}
    assert states(sale)["unpaid"] == 20
    assert sum(states(sale).values()) == stored
    assert OrderMove.objects.filter(order__sale=sale).count() == stored
    shop.comes_to_rest(sale)
    assert_sold(sale, units=20, of=20)
    assert agreement(log, [sale]) == []


def test_an_order_whose_bell_nobody_hears_is_found_by_beat(
    shop: Shop, client_of: Clients, log: ClientLog
) -> None:
    how = How("queued", "optimistic", gated=False)
    unheard, heard = sale_of(how, stock=5), sale_of(how, stock=5)
    shop.worker.kill()
    shop.beat.kill()
    buy_all(client_of, make_users(8), unheard)
    silence(shop)

    # Without beat: a worker that works does not find them.
    shop.worker.start()
    buy_all(client_of, make_users(1), heard)
    wait_until(lambda: not waits(heard), "the heard bell is answered", seconds=HEAL_SECONDS)
    assert waits(unheard)

    shop.beat.start()
    took = wait_until(lambda: not waits(unheard), "beat has rung", seconds=HEAL_SECONDS)
    print(f"found {took:.1f} s after the start of beat")
    assert states(unheard)["unpaid"] == 5
    assert_sold(unheard, units=5, of=5)
    assert agreement(log, [unheard, heard]) == []


@hows("bells", short=1, only=lambda how: how.queued)
def test_a_bell_that_is_heard_40_times_in_parallel_has_one_effect(
    shop: Shop, client_of: Clients, log: ClientLog, how: How
) -> None:
    sale = sale_of(how, stock=20, per_user_limit=1)
    shop.worker.kill()
    replies = buy_all(client_of, make_users(30), sale)
    with Connection(shop.env["REDIS_URL"]) as broker:
        for _ in range(40):
            drain.apply_async((sale.queue_id,), connection=broker)

    shop.worker.start()
    wait_until(lambda: not waits(sale), "all settled", seconds=HEAL_SECONDS)

    assert states(sale)["unpaid"] == 20
    assert OrderMove.objects.filter(order__sale=sale).count() == sum(
        not reply.code for reply in replies
    )
    shop.comes_to_rest(sale)
    assert_sold(sale, units=20, of=20)
    assert agreement(log, [sale]) == []


@hows("cursed", short=1, only=lambda how: how.queued)
def test_an_order_that_can_never_be_settled_is_given_up_and_holds_up_nobody(
    shop: Shop, client_of: Clients, log: ClientLog, dice: random.Random, how: How
) -> None:
    """Its snapshot names a SKU that does not exist: its lines can't be stored."""
    sale = sale_of(how, stock=20, per_user_limit=1)
    shop.worker.kill()
    buy_all(client_of, make_users(12), sale)
    cursed = dice.choice(list(Order.objects.filter(sale=sale)))
    cursed.snapshot[0]["sku"] = 10**12
    cursed.save(update_fields=["snapshot"])

    shop.worker.start()
    others = Order.objects.filter(sale=sale).exclude(pk=cursed.pk)
    settled = others.filter(status="unpaid")
    took = wait_until(lambda: settled.count() == 11, "the others settled", seconds=HEAL_SECONDS)
    print(f"the others were settled after {took:.1f} s")
    took = wait_until(lambda: not waits(sale), "it is given up", seconds=HEAL_SECONDS)
    print(f"it was given up {took:.1f} s later")

    cursed.refresh_from_db()
    assert (cursed.status, cursed.failure, cursed.attempts) == ("failed", "internal", 5)
    # The operator sees it: in the log, and among the orders that were given up.
    said = shop.worker.log.read_text()
    assert said.count(f"settling row {cursed.pk} of queue {sale.queue_id} failed") == 5
    assert list(Order.objects.filter(was_given_up(), sale=sale)) == [cursed]
    shop.comes_to_rest(sale)
    assert_sold(sale, units=11, of=20)
    assert agreement(log, [sale]) == []
