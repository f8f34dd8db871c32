"""How periods end: what is settled, refused, published and returned, and who holds up whom."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from lottery import closing, entries
from lottery.closing import period_close, period_freeze, period_refund, periods_sweep
from lottery.draws.identity import LOCAL_SECONDS
from lottery.draws.merkle import root
from lottery.models import Entry, Period, Shares
from lottery.numbers import leaf_of
from lottery.selectors import period_terms
from shop.pools.audit import audit
from shop.pools.models import PoolMovement
from shop.wallet.models import Transaction
from tests.factories import enter, make_period, make_sku
from tests.faults.deaths import dying_at, mortal
from tests.kit.hows import code_of
from tests.kit.periods import (
    draw,
    fates,
    let_pass,
    points_of,
    rich,
    sell_out,
    settle,
)
from tests.kit.units import counters

pytestmark = pytest.mark.django_db

BOTH = pytest.mark.parametrize("placement", ["direct", "queued"])
HOUR = timedelta(hours=1)


def ending(**terms: object) -> Period:
    """A period that has an end."""
    return make_period(ends_at=timezone.now() + HOUR, **terms)


def now(period: Period) -> Period:
    return Period.objects.select_related("pool", "sku__pool").get(pk=period.pk)


# --- the end


def test_a_period_that_is_not_due_stays_open() -> None:
    period = ending()
    enter(rich(), period, 2)

    periods_sweep()
    period_close(now(period))

    assert (now(period).status, now(period).pool.open) == ("open", True)


@BOTH
def test_what_surfaces_after_the_close_fails_as_ended_and_moves_no_money(
    placement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its request has seen the period open; it is stored when the period is closed."""
    period, user, late = ending(placement=placement, gated=False), rich(100), rich(100)
    enter(user, period, 2)
    settle(period)
    seen = period_terms(period.pk)
    let_pass(period, hours=2)
    periods_sweep()
    before = Transaction.objects.count()
    monkeypatch.setattr(entries, "period_terms_lately", lambda period_id: seen)

    code = code_of(lambda: enter(late, period, 1))
    settle(period)

    if placement == "direct":
        assert code == "ended"
        assert not Entry.objects.filter(user=late).exists()
    else:
        assert code == ""
        assert fates(Entry.objects.get(user=late)) == ["ended"]
    assert points_of(late) == 100
    assert Transaction.objects.count() == before
    assert (now(period).shares_sold, counters(period.pool)) == (2, (8, 2))
    assert audit().broken == {}


def test_entries_that_wait_for_more_than_is_left_are_settled_before_the_close() -> None:
    period = make_period(total_shares=3, placement="queued", gated=False)
    users = [rich() for _ in range(3)]
    waiting = [enter(user, period, 2) for user in users]
    poor = enter(rich(1), period, 1)

    settle(period)
    last = enter(users[0], period, 2, partial=True)
    period_close(now(period))

    assert fates(*waiting, poor, last) == [
        "confirmed",
        "sold_out",
        "sold_out",
        "insufficient_balance",
        "confirmed",
    ]
    assert (now(period).status, now(period).shares_sold) == ("closed", 3)
    assert audit().broken == {}


def test_nothing_sold_is_cancelled_and_over() -> None:
    coin = make_sku(stock=1)
    period = ending(sku=coin)
    let_pass(period, hours=2)

    periods_sweep()

    assert (now(period).status, now(period).shares_sold) == ("cancelled", 0)
    assert now(period).finished
    assert counters(coin.pool) == (1, 0)
    assert audit().broken == {}


# --- what is published


def test_the_root_is_that_of_its_entries_in_the_order_of_their_shares() -> None:
    period = make_period(total_shares=6)
    sell_out(period, *(rich() for _ in range(4)))

    periods_sweep()

    rows = Shares.objects.filter(pool=period.pool).select_related("entry").order_by("first")
    leaves = [
        leaf_of(row.entry.entry_no, row.first, row.count, row.entry.nonce).encode() for row in rows
    ]
    closed = now(period)
    assert len(leaves) == 4
    assert closed.root == root(leaves).hex()
    due = LOCAL_SECONDS.time_of(closed.beacon_round)
    assert timedelta(seconds=5) <= due - closed.closed_at < timedelta(seconds=6)


def test_what_is_published_is_never_published_anew() -> None:
    period = make_period(total_shares=2)
    sell_out(period)
    periods_sweep()
    published = now(period)

    period_freeze(now(period))

    again = now(period)
    for name in ("root", "closed_at", "beacon_round"):
        assert getattr(again, name) == getattr(published, name)


def test_who_dies_before_publishing_is_followed_by_the_next_sweep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mortal(monkeypatch)
    period = make_period(total_shares=2)
    sell_out(period)

    with dying_at("period.freeze"):
        periods_sweep()
    died = now(period)
    periods_sweep()

    assert (died.status, died.root, died.closed_at) == ("closed", "", None)
    assert len(now(period).root) == 64
    assert audit().broken == {}


