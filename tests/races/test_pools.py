"""Takes from pools at one moment, with the lock or the condition, and without them."""

from collections.abc import Mapping
from functools import partial
from random import Random

import pytest
from django.db import IntegrityError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from shop.errors import Busy
from shop.pools import strategies
from shop.pools.audit import audit
from shop.pools.models import Pool, PoolMovement
from shop.pools.refusals import Shortage
from shop.pools.strategies import STRATEGIES, TAKE, Optimistic, Pessimistic, Take
from shop.statements import Select
from tests.kit.barrier import Outcome, race, watching
from tests.kit.controls import BOTH_COME, ONE_CANT_COME, Appointment, unchecked
from tests.kit.marks import on_mariadb
from tests.kit.midway import looking_midway
from tests.kit.units import counters, make_pool, take, taker

pytestmark = [*on_mariadb, pytest.mark.usefixtures("units_only")]


def winners(outcomes: list[Outcome[None]]) -> int:
    """How many took. Whoever did not must have been told that nothing is left."""
    for outcome in outcomes:
        assert outcome.error is None or isinstance(outcome.error, Shortage), outcome.error
    return sum(outcome.error is None for outcome in outcomes)


def test_of_200_takers_of_the_last_unit_one_gets_it(strategy: str) -> None:
    pool = make_pool(1)

    outcomes = race([taker({pool: 1}, reference=f"taker-{n}") for n in range(200)])

    assert winners(outcomes) == 1
    assert counters(pool) == (0, 1)
    assert PoolMovement.objects.filter(pool=pool, kind="take").count() == 1
    assert audit().broken == {}


