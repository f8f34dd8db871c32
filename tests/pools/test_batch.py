"""Takes for many claims at once: what each is granted, where it begins, and what else they need."""

from collections.abc import Sequence

import pytest

from shop import transactions
from shop.errors import InsufficientBalance, Refusal
from shop.pools.audit import audit
from shop.pools.batch import Grant, Granted, Verdict, take_batch
from shop.pools.models import Pool, PoolMovement
from shop.pools.refusals import LimitReached, Shortage
from shop.pools.services import Claim
from shop.pools.strategies import Take
from tests.kit.units import counters, held_by, held_by_tests, make_pool

pytestmark = pytest.mark.django_db(transaction=True)


def claim(number: int, pool: Pool, count: int, *, partial: bool = False) -> Claim:
    return Claim(f"claim-{number}", number, [Take(pool.pk, count)], partial)


def batch(claims: Sequence[Claim], condition: "Purses | None" = None) -> list[Verdict]:
    """Under a reference that names the batch's only user where there is one."""
    reference = f"{claims[0].user_id:010d}-batch"
    return transactions.run(lambda: take_batch(claims, reference=reference, condition=condition))


def ranges(verdicts: Sequence[Verdict]) -> list[object]:
    """(first, count) of what was granted, the class of what was not."""
    return [
        (verdict.units[0].first, verdict.units[0].count)
        if isinstance(verdict, Grant)
        else type(verdict)
        for verdict in verdicts
    ]


class Purses:
    """A condition: whoever can't pay one coin a unit gets none."""

    def __init__(self, coins: dict[int, int]) -> None:
        self.coins = coins
        self.steps: list[str] = []

    def lock(self, claims: Sequence[Claim]) -> None:
        self.steps.append("lock")

    def decide(self, claim: Claim, grant: Grant) -> Refusal | None:
        self.steps.append(f"decide {grant.count}")
        if self.coins[claim.user_id] < grant.count:
            return InsufficientBalance()
        self.coins[claim.user_id] -= grant.count
        return None

    def write(self, reference: str) -> None:
        self.steps.append(f"write {reference}")


def test_grants_follow_each_other_without_a_gap_from_what_was_taken_before() -> None:
    pool = make_pool(10)
    batch([claim(1, pool, 2)])

    verdicts = batch([claim(2, pool, 3), claim(3, pool, 9), claim(4, pool, 5)])

    assert ranges(verdicts) == [(2, 3), Shortage, (5, 5)]
    assert verdicts[0] == Grant([Granted(pool.pk, 2, 3)])
    assert counters(pool) == (0, 10)


@pytest.mark.parametrize(
    ("stock", "granted"), [(7, [(0, 4), (4, 3)]), (4, [(0, 4), Shortage]), (9, [(0, 4), (4, 5)])]
)
def test_a_partial_claim_gets_what_is_left_if_anything_is(
    stock: int, granted: list[object]
) -> None:
    pool = make_pool(stock)

    verdicts = batch([claim(1, pool, 4, partial=True), claim(2, pool, 5, partial=True)])

    assert ranges(verdicts) == granted
    assert counters(pool)[0] == max(0, stock - 9)


def test_a_partial_claim_is_held_against_the_limit_by_what_it_would_get() -> None:
    pool = make_pool(3, per_user_limit=3)

    assert ranges(batch([claim(1, pool, 5, partial=True)])) == [(0, 3)]
    other = make_pool(4, per_user_limit=3)
    assert ranges(batch([claim(1, other, 5, partial=True)])) == [LimitReached]
    assert held_by(1, pool) == 3
    assert held_by(1, other) == 0


def test_who_fails_the_condition_gets_nothing_and_leaves_it_to_the_next() -> None:
    pool = make_pool(5, per_user_limit=4)
    purses = Purses({1: 9, 2: 1, 3: 2})

    verdicts = batch([claim(1, pool, 3), claim(2, pool, 2), claim(3, pool, 2)], purses)

    assert ranges(verdicts) == [(0, 3), InsufficientBalance, (3, 2)]
    assert purses.steps == ["lock", "decide 3", "decide 2", "decide 2", "write 0000000001-batch"]
    assert [held_by(user, pool) for user in (1, 2, 3)] == [3, 0, 2]
    assert counters(pool) == (0, 5)
    assert PoolMovement.objects.filter(pool=pool, kind="take").count() == 1


def test_the_condition_is_not_asked_where_no_units_are() -> None:
    pool = make_pool(1)
    purses = Purses({1: 9})

    assert ranges(batch([claim(1, pool, 2)], purses)) == [Shortage]

    assert purses.steps == ["lock", "write 0000000001-batch"]
    with held_by_tests():
        assert audit().broken == {}
