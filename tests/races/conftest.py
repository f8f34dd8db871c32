"""What every race needs: MariaDB, a strategy, a seed to repeat, somebody in the way."""

import os
import random
import threading
from collections.abc import Callable, Iterator

import pytest
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django.fixtures import Settings

from shop import transactions
from shop.pools import drain
from shop.pools.models import QueueQuerySet
from tests.kit.barrier import race
from tests.kit.hows import Sold
from tests.kit.units import held_by_tests

PACE_SECONDS = drain.PACE_SECONDS


@pytest.fixture(autouse=True)
def _on_mariadb(transactional_db: None) -> None:
    assert connection.vendor == "mysql", "races need MariaDB: TEST_DATABASE=mariadb"


@pytest.fixture(autouse=True)
def _drains_wait_for_a_crowd(monkeypatch: pytest.MonkeyPatch, _a_moment_is_long: None) -> None:
    monkeypatch.setattr(drain, "PACE_SECONDS", PACE_SECONDS)


@pytest.fixture(params=["pessimistic", "optimistic"])
def strategy(request: pytest.FixtureRequest, settings: Settings) -> str:
    """The test runs once with each strategy as the shop's setting."""
    settings.STOCK_STRATEGY = request.param
    return str(request.param)


@pytest.fixture
def dice() -> random.Random:
    """Chance, printed with a failure: RACE_SEED=... throws the same again."""
    seed = int(os.environ.get("RACE_SEED") or random.randrange(10**9))
    print(f"RACE_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def units_only() -> Iterator[None]:
    """The test takes units with no order behind them."""
    with held_by_tests():
        yield


@pytest.fixture
def somebody() -> Iterator[BaseDatabaseWrapper]:
    """Another session, for what others do meanwhile. What it left open is rolled back."""
    other = connections[DEFAULT_DB_ALIAS].copy()
    yield other
    other.close()


@pytest.fixture
def soon_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that stays locked is waited for twice, a second each, and not six times."""
    monkeypatch.setattr(transactions, "ATTEMPTS", 2)


@pytest.fixture
def no_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drain that looks at its queue's row, and does not lock it."""
    monkeypatch.setattr(QueueQuerySet, "for_draining", QueueQuerySet.all)


@pytest.fixture
def two_drains(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sold], None]:
    """Runs a drain, and another one while the first has its first batch in hand."""

    def run(sold: Sold) -> None:
        in_hand, other_is_done = threading.Event(), threading.Event()

        def pause(name: str) -> None:
            if name == "drain.before" and not in_hand.is_set():
                in_hand.set()
                assert other_is_done.wait(120)

        monkeypatch.setattr(drain, "failpoint", pause)

        def first() -> None:
            drain.drain(sold.queue_id)

        def second() -> None:
            assert in_hand.wait(120)
            try:
                drain.drain(sold.queue_id)
            finally:
                other_is_done.set()

        for outcome in race([first, second]):
            outcome.result()

    return run
