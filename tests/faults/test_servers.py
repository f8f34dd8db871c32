"""Redis and MariaDB, killed or emptied in a storm: no answered order is lost, nothing is sold
twice, no unit is stuck, and the shop heals by itself."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

import pytest
from django.db import connection
from redis import Redis

from goods.sales.models import FlashSale
from orders.models import Order
from shop.pools.audit import audit
from tests.faults.clients import Client, Storm, agreement
from tests.faults.sales import assert_sold, sale_of, states, units_held
from tests.faults.shop import HEAL_SECONDS, REAL_PROCESSES, Shop, wait_until
from tests.kit.clientlog import ClientLog
from tests.kit.hows import SEED, How, hows, in_step, make_users
from tests.kit.units import counters

pytestmark = [*REAL_PROCESSES, pytest.mark.timeout(1800)]

Clients = Callable[..., Client]

CLIENTS, STOCK, LIMIT = 40, 150, 6
# What a sale may say to a storm, and while a server is away.
USUAL = {"", "sold_out", "purchase_limit"}


def waits(*sales: FlashSale) -> bool:
    return Order.objects.filter(queue__in=[sale.queue_id for sale in sales]).exists()


def is_sold_out(sale: FlashSale) -> bool:
    return counters(sale.pool)[0] == 0 and not waits(sale)


def rest(*sales: FlashSale) -> None:
    """After the storm: what waits is settled, and gates are set right, by the shop itself."""
    wait_until(lambda: not waits(*sales), "nothing waits", seconds=HEAL_SECONDS)
    for sale in sales:
        took = wait_until(lambda: in_step(sale), "the gate is in step", seconds=HEAL_SECONDS)  # noqa: B023
        print(f"in step {took:.1f} s after the storm")


@pytest.fixture
def storm_of(client_of: Clients) -> Callable[..., Storm]:
    def make(*sales: FlashSale, clients: int = CLIENTS) -> Storm:
        return Storm([client_of(user) for user in make_users(clients)], sales, seed=SEED)

    return make


@pytest.fixture
def beside(shop: Shop) -> Iterator[Callable[[How], FlashSale]]:
    """A sale without a gate, of the same placement."""
    return lambda how: sale_of(How(how.placement, how.strategy, gated=False), stock=100_000)


def assert_limits_held(sale: FlashSale) -> None:
    bought: Counter[int] = Counter()
    for order in Order.objects.filter(sale=sale, status="unpaid"):
        bought[order.user_id] += order.snapshot[0]["count"]
    assert max(bought.values()) <= LIMIT


@hows("redis killed", short=1, only=lambda how: how.gated)
def test_redis_is_killed_in_a_storm_and_comes_back_empty(
    shop: Shop,
    storm_of: Callable[..., Storm],
    beside: Callable[[How], FlashSale],
    log: ClientLog,
    how: How,
) -> None:
    """Shoppers of a sale without a gate do not notice."""
    sale, ungated = sale_of(how, stock=STOCK, per_user_limit=LIMIT), beside(how)
    storm, others, pids = storm_of(sale), storm_of(ungated, clients=10), shop.pids()

    with storm.raging(), others.raging():
        for kills in range(1, 6 if how.soak else 2):
            wait_until(
                lambda: storm.stored >= 20 * kills,  # noqa: B023
                "it sells",
                seconds=HEAL_SECONDS,
            )
            shop.redis.kill()
            refused = storm.told(sale)["unavailable"]
            sold = others.stored
            wait_until(
                lambda: storm.told(sale)["unavailable"] >= refused + 10,  # noqa: B023
                "the gate is missed",
                seconds=HEAL_SECONDS,
            )
            wait_until(
                lambda: others.stored >= sold + 20,  # noqa: B023
                "the other sale sells",
                seconds=HEAL_SECONDS,
            )
            shop.redis.start()
        took = wait_until(lambda: is_sold_out(sale), "all is sold", seconds=HEAL_SECONDS)
    print(f"sold out {took:.1f} s after the return; {storm.told(sale)}")
    rest(sale, ungated)

    assert set(storm.told(sale)) <= {*USUAL, "unavailable"}
    assert set(others.told(ungated)) == {""}
    assert set(states(sale)) <= {"unpaid", "sold_out", "purchase_limit"}
    assert_sold(sale, units=STOCK, of=STOCK)
    assert_limits_held(sale)
    assert set(states(ungated)) == {"unpaid"}
    assert agreement(log, [sale, ungated]) == []
    assert shop.pids() == pids


@hows("redis flushed", short=1, only=lambda how: how.gated)
def test_redis_is_flushed_in_a_storm(
    shop: Shop,
    storm_of: Callable[..., Storm],
    beside: Callable[[How], FlashSale],
    log: ClientLog,
    how: How,
) -> None:
    """Gates, their keys and counts by shopper, bells and everything else of the broker."""
    sale, ungated = sale_of(how, stock=STOCK, per_user_limit=LIMIT), beside(how)
    storm, redis = storm_of(sale, ungated), Redis.from_url(shop.env["REDIS_URL"])

    with storm.raging():
        for flushes in range(1, 20 if how.soak else 4):
            wait_until(
                lambda: storm.told(sale)[""] >= 7 * flushes,  # noqa: B023
                "it sells",
                seconds=HEAL_SECONDS,
            )
            redis.flushall()
        took = wait_until(lambda: is_sold_out(sale), "all is sold", seconds=HEAL_SECONDS)
    print(f"sold out {took:.1f} s after the last flush; {storm.told(sale)}")
    rest(sale, ungated)

    assert storm.told(sale)["unavailable"]
    assert set(storm.told(sale)) <= {*USUAL, "unavailable"}
    assert set(storm.told(ungated)) == {""}
    assert_sold(sale, units=STOCK, of=STOCK)
    assert_limits_held(sale)
    assert agreement(log, [sale, ungated]) == []


@hows("mariadb killed", short=1)
def test_mariadb_is_killed_in_a_storm_and_comes_back(
    shop: Shop, storm_of: Callable[..., Storm], log: ClientLog, dice: Random, how: How
) -> None:
    """Demand is below the stock, so that whoever is told yes must have got a unit."""
    sale = sale_of(how, stock=1_000_000)
    storm, pids = storm_of(sale), shop.pids()
    away = {"unavailable", "busy", "request_in_progress"}

    with storm.raging(seconds=300):
        for _ in range(20 if how.soak else 1):
            sold, refused = storm.stored, storm.told(sale)["unavailable"]
            more = dice.randrange(10, 60)
            wait_until(lambda: storm.stored >= sold + more, "it sells", seconds=HEAL_SECONDS)  # noqa: B023
            with database_away(shop):
                wait_until(
                    lambda: storm.told(sale)["unavailable"] >= refused + 10,  # noqa: B023
                    "the database is missed",
                    seconds=HEAL_SECONDS,
                )
        sold = storm.stored
        took = wait_until(lambda: storm.stored >= sold + 40, "it sells again", seconds=HEAL_SECONDS)
    print(f"sold 40 more {took:.1f} s after the return; {storm.told(sale)}")
    rest(sale)

    assert set(storm.told(sale)) <= {"", *away}
    orders = Order.objects.filter(sale=sale).count()
    assert orders >= storm.stored
    assert states(sale) == {"unpaid": orders}
    assert units_held(sale) == orders
    assert counters(sale.pool) == (1_000_000 - orders, orders)
    assert audit().broken == {}
    assert agreement(log, [sale]) == []
    assert shop.pids() == pids


@contextmanager
def database_away(shop: Shop) -> Iterator[None]:
    """Killed as by a power cut; back where the block ends."""
    connection.close()
    shop.mariadb.kill()
    try:
        yield
    finally:
        shop.mariadb.start()
