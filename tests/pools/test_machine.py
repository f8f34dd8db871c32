"""Pools alone: after any takes, batches, returns, transfers and adjustments every unit is accounted
for, and nobody holds more than a limit allows."""

from collections.abc import Iterator, Sequence

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
from shop.pools import batch, services
from shop.pools.audit import audit
from shop.pools.models import Pool
from shop.pools.refusals import Closed, LimitReached, Shortage
from tests.kit.marks import in_both_forms
from tests.kit.units import claim_of, counters, give_back, held_by, held_by_tests, make_pool, take

pytestmark = pytest.mark.django_db

USERS = (1, 2)
STOCK = 6
# Of the last pool, which is the limited one.
LIMIT = 4
COUNTS = st.tuples(*[st.integers(0, 4)] * 3).filter(any)
WHICH = st.integers(0, 2)
Counts = tuple[int, ...]


class Pools(RuleBasedStateMachine):
    """Beside the database: what was loaded, and who holds how many of which pool."""

    takes = Bundle("takes")

    def __init__(self) -> None:
        super().__init__()
        self.pools = [
            make_pool(STOCK, strategy="pessimistic"),
            make_pool(STOCK, strategy="optimistic"),
            make_pool(STOCK, per_user_limit=LIMIT),
        ]
        self.loaded = [STOCK] * 3
        self.closed = [False] * 3
        # reference -> user and units of each pool.
        self.held: dict[str, tuple[int, list[int]]] = {}
        self.serial = 0

    def reference(self, user: int = 0) -> str:
        """A new one, in whose name the audit finds the user."""
        self.serial += 1
        return f"{user:010d}-{self.pools[0].pk}-{self.serial}"

    def units(self, counts: Sequence[int]) -> dict[Pool, int]:
        return {pool: count for pool, count in zip(self.pools, counts, strict=True) if count}

    def left(self, which: int) -> int:
        return self.loaded[which] - sum(counts[which] for _, counts in self.held.values())

    def has(self, user: int) -> int:
        return sum(counts[2] for holder, counts in self.held.values() if holder == user)

    def refusals(
        self, user: int, counts: Counts, before: Counts = (0, 0, 0)
    ) -> Iterator[tuple[type[Exception], int]]:
        """Each pool that says no, `before` having been taken by the same user just now."""
        for which, count in enumerate(counts):
            if not count:
                continue
            if self.closed[which]:
                yield Closed, which
            elif which == 2 and self.has(user) + before[2] + count > LIMIT:
                yield LimitReached, which
            elif count > self.left(which) - before[which]:
                yield Shortage, which

    @rule(target=takes, user=st.sampled_from(USERS), counts=COUNTS)
    def take(self, user: int, counts: Counts) -> object:
        reference = self.reference(user)
        refused = {which for _, which in self.refusals(user, counts)}
        over_limit = counts[2] > 0 and self.has(user) + counts[2] > LIMIT
        try:
            take(self.units(counts), reference=reference, user_id=user)
        except LimitReached:
            assert over_limit  # looked at before any pool, closed or not
            return multiple()
        except (Shortage, Closed) as refusal:
            assert not over_limit
            assert refusal.pool_id == self.pools[min(refused)].pk
            return multiple()
        assert not refused
        self.held[reference] = user, list(counts)
        return reference

    @rule(target=takes, user=st.sampled_from(USERS), wanted=st.lists(COUNTS, max_size=4))
    def take_batch(self, user: int, wanted: list[Counts]) -> object:
        """One user's, so that the audit knows whose the batch's units are."""
        reference = self.reference(user)
        claims = [
            claim_of(self.units(counts), reference=f"{reference}-{number}", user_id=user)
            for number, counts in enumerate(wanted)
        ]
        expected: list[tuple[type[Exception] | None, int]] = []
        got = [0, 0, 0]
        for counts in wanted:
            refusal = next(self.refusals(user, counts, tuple(got)), None)
            if refusal is None:
                got = [one + more for one, more in zip(got, counts, strict=True)]
            expected.append(refusal or (None, 0))

        verdicts = transactions.run(lambda: batch.take_batch(claims, reference=reference))

        assert [self.refusal_of(verdict) for verdict in verdicts] == expected
        if not any(got):
            return multiple()
        self.held[reference] = user, got
        return reference

    def refusal_of(self, verdict: batch.Verdict) -> tuple[type[object] | None, int]:
        """What refused, and the place of the pool that did."""
        if isinstance(verdict, batch.Grant):
            return None, 0
        return type(verdict), [pool.pk for pool in self.pools].index(verdict.pool_id)

    @rule(reference=takes)
    def give_back(self, reference: str) -> None:
        user, counts = self.held[reference]
        if not any(counts):
            return
        give_back(self.units(counts), reference=reference, user_id=user)
        self.held[reference] = user, [0, 0, 0]

    @rule(reference=takes, which=WHICH)
    def give_back_again(self, reference: str, which: int) -> None:
        user, counts = self.held[reference]
        pool = self.pools[which]
        given_back = pool.movements.filter(reference=reference, kind="give_back")
        if any(counts) or not given_back.exists():
            return
        before = counters(pool), held_by(user, pool)
        with pytest.raises(IntegrityError):
            give_back({pool: 1}, reference=reference, user_id=user)
        assert (counters(pool), held_by(user, pool)) == before

    @rule(which=WHICH, delta=st.integers(-5, 5))
    def adjust(self, which: int, delta: int) -> None:
        def work() -> None:
            services.adjust({self.pools[which].pk: delta}, reference=self.reference())

        if self.left(which) + delta < 0:
            with pytest.raises(Shortage):
                transactions.run(work)
            return
        transactions.run(work)
        self.loaded[which] += delta

    @rule(source=WHICH, step=st.integers(1, 2), count=st.integers(1, 7))
    def transfer(self, source: int, step: int, count: int) -> None:
        target = (source + step) % 3

        def work() -> None:
            services.transfer(
                source_id=self.pools[source].pk,
                target_id=self.pools[target].pk,
                count=count,
                reference=self.reference(),
            )

        if self.left(source) < count:
            with pytest.raises(Shortage):
                transactions.run(work)
            return
        transactions.run(work)
        self.loaded[source] -= count
        self.loaded[target] += count

    @rule(which=WHICH, is_open=st.booleans())
    def open_or_close(self, which: int, is_open: bool) -> None:
        Pool.objects.filter(pk=self.pools[which].pk).update(open=is_open)
        self.closed[which] = not is_open

    @invariant()
    def counters_are_what_was_loaded_and_what_is_held(self) -> None:
        for which, pool in enumerate(self.pools):
            left = self.left(which)
            assert counters(pool) == (left, self.loaded[which] - left)

    @invariant()
    def users_hold_what_they_are_counted_with(self) -> None:
        assert [held_by(user, self.pools[2]) for user in USERS] == [self.has(u) for u in USERS]

    @invariant()
    def promises_hold(self) -> None:
        assert audit().broken == {}


@in_both_forms("examples", short=15, long=300)
def test_every_unit_is_accounted_for_after_any_sequence_of_steps(examples: int) -> None:
    with held_by_tests():
        run_state_machine_as_test(
            Pools,
            settings=settings(
                max_examples=examples,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
