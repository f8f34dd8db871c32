"""The strategies one at a time: which statements they send, what they refuse, when they give up."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from shop.errors import Busy
from shop.pools import services
from shop.pools.models import Pool, PoolMovement
from shop.pools.refusals import Closed, Shortage
from shop.pools.services import Claim, Terms
from shop.pools.strategies import STRATEGIES, Optimistic, Take
from tests.kit.units import counters, make_pool, take

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["pessimistic", "optimistic"])
def strategy(request: pytest.FixtureRequest, settings: Settings) -> str:
    settings.STOCK_STRATEGY = request.param
    return str(request.param)


@pytest.fixture
def pools() -> list[Pool]:
    return [make_pool(5), make_pool(5)]


def statements_of(pools: list[Pool]) -> Iterator[str]:
    """What a take of 2 of the first and 1 of the second sends, given in the wrong order."""
    first, second = pools
    units = [Take(second.pk, 1), Take(first.pk, 2)]
    terms = {pool.pk: Terms() for pool in pools}
    with CaptureQueriesContext(connection) as captured:
        services.take(Claim("one", 0, units), terms=terms)
    for query in captured:
        yield query["sql"].replace("`", "").replace('"', "")


UPDATE = "UPDATE pools_pool SET available = available - {0}, taken = taken + {0} WHERE id = {1}"


def updates(pools: list[Pool], *, condition: str = "") -> list[str]:
    counts = (2, 1)
    return [
        (UPDATE + condition).format(count, pool.pk)
        for pool, count in zip(pools, counts, strict=True)
    ]


def test_pessimistic_is_one_ordered_locking_read_and_an_update_per_pool(
    settings: Settings, pools: list[Pool]
) -> None:
    settings.STOCK_STRATEGY = "pessimistic"

    movements, locking_read, *writes = statements_of(pools)

    assert movements.startswith("INSERT INTO pools_poolmovement")
    assert locking_read.startswith("SELECT pools_pool.id AS pk, ")
    ids = ", ".join(str(pool.pk) for pool in pools)
    assert f"WHERE pools_pool.id IN ({ids}) ORDER BY 1 ASC" in locking_read
    assert locking_read.endswith("FOR UPDATE") == connection.features.has_select_for_update
    assert writes == updates(pools)


def test_optimistic_is_an_update_per_pool_that_carries_its_condition(
    settings: Settings, pools: list[Pool]
) -> None:
    settings.STOCK_STRATEGY = "optimistic"

    movements, *writes = statements_of(pools)

    assert movements.startswith("INSERT INTO pools_poolmovement")
    assert writes == updates(pools, condition=" AND open AND available >= {0}")


def test_a_pools_own_strategy_is_stronger_than_the_setting(
    settings: Settings,
) -> None:
    settings.STOCK_STRATEGY = "no such strategy"

    take(
        {make_pool(5, strategy="pessimistic"): 1, make_pool(5, strategy="optimistic"): 1},
        reference="one",
    )


def test_a_take_of_all_there_is_leaves_nothing(strategy: str, pools: list[Pool]) -> None:
    first, second = pools

    take({first: 5, second: 1}, reference="one")

    assert (counters(first), counters(second)) == ((0, 5), (4, 1))
    moved = PoolMovement.objects.filter(reference="one").values_list("pool_id", "kind", "delta")
    assert sorted(moved) == [(first.pk, "take", -5), (second.pk, "take", -1)]


def test_a_shortage_says_what_is_left_and_takes_nothing(strategy: str, pools: list[Pool]) -> None:
    first, second = pools

    with pytest.raises(Shortage) as shortage:
        take({first: 1, second: 6}, reference="one")

    assert (shortage.value.pool_id, shortage.value.available) == (second.pk, 5)
    assert (counters(first), counters(second)) == ((5, 0), (5, 0))
    assert not PoolMovement.objects.filter(reference="one").exists()


def test_a_closed_pool_gives_nothing_whatever_it_holds(strategy: str, pools: list[Pool]) -> None:
    first, second = pools
    Pool.objects.filter(pk=second.pk).update(open=False)

    with pytest.raises(Closed) as closed:
        take({first: 1, second: 1}, reference="one")

    assert closed.value.pool_id == second.pk
    assert (counters(first), counters(second)) == ((5, 0), (5, 0))


def test_an_update_that_matches_nothing_while_enough_is_there_is_busy_not_sold_out(
    pools: list[Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    class OnADatabaseThatOnlyTries(Optimistic):
        tries = 0

        def _update(self, take: Take) -> bool:
            self.tries += 1
            return False

    stubborn = OnADatabaseThatOnlyTries()
    monkeypatch.setitem(STRATEGIES, "optimistic", stubborn)

    with pytest.raises(Busy):
        take({make_pool(5, strategy="optimistic"): 1}, reference="one")

    assert stubborn.tries == Optimistic.ATTEMPTS
    assert not PoolMovement.objects.filter(reference="one").exists()
