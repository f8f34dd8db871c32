"""Takers at one moment on any database: SQLite has no row locks, and needs none."""

import pytest
from pytest_django.fixtures import Settings

from shop.pools.audit import audit
from shop.pools.refusals import Shortage
from tests.kit.barrier import race, watching
from tests.kit.units import counters, held_by_tests, make_pool, taker


@pytest.mark.parametrize("strategy", ["pessimistic", "optimistic"])
def test_of_12_takers_of_5_units_five_get_one(
    strategy: str, settings: Settings, on_disk: None
) -> None:
    settings.STOCK_STRATEGY = strategy
    pool = make_pool(5)

    with held_by_tests(), watching(audit, every=0.005) as seen:
        outcomes = race([taker({pool: 1}, reference=f"taker-{n}") for n in range(12)])

    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    assert [type(error) for error in errors] == [Shortage] * 7
    assert counters(pool) == (0, 5)
    assert [report.broken for report in seen] == [{}] * len(seen)
