"""The negative controls: what happens to a period when one of its guards is missing. Each time the
fault must be seen, by the audit or by whoever was first in the queue, and with the guard must not.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, connection
from pytest_django.fixtures import Settings

from lottery import entries
from lottery.models import Entry, Period, Shares
from lottery.settlement import cost_of
from shop.accounts.models import User
from shop.pools import services
from shop.pools.audit import audit
from shop.pools.models import Pool
from shop.wallet import accounts
from shop.wallet.services import Book
from tests.factories import enter
from tests.kit.barrier import Outcome, race
from tests.kit.controls import Appointment, unchecked
from tests.kit.hows import How, Sold, code_of, drain_all
from tests.kit.marks import on_mariadb
from tests.kit.periods import (
    PRICE,
    assert_sold,
    close,
    crowd,
    fates,
    numbers_given,
    outcomes,
    period_of,
    points_of,
)
from tests.kit.units import counters

pytestmark = on_mariadb

DIRECT, QUEUED = (How(placement, "optimistic", gated=False) for placement in ("direct", "queued"))


# --- the unique index over pool and first share


@pytest.fixture
def no_unique_first() -> Iterator[None]:
    [unique] = [one for one in Shares._meta.constraints if one.name == "shares_first_once"]
    with connection.schema_editor() as editor:
        editor.remove_constraint(Shares, unique)
    yield
    Shares.objects.all().delete()
    with connection.schema_editor() as editor:
        editor.add_constraint(Shares, unique)


@pytest.fixture
def indexes_read_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that learns its first share's index from the counter before it has locked it, and
    goes on when another has done so too."""
    # Nobody holds what the other waits for, so both come.
    others, take = Appointment(), services.take
    firsts: dict[str, int] = {}

    def read_and_take(claim: services.Claim, **options: Any) -> None:
        [unit] = claim.takes
        firsts[claim.reference] = Pool.objects.get(pk=unit.pool_id).taken
        others.keep()
        take(claim, **options)

    def insert(entry: Entry, *, pool_id: int, share_price: int) -> None:
        Shares.objects.create(
            entry=entry,
            pool_id=pool_id,
            first=firsts[entry.entry_no],
            count=entry.wanted,
            cost=cost_of(entry.wanted, share_price),
            reference=entry.entry_no,
        )

    monkeypatch.setattr(services, "take", read_and_take)
    monkeypatch.setattr(entries, "shares_insert", insert)


def two_at_once(period: Period, users: list[User]) -> list[BaseException | None]:
    return [outcome.error for outcome in race([partial(enter, u, period, 3) for u in users])]


@pytest.mark.usefixtures("indexes_read_too_early")
def test_with_the_unique_index_no_number_is_given_twice_whatever_else_is_wrong() -> None:
    period, users = period_of(DIRECT, shares=10), crowd(2)

    errors = [error for error in two_at_once(period, users) if error is not None]

    [error] = errors
    assert isinstance(error, IntegrityError)
    assert "shares_first_once" in str(error)
    assert_sold(period, shares=3, had=dict.fromkeys(users, 1_000))


@pytest.mark.usefixtures("indexes_read_too_early", "no_unique_first")
def test_without_the_unique_index_two_have_the_same_numbers() -> None:
    period, users = period_of(DIRECT, shares=10), crowd(2)

    assert two_at_once(period, users) == [None, None]

    numbers = numbers_given(period)
    assert (len(numbers), len(set(numbers))) == (6, 3)
    broken = audit().broken
    assert list(broken) == [4]
    assert f"pool {period.pool_id}: shares begin at 0, the ones before end at 3" in broken[4]


# --- the queue's row lock


def first_and_second(period: Period) -> list[Entry]:
    return [enter(user, period, 1) for user in crowd(2)]


def test_with_the_queues_lock_the_first_in_the_queue_gets_the_last_share(
    two_drains: Callable[[Sold], None], settings: Settings
) -> None:
    settings.DRAIN_BATCH = 1
    period = period_of(QUEUED, shares=1)
    waiting = first_and_second(period)

    two_drains(period)

    assert fates(*waiting) == ["confirmed", "sold_out"]
    assert audit().broken == {}


