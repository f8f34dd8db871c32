"""Units taken straight from pools, with no order behind them, and somebody who holds them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from shop import transactions
from shop.pools import audit, services
from shop.pools.models import Movement, Pool
from shop.pools.strategies import Take

# Whoever took under such a reference holds just that: what is audited is the counters.
TAKEN_BY_TESTS = audit.Holder(
    "pools_poolmovement",
    """
    SELECT id AS row_id, pool_id, reference,
           CASE kind WHEN 'take' THEN -delta ELSE 0 END AS taken,
           CASE kind WHEN 'give_back' THEN delta ELSE 0 END AS given_back
    FROM pools_poolmovement WHERE kind IN ('take', 'give_back')
    """,
)


@contextmanager
def held_by_tests() -> Iterator[None]:
    """Inside, the audit counts what tests take as held."""
    audit.holders.append(TAKEN_BY_TESTS)
    try:
        yield
    finally:
        audit.holders.remove(TAKEN_BY_TESTS)


def make_pool(stock: int, *, strategy: str = "") -> Pool:
    """A pool with `stock` units, loaded through its ledger."""
    pool = Pool.objects.create(kind="test", strategy=strategy)
    transactions.run(
        lambda: services.adjust({pool.pk: stock}, kind=Movement.LOAD, reference="initial")
    )
    return pool


def take(units: Mapping[Pool, int], *, reference: str) -> None:
    """Takes units of pools in a transaction of its own. Raises what `services.take` raises."""
    transactions.run(
        lambda: services.take(
            [Take(pool.pk, count) for pool, count in units.items()],
            strategies={pool.pk: pool.strategy for pool in units},
            reference=reference,
        )
    )


def taker(units: Mapping[Pool, int], *, reference: str) -> Callable[[], None]:
    """A runner that takes."""
    return lambda: take(units, reference=reference)


def counters(pool: Pool) -> tuple[int, int]:
    """What is available and what is taken, as stored now."""
    return Pool.objects.values_list("available", "taken").get(pk=pool.pk)
