"""What every race needs: MariaDB, a strategy, a seed to repeat, somebody in the way."""

import os
import random
from collections.abc import Iterator

import pytest
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django.fixtures import Settings

from tests.kit.units import held_by_tests


@pytest.fixture(autouse=True)
def _on_mariadb(transactional_db: None) -> None:
    assert connection.vendor == "mysql", "races need MariaDB: TEST_DATABASE=mariadb"


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