@pytest.mark.usefixtures("no_lease")
def test_without_the_queues_lock_the_second_does(
    two_drains: Callable[[Sold], None], settings: Settings
) -> None:
    settings.DRAIN_BATCH = 1
    period = period_of(QUEUED, shares=1)
    waiting = first_and_second(period)

    two_drains(period)

    assert fates(*waiting) == ["sold_out", "confirmed"]


# --- the condition of a wallet's row


@pytest.fixture
def no_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a wallet pays is taken off, whatever is in it."""
    assert accounts._LOWER.endswith("AND balance >= %s")
    lower = accounts._LOWER.replace("AND balance >= %s", "AND (TRUE OR balance >= %s)")
    monkeypatch.setattr(accounts, "_LOWER", lower)

    def debit(self: Book, user_id: int, amount: int, reference: str) -> None:
        self._accounts[user_id].balance -= amount
        self._entries.append((user_id, -amount, reference))

    monkeypatch.setattr(Book, "debit", debit)


def five_at_once(
    how: How, *, session: Callable[[Callable[[], Any]], Any] = lambda work: work()
) -> tuple[Period, User, Counter[str]]:
    """A user who can pay for two shares asks for one with each of five keys; all that is written is
    written in a `session`."""
    period, [user] = period_of(how, shares=100), crowd(1, points=PRICE * 2)
    entering = partial(code_of, partial(enter, user, period, 1))
    answers = race([partial(session, entering) for _ in range(5)])
    session(partial(drain_all, period))
    return period, user, Counter(told(outcome) for outcome in answers)


def told(outcome: Outcome[str]) -> str:
    return type(outcome.error).__name__ if outcome.error else outcome.result()


@pytest.mark.parametrize("how", [DIRECT, QUEUED], ids=str)
def test_with_the_condition_of_the_wallet_what_it_covers_is_bought(how: How) -> None:
    period, user, codes = five_at_once(how)

    refused = codes if how == DIRECT else outcomes(period)
    assert refused["insufficient_balance"] == 3
    assert_sold(period, shares=2, had={user: PRICE * 2})


@pytest.mark.usefixtures("no_condition")
@pytest.mark.parametrize("how", [DIRECT, QUEUED], ids=str)
def test_without_the_condition_of_the_wallet_more_is_bought_than_it_has(how: How) -> None:
    period, user, codes = five_at_once(how, session=unchecked)

    assert codes == {"": 5}
    assert outcomes(period) == {"confirmed": 5}
    assert points_of(user) == -3 * PRICE
    broken = audit().broken
    assert list(broken) == [6]
    assert f"of user {user.pk}: has {-3 * PRICE} points" in broken[6][0]


@pytest.mark.usefixtures("no_condition")
def test_without_the_condition_the_check_constraint_is_the_last_line() -> None:
    period, user, codes = five_at_once(DIRECT)

    assert codes == {"": 2, "IntegrityError": 3}
    assert_sold(period, shares=2, had={user: PRICE * 2})


# --- the closed pool


def closed_with_a_late_one(monkeypatch: pytest.MonkeyPatch) -> Period:
    """A period that is closed, and whose shares are not all sold, as a request saw it before."""
    period = period_of(DIRECT, shares=3)
    [user] = crowd(1)
    enter(user, period, 1)
    seen = entries.period_terms_lately(period.pk)
    Period.objects.filter(pk=period.pk).update(ends_at=period.created_at)
    close(period)
    monkeypatch.setattr(entries, "period_terms_lately", lambda period_id: seen)
    return period


def test_with_the_pool_closed_nothing_is_sold_after_the_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    period = closed_with_a_late_one(monkeypatch)

    assert code_of(partial(enter, *crowd(1), period)) == "ended"
    assert counters(period.pool) == (2, 1)
    assert audit().broken == {}


def test_with_the_pool_left_open_a_share_is_sold_that_no_root_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    period = closed_with_a_late_one(monkeypatch)
    Pool.objects.filter(pk=period.pool_id).update(open=True)

    assert code_of(partial(enter, *crowd(1), period)) == ""
    lines = audit().broken[4]
    assert any(
        f"period {period.pk}: of 3 shares 1 are available and 2 taken" in one for one in lines
    )
