"""Entries as a service takes them: what fewer shares cost, who may not, what a key stands for."""

from collections.abc import Callable

import pytest
from django.db import connection

from lottery import entries
from lottery.entries import PARTIAL_ATTEMPTS
from lottery.models import Entry, Period, Shares
from lottery.selectors import PeriodTerms, period_terms
from shop.errors import Busy, InsufficientStock, NotFound
from shop.pools.audit import audit
from shop.pools.refusals import Shortage
from shop.wallet.models import Transaction
from tests.factories import enter, give_points, make_period
from tests.kit.hows import code_of
from tests.kit.periods import fates, numbers_given, points_of, rich, settle, stored
from tests.kit.units import counters

pytestmark = pytest.mark.django_db

BOTH = pytest.mark.parametrize("placement", ["direct", "queued"])


@BOTH
def test_what_is_left_is_all_that_must_be_paid_for(placement: str) -> None:
    period, user = make_period(total_shares=3, share_price=5, placement=placement), rich(10)
    enter(rich(), period, 1)
    settle(period)

    entry = enter(user, period, 20, partial=True)
    settle(period)

    assert fates(entry) == ["confirmed"]
    assert (stored(entry).shares.first, stored(entry).shares.count) == (1, 2)
    assert points_of(user) == 0
    assert audit().broken == {}


@BOTH
def test_what_is_left_is_all_that_counts_towards_the_limit(placement: str) -> None:
    period = make_period(total_shares=4, per_user_limit=3, placement=placement, gated=False)
    user = rich()
    enter(user, period, 1)
    enter(rich(), period, 1)
    settle(period)

    entry = enter(user, period, 3, partial=True)
    settle(period)

    assert fates(entry) == ["confirmed"]
    assert stored(entry).shares.count == 2
    assert audit().broken == {}


@pytest.fixture
def as_seen_before(monkeypatch: pytest.MonkeyPatch) -> Callable[[Period], None]:
    """From now on requests see the period as it is now, whatever is sold since."""

    def see(period: Period) -> None:
        seen = period_terms(period.pk)
        monkeypatch.setattr(entries, "period_terms_lately", lambda period_id: seen)

    return see


@BOTH
def test_who_has_seen_more_than_is_left_still_gets_that(
    placement: str, as_seen_before: Callable[[Period], None]
) -> None:
    period, user, late = (
        make_period(total_shares=5, placement=placement, gated=False),
        rich(),
        rich(),
    )
    as_seen_before(period)
    enter(user, period, 3)
    settle(period)

    entry = enter(late, period, 4, partial=True)
    refused = code_of(lambda: enter(late, period, 4))
    settle(period)

    assert (stored(entry).shares.first, stored(entry).shares.count) == (3, 2)
    assert points_of(late) == 990
    assert refused == ("sold_out" if placement == "direct" else "")
    assert Entry.objects.filter(failure="sold_out").count() == (placement == "queued")
    assert audit().broken == {}


def test_tries_for_what_is_left_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time somebody else has taken a share in between."""
    period, asked = make_period(placement="direct"), []

    def unlucky(entry: Entry, terms: PeriodTerms) -> Entry:
        asked.append(entry.wanted)
        raise Shortage(terms.pool_id, entry.wanted - 1)

    monkeypatch.setattr(entries, "_write", unlucky)

    with pytest.raises(Busy):
        enter(rich(), period, 10, partial=True)
    with pytest.raises(InsufficientStock) as few:
        enter(rich(), period, 10)

    assert asked == [10, 9, 8, 7, 6, 10]
    assert len(asked) == PARTIAL_ATTEMPTS + 1
    assert few.value.data == {"available": 9}


@BOTH
def test_a_user_who_may_not_any_more_gets_nothing(placement: str) -> None:
    period, user = make_period(placement=placement), rich(50)
    user.is_active = False
    user.save(update_fields=["is_active"])

    code = code_of(lambda: enter(user, period, 1))
    settle(period)

    failed = list(Entry.objects.filter(user=user).values_list("failure", flat=True))
    assert (code, failed) == {
        "direct": ("permission_denied", []),
        "queued": ("", ["permission_denied"]),
    }[placement]
    assert points_of(user) == 50
    assert counters(period.pool) == (10, 0)
    assert audit().broken == {}


def test_a_period_that_does_not_exist_takes_no_entries() -> None:
    period = make_period()
    period.pk += 1

    with pytest.raises(NotFound):
        enter(rich(), period)


@BOTH
def test_numbers_are_each_shares_own_and_complete_at_the_end(placement: str) -> None:
    period = make_period(total_shares=50, share_price=1, first_number=100, placement=placement)
    for shares in (20, 1, 9, 15, 5):
        enter(rich(), period, shares)
    settle(period)

    numbers = numbers_given(period)

    assert sorted(numbers) == list(range(100, 150))
    assert numbers != sorted(numbers)
    assert audit().broken == {}


@BOTH
def test_what_failed_is_what_its_key_stands_for(placement: str) -> None:
    """Direct, nothing was created, so the same key may be tried again; queued, a new one it is."""
    period, user = make_period(placement=placement), rich(4)
    code = code_of(lambda: enter(user, period, 1, key="k"))
    settle(period)
    give_points(user, 100)

    again = code_of(lambda: enter(user, period, 1, key="k"))
    settle(period)
    enter(user, period, 1, key="new")
    settle(period)

    assert again == ""
    statuses = list(Entry.objects.order_by("pk").values_list("status", flat=True))
    if placement == "direct":
        assert code == "insufficient_balance"
        assert statuses == ["confirmed", "confirmed"]
    else:
        assert code == ""
        assert statuses == ["failed", "confirmed"]
    assert audit().broken == {}


def test_each_entry_of_a_batch_pays_for_itself_in_the_order_they_came() -> None:
    """One user with 11 points: the first and the third fit, what came between is too much."""
    period, user, other = make_period(share_price=5), rich(11), rich(10)
    entries = [enter(user, period, 1), enter(user, period, 2), enter(other, period, 2)]
    entries.append(enter(user, period, 1))

    settle(period)

    assert fates(*entries) == ["confirmed", "insufficient_balance", "confirmed", "confirmed"]
    firsts = list(Shares.objects.order_by("first").values_list("first", "count"))
    assert firsts == [(0, 1), (1, 2), (3, 1)]
    assert (points_of(user), points_of(other)) == (1, 0)
    assert Transaction.objects.filter(kind="entry").count() == 1
    assert audit().broken == {}


@pytest.mark.parametrize("returning", [True, False])
def test_where_the_first_share_is_asked_for_it_is_the_same(
    returning: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that can't say what it has stored is asked."""
    monkeypatch.setattr(connection.features, "can_return_columns_from_insert", returning)
    period = make_period(placement="direct", gated=False, total_shares=10)
    enter(rich(), period, 3)

    second = enter(rich(), period, 2)

    told = second.shares
    assert (told.first, told.count, told.cost) == (3, 2, 2 * period.share_price)
    stored = Shares.objects.filter(entry=second).values_list("first", "count", "cost")
    assert stored.get() == (told.first, told.count, told.cost)
