"""What an entry costs: statements, and calls to Redis."""

import pytest

from lottery.models import Period
from shop.accounts.models import User
from shop.pools.drain import drain
from tests.factories import enter, make_period, make_user
from tests.kit.costs import redis_calls, sent_by
from tests.kit.doors import Door
from tests.kit.marks import on_mariadb
from tests.kit.offers import ENTRIES
from tests.kit.periods import rich, settle

DOOR = Door(front=True, offer=ENTRIES)


def bought(period: Period, user: User, **more: object) -> list[str]:
    return sent_by(lambda: DOOR.post(user, period.pk, {"shares": 2, **more}))


@pytest.fixture
def warm(in_a_request: None, db: None) -> None:
    """What a process composes, and the house's account, are there."""
    for placement in ("direct", "queued"):
        period = make_period(placement=placement, gated=False, per_user_limit=9)
        assert bought(period, rich())
        settle(period)


# BEGIN and COMMIT come on top where a test has no transaction around it: two for direct.
DIRECT, DIRECT_LIMITED = 9, 11


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("strategy", ["optimistic", "pessimistic"])
def test_an_entry_settled_at_once_is_few_statements(strategy: str) -> None:
    def period_of(limit: int | None) -> Period:
        return make_period(placement="direct", strategy=strategy, gated=False, per_user_limit=limit)

    plain, limited = (bought(period_of(limit), rich()) for limit in (None, 5))

    more = strategy == "pessimistic"  # which looks before it writes
    assert (len(plain), len(limited)) == (DIRECT + more, DIRECT_LIMITED + more), plain
    locked = [sql for sql in plain if sql.startswith("UPDATE") or "FOR UPDATE" in sql]
    # The shared counter comes last, and is touched by nothing else.
    assert locked[-1].startswith("UPDATE pools_pool ")
    assert locked[0].startswith("UPDATE wallet_account ")


@pytest.mark.usefixtures("warm")
def test_an_entry_that_waits_is_one_insert_and_touches_neither_counter_nor_wallet() -> None:
    statements = bought(make_period(placement="queued", gated=False), rich())

    assert [sql.split(" (")[0] for sql in statements if not sql.startswith("SELECT")] == [
        "INSERT INTO lottery_entry"
    ]
    # Its terms, and how many wait.
    assert len(statements) == 3
    assert not [sql for sql in statements if "FOR UPDATE" in sql]


@pytest.mark.usefixtures("warm")
def test_a_batch_is_as_many_statements_whatever_its_size() -> None:
    period = make_period(total_shares=500, gated=False, per_user_limit=9)

    def batch_of(count: int) -> list[str]:
        for _ in range(count):
            enter(rich(), period, 1)
        enter(make_user(), period, 1)  # who can't pay
        return sent_by(lambda: drain(period.queue_id))

    few, many = batch_of(3), batch_of(30)

    assert len(many) == len(few)
    for counted in ("UPDATE pools_pool ", "INSERT INTO lottery_shares ", "INSERT INTO wallet_tra"):
        assert len([sql for sql in many if sql.startswith(counted)]) == 1, counted


# --- behind a gate


class TestBehindAGate:
    pytestmark = [*on_mariadb, pytest.mark.usefixtures("in_a_request")]

    @pytest.fixture(params=["direct", "queued"])
    def period(self, request: pytest.FixtureRequest) -> Period:
        """Its terms were read a moment ago."""
        period = make_period(placement=request.param, gated=True, per_user_limit=20)
        for _ in range(2):
            bought(period, rich())
        settle(period)
        return period

    def test_an_entry_is_one_call_to_redis(self, period: Period) -> None:
        user = rich()
        calls = redis_calls(lambda: bought(period, user))

        assert calls == {"evalsha": 1}

    def test_a_repeat_is_one_more_and_takes_nothing(self, period: Period) -> None:
        user = rich()
        DOOR.post(user, period.pk, {"shares": 2}, key="k")

        calls = redis_calls(lambda: DOOR.post(user, period.pk, {"shares": 2}, key="k"))

        assert calls == {"evalsha": 1}

    def test_who_is_refused_costs_the_database_nothing(self, period: Period) -> None:
        enter(rich(), period, 6)
        user = rich()

        statements = bought(period, user)

        # Whether the key has an entry: a repeat is never refused.
        assert [sql.split(" FROM ")[1].split()[0] for sql in statements] == ["lottery_entry"]

    def test_fewer_is_one_call_more(self, period: Period) -> None:
        enter(rich(), period, 5)
        user = rich()

        calls = redis_calls(lambda: bought(period, user, allow_partial=True))

        assert calls == {"evalsha": 2}
