"""Units taken straight from pools, with no order behind them, and somebody who holds them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from shop import transactions
from shop.pools import audit, services
from shop.pools.models import Movement, Pool, PoolUser
from shop.pools.services import Claim, Terms
from shop.pools.strategies import Take

# Whoever took under such a reference holds just that: what is audited is the counters. A number in
# front of the reference is the user.
TAKEN_BY_TESTS = audit.Holder(
    "pools_poolmovement",
    """
    SELECT m.id AS row_id, m.pool_id AS pool_id, SUBSTR(m.reference, 1, 10) + 0 AS user_id,
           m.reference AS took, m.reference AS returned, -m.delta AS taken,
           COALESCE((
               SELECT SUM(back.delta) FROM pools_poolmovement back
               WHERE back.pool_id = m.pool_id AND back.kind = 'give_back'
                 AND back.reference = m.reference), 0) AS given_back
    FROM pools_poolmovement m WHERE m.kind = 'take'
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


def make_pool(stock: int, *, strategy: str = "", per_user_limit: int | None = None) -> Pool:
    """A pool with `stock` units, loaded through its ledger."""
    pool = Pool.objects.create(kind="test", strategy=strategy, per_user_limit=per_user_limit)
    transactions.run(
        lambda: services.adjust({pool.pk: stock}, kind=Movement.LOAD, reference="initial")
    )
    return pool


def claim_of(units: Mapping[Pool, int], *, reference: str, user_id: int = 0) -> Claim:
    """What `user_id` wants of pools."""
    return Claim(reference, user_id, [Take(pool.pk, count) for pool, count in units.items()])


def take(units: Mapping[Pool, int], *, reference: str, user_id: int = 0) -> None:
    """Takes units of pools in a transaction of its own. Raises what `services.take` raises."""
    transactions.run(
        lambda: services.take(
            claim_of(units, reference=reference, user_id=user_id),
            terms={pool.pk: Terms(pool.strategy, pool.per_user_limit) for pool in units},
        )
    )


def give_back(units: Mapping[Pool, int], *, reference: str, user_id: int = 0) -> None:
    """Gives units back in a transaction of its own. Raises what `services.give_back` raises."""
    claim = claim_of(units, reference=reference, user_id=user_id)
    transactions.run(lambda: services.give_back([claim]))


def taker(units: Mapping[Pool, int], *, reference: str) -> Callable[[], None]:
    """A runner that takes."""
    return lambda: take(units, reference=reference)


def counters(pool: Pool) -> tuple[int, int]:
    """What is available and what is taken, as stored now."""
    return Pool.objects.values_list("available", "taken").get(pk=pool.pk)


def held_by(user_id: int, pool: Pool) -> int:
    """The units of a limited pool that a user is counted with."""
    return sum(PoolUser.objects.filter(pool=pool, user_id=user_id).values_list("taken", flat=True))