# --- what is returned


@pytest.fixture
def in_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two entries' money in one transaction."""
    monkeypatch.setattr(closing, "BATCH", 2)


def cancelled_with(entries: int) -> tuple[Period, list[Entry]]:
    """A cancelled period that owes so many entries their 10 points, of users with two each; each
    entry's number of shares is another."""
    period = ending(total_shares=1_000, minimum_shares=999)
    users = [rich(1_000) for _ in range((entries + 1) // 2)]
    bought = [enter(users[n // 2], period, 1 + n) for n in range(entries)]
    settle(period)
    let_pass(period, hours=2)
    period_close(now(period))
    assert now(period).status == "cancelled"
    return period, bought


@pytest.mark.usefixtures("in_pairs")
def test_money_comes_back_in_batches_each_entrys_once() -> None:
    period, bought = cancelled_with(5)

    counts = [period_refund(now(period)) for _ in range(5)]

    assert counts == [2, 2, 1, 0, 0]
    assert fates(*bought) == ["refunded"] * 5
    assert {points_of(entry.user) for entry in bought} == {1_000}
    assert len(set(Shares.objects.values_list("returned", flat=True))) == 3
    assert audit().broken == {}


@pytest.mark.usefixtures("in_pairs")
@pytest.mark.parametrize("point", ["commit.before", "commit.after"])
def test_who_dies_over_a_batch_has_returned_all_of_it_or_nothing(
    point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mortal(monkeypatch)
    period, bought = cancelled_with(5)

    for _ in range(4):
        with dying_at(point):
            period_refund(now(period))
        assert fates(*bought).count("refunded") % 2 in (0, len(bought) % 2)
        assert audit().broken == {}
    for _ in range(3):
        periods_sweep()

    assert fates(*bought) == ["refunded"] * 5
    assert {points_of(entry.user) for entry in bought} == {1_000}
    assert now(period).finished
    assert audit().broken == {}


def test_only_a_cancelled_period_returns_money() -> None:
    running, sold = make_period(), make_period(total_shares=2)
    entry = enter(rich(), running, 1)
    settle(running)
    sell_out(sold)
    assert period_refund(now(running)) == 0
    periods_sweep()
    assert period_refund(now(sold)) == 0
    drawn = draw(sold)
    assert period_refund(drawn) == 0

    assert fates(entry, drawn.winner) == ["confirmed", "confirmed"]
    assert audit().broken == {}


# --- who holds up whom


@pytest.fixture
def spoiled() -> Iterator[Period]:
    """A period whose root can't be computed: somebody has changed an entry's nonce."""
    period = make_period(total_shares=1)
    [entry] = sell_out(period)
    Entry.objects.filter(pk=entry.pk).update(nonce="not hex")
    return period


def test_one_that_can_not_be_moved_holds_up_no_other_and_is_told_of(
    spoiled: Period, caplog: pytest.LogCaptureFixture
) -> None:
    later, renewed = make_period(total_shares=1), make_period(total_shares=1, auto_renew=True)
    for period in (later, renewed):
        sell_out(period)

    for _ in range(2):
        periods_sweep()

    assert (now(spoiled).status, now(spoiled).root) == ("closed", "")
    assert len(now(later).root) == 64
    assert Period.objects.filter(previous=renewed).exists()
    assert f"period {spoiled.pk}: period_freeze failed" in caplog.text


# --- what is done with


def test_sweeps_look_no_more_at_what_is_over_and_only_at_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    coin = make_sku(stock=1)
    plain, followed = make_period(total_shares=1), make_period(total_shares=1, auto_renew=True)
    unfollowed = make_period(total_shares=1, auto_renew=True, sku=coin)
    closed, running = make_period(total_shares=1), make_period()
    for period in (plain, followed, unfollowed):
        sell_out(period)
        draw(period)
    owing, bought = cancelled_with(1)
    sell_out(closed)
    monkeypatch.setattr(closing, "period_refund", lambda period: 0)
    periods_sweep()
    expected = {plain: True, followed: True, unfollowed: False, closed: False, running: False}
    assert {period: now(period).finished for period in expected} == expected
    assert not now(owing).finished

    monkeypatch.undo()
    periods_sweep()

    assert now(owing).finished
    assert fates(*bought) == ["refunded"]


def test_a_sweep_of_nothing_finds_nothing(
    django_assert_max_num_queries: Callable[..., object],
) -> None:
    sell_out(period := make_period(total_shares=1))
    draw(period)
    periods_sweep()

    with django_assert_max_num_queries(5):
        assert periods_sweep() == 0


def test_closing_gives_the_prize_of_a_cancelled_period_back_once() -> None:
    coin = make_sku(stock=3)
    period = ending(sku=coin)
    let_pass(period, hours=2)

    for close in [partial(period_close, now(period))] * 3:
        close()

    assert counters(coin.pool) == (3, 0)
    assert PoolMovement.objects.filter(pool=coin.pool, kind="give_back").count() == 1