def test_2000_takes_of_two_pools_in_either_order_are_all_or_nothing(
    strategy: str, dice: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    plenty, scarce = make_pool(5_000), make_pool(1_500)
    midway = looking_midway(monkeypatch, audit, takes={2, 300, 700, 1_100, 1_500})
    baskets = [{plenty: 2, scarce: 1}, {scarce: 1, plenty: 2}] * 1_000
    dice.shuffle(baskets)

    def shopper(own: list[tuple[int, Mapping[Pool, int]]]) -> list[int]:
        got = []
        for number, basket in own:
            try:
                take(basket, reference=f"basket-{number}")
            except Shortage as shortage:
                assert shortage.pool_id == scarce.pk
            else:
                got.append(number)
        return got

    numbered = list(enumerate(baskets))
    with watching(audit) as seen:
        outcomes = race([partial(shopper, numbered[start::8]) for start in range(8)])

    # No deadlock and nothing else escapes, every snapshot conserves, and all there is is sold.
    assert sum(len(outcome.result()) for outcome in outcomes) == 1_500
    assert [report.broken for report in (*seen, *midway)] == [{}] * len([*seen, *midway])
    assert len(midway) == 5
    assert (counters(plenty), counters(scarce)) == ((2_000, 3_000), (0, 1_500))


# --- the negative controls: what would happen without


@pytest.fixture
def decide_together(monkeypatch: pytest.MonkeyPatch) -> Appointment:
    """Holds a pessimistic taker between its decision and its writes until another is there, who can
    come only where there is no lock."""
    appointment = Appointment(seconds=ONE_CANT_COME)
    refuse = strategies._refuse

    def decide(take: Take, *, available: int, is_open: bool) -> None:
        refuse(take, available=available, is_open=is_open)
        appointment.keep()

    monkeypatch.setattr(strategies, "_refuse", decide)
    return appointment


@pytest.fixture
def no_lock(monkeypatch: pytest.MonkeyPatch, decide_together: Appointment) -> None:
    """Pessimistic as it is, but for FOR UPDATE; and so two decide together."""
    decide_together.seconds = BOTH_COME
    monkeypatch.setattr(
        strategies,
        "_locked",
        Select(
            lambda *pool_ids: (
                Pool.objects.filter(pk__in=pool_ids)
                .order_by("pk")
                .values_list("pk", "available", "open")
            )
        ),
    )


@pytest.fixture
def no_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimistic as it is, but for `available >= n`."""

    class Unconditional(Optimistic):
        def _update(self, take: Take) -> bool:
            return strategies._update(TAKE, take.count, take.count, take.pool_id) == 1

    monkeypatch.setitem(STRATEGIES, "optimistic", Unconditional())


def two_take_the_last_unit(strategy: str, *, checks: bool) -> tuple[Pool, list[Outcome[None]]]:
    pool = make_pool(1, strategy=strategy)
    takers = [taker({pool: 1}, reference=f"taker-{n}") for n in range(2)]
    if not checks:
        takers = [partial(unchecked, taker) for taker in takers]
    return pool, race(takers)


@pytest.mark.parametrize("checks", [True, False])
@pytest.mark.parametrize("strategy", ["pessimistic", "optimistic"])
@pytest.mark.usefixtures("decide_together")
def test_with_the_lock_or_the_condition_one_of_two_gets_the_last_unit(
    strategy: str, checks: bool
) -> None:
    pool, outcomes = two_take_the_last_unit(strategy, checks=checks)

    assert winners(outcomes) == 1
    assert counters(pool) == (0, 1)
    assert audit().broken == {}


@pytest.mark.usefixtures("no_lock")
def test_without_the_lock_both_get_the_last_unit() -> None:
    pool, outcomes = two_take_the_last_unit("pessimistic", checks=False)

    assert winners(outcomes) == 2
    assert counters(pool) == (-1, 2)
    assert list(audit().broken) == [1]


@pytest.mark.usefixtures("no_condition")
def test_without_the_condition_both_get_the_last_unit() -> None:
    pool, outcomes = two_take_the_last_unit("optimistic", checks=False)

    assert winners(outcomes) == 2
    assert counters(pool) == (-1, 2)
    assert list(audit().broken) == [1]


@pytest.mark.parametrize("strategy", ["pessimistic", "optimistic"])
@pytest.mark.usefixtures("no_lock", "no_condition")
def test_without_either_the_check_constraint_is_the_last_line(strategy: str) -> None:
    pool, outcomes = two_take_the_last_unit(strategy, checks=True)

    [error] = [outcome.error for outcome in outcomes if outcome.error is not None]
    assert isinstance(error, IntegrityError)
    assert "pool_available_not_negative" in str(error)
    assert counters(pool) == (0, 1)
    assert audit().broken == {}


def test_absolute_values_from_an_unlocked_read_oversell_past_the_check_constraint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the textbook writes: read, decide, save. Its row looks right, and two have the unit."""
    appointment = Appointment()

    class Textbook(Pessimistic):
        def take(self, takes: list[Take]) -> None:  # type: ignore[override]
            [take] = takes
            pool = Pool.objects.get(pk=take.pool_id)
            if pool.available < take.count:
                raise Shortage(pool.pk, pool.available)
            appointment.keep()
            pool.available -= take.count
            pool.taken += take.count
            pool.save()

    monkeypatch.setitem(STRATEGIES, "pessimistic", Textbook())
    pool, outcomes = two_take_the_last_unit("pessimistic", checks=True)

    assert winners(outcomes) == 2
    assert counters(pool) == (0, 1)
    assert audit().broken == {1: [f"pool {pool.pk}: 0 available, 1 taken; by its ledger -1 and 2"]}


# --- somebody in the way


def test_stock_that_is_away_at_each_try_and_back_at_each_look_is_busy_not_sold_out(
    somebody: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_pool(5)

    def others(change: int) -> None:
        with somebody.cursor() as cursor:
            cursor.execute(
                "UPDATE pools_pool SET available = available + %s WHERE id = %s", [change, pool.pk]
            )

    class Unlucky(Optimistic):
        tries = 0

        def _update(self, take: Take) -> bool:
            self.tries += 1
            others(-5)
            matched = super()._update(take)
            others(+5)
            return matched

    unlucky = Unlucky()
    monkeypatch.setitem(STRATEGIES, "optimistic", unlucky)
    pool.strategy = "optimistic"

    with pytest.raises(Busy):
        take({pool: 1}, reference="unlucky")

    assert unlucky.tries == Optimistic.ATTEMPTS
    assert counters(pool) == (5, 0)
    assert not PoolMovement.objects.filter(reference="unlucky").exists()
    assert audit().broken == {}


@pytest.mark.usefixtures("soon_given_up")
def test_a_second_row_that_is_locked_too_long_is_busy_and_leaves_nothing(
    strategy: str, somebody: BaseDatabaseWrapper
) -> None:
    first, second = make_pool(5), make_pool(5)
    with somebody.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT id FROM pools_pool WHERE id = %s FOR UPDATE", [second.pk])

        with pytest.raises(Busy):
            take({first: 1, second: 1}, reference="unlucky")

        with connection.cursor() as own:
            own.execute("SELECT @@in_transaction, @@autocommit")
            assert own.fetchone() == (0, 1)
        assert (counters(first), counters(second)) == ((5, 0), (5, 0))
        assert not PoolMovement.objects.filter(reference="unlucky").exists()
        cursor.execute("ROLLBACK")

    take({first: 1, second: 1}, reference="unlucky")

    assert (counters(first), counters(second)) == ((4, 1), (4, 1))
    assert audit().broken == {}
