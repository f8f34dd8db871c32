"""Pools alone: after any takes, returns and adjustments every unit is accounted for."""

import pytest
from django.db import IntegrityError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from shop import transactions
from shop.pools import services
from shop.pools.audit import audit
from shop.pools.models import Pool
from shop.pools.strategies import Closed, Shortage, Take
from tests.kit.units import counters, held_by_tests, make_pool, take

pytestmark = pytest.mark.django_db


class Pools(RuleBasedStateMachine):
    """Beside the database: what was loaded, and who holds how many of which pool."""

    takes = Bundle("takes")

    def __init__(self) -> None:
        super().__init__()
        self.pools = [make_pool(6, strategy=name) for name in ("pessimistic", "optimistic", "")]
        self.loaded = [6, 6, 6]
        self.closed = [False, False, False]
        self.held: dict[str, list[int]] = {}
        self.serial = 0

    def reference(self) -> str:
        self.serial += 1
        return f"{self.pools[0].pk}-{self.serial}"

    def left(self, which: int) -> int:
        return self.loaded[which] - sum(held[which] for held in self.held.values())

    @rule(target=takes, counts=st.tuples(*[st.integers(0, 4)] * 3).filter(any))
    def take(self, counts: tuple[int, ...]) -> object:
        units = {pool: count for pool, count in zip(self.pools, counts, strict=True) if count}
        reference = self.reference()
        refused = [
            which
            for which, count in enumerate(counts)
            if count and (self.closed[which] or count > self.left(which))
        ]
        try:
            take(units, reference=reference)
        except (Shortage, Closed) as refusal:
            assert refusal.pool_id == self.pools[refused[0]].pk
            return multiple()
        assert not refused
        self.held[reference] = list(counts)
        return reference

    @rule(reference=takes)
    def give_back(self, reference: str) -> None:
        held = self.held[reference]
        units = [
            Take(pool.pk, count) for pool, count in zip(self.pools, held, strict=True) if count
        ]
        if not units:
            return
        transactions.run(lambda: services.give_back({reference: units}))
        self.held[reference] = [0, 0, 0]

    @rule(reference=takes, which=st.integers(0, 2))
    def give_back_again(self, reference: str, which: int) -> None:
        if any(self.held[reference]):
            return
        units = [Take(self.pools[which].pk, 1)]
        before = counters(self.pools[which])
        given_back = self.pools[which].movements.filter(reference=reference, kind="give_back")
        if not given_back.exists():
            return
        with pytest.raises(IntegrityError):
            transactions.run(lambda: services.give_back({reference: units}))
        assert counters(self.pools[which]) == before

    @rule(which=st.integers(0, 2), delta=st.integers(-5, 5))
    def adjust(self, which: int, delta: int) -> None:
        def work() -> None:
            services.adjust({self.pools[which].pk: delta}, reference=self.reference())

        if self.left(which) + delta < 0:
            with pytest.raises(Shortage):
                transactions.run(work)
            return
        transactions.run(work)
        self.loaded[which] += delta

    @rule(which=st.integers(0, 2), is_open=st.booleans())
    def open_or_close(self, which: int, is_open: bool) -> None:
        Pool.objects.filter(pk=self.pools[which].pk).update(open=is_open)
        self.closed[which] = not is_open

    @invariant()
    def counters_are_what_was_loaded_and_what_is_held(self) -> None:
        for which, pool in enumerate(self.pools):
            left = self.left(which)
            assert counters(pool) == (left, self.loaded[which] - left)

    @invariant()
    def promises_hold(self) -> None:
        assert audit().broken == {}


def test_every_unit_is_accounted_for_after_any_sequence_of_steps() -> None:
    with held_by_tests():
        run_state_machine_as_test(
            Pools,
            settings=settings(
                max_examples=30,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
