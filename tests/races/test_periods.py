"""Periods under a crowd: each share is one user's and paid for once, each end, each draw is one."""

import time
from collections import Counter
from datetime import timedelta
from functools import partial
from random import Random
from threading import Event

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from lottery import closing
from lottery.closing import period_cancel, periods_sweep
from lottery.drawing import periods_draw
from lottery.models import Entry, Period, Shares
from lottery.opening import period_renew
from lottery.proof import period_proof
from lottery.public_numbers import public_number_enter
from orders.models import Order
from shop.accounts.models import User
from shop.pools.audit import Report, audit
from shop.pools.models import PoolMovement
from shop.wallet.models import Transaction
from tests.factories import enter, make_sku, make_user
from tests.kit.barrier import Outcome, race, watching
from tests.kit.controls import deadlocks
from tests.kit.hows import How, code_of, drain_all, drained, hows, in_step, patient
from tests.kit.marks import on_mariadb
from tests.kit.midway import looking_midway
from tests.kit.periods import (
    PRICE,
    assert_sold,
    close,
    crowd,
    end_now,
    fates,
    let_round_come,
    outcomes,
    period_of,
    points_of,
    sell_out,
)
from tests.kit.units import counters

pytestmark = on_mariadb

QUEUED = How("queued", "optimistic", gated=False)
DIRECT = How("direct", "optimistic", gated=False)


def codes_of(outcomes: list[Outcome[str]]) -> Counter[str]:
    return Counter(outcome.result() for outcome in outcomes)


def entering(user: User, period: Period, shares: int = 1, *, partial: bool = False) -> str:
    """Enters with one key until there is an answer: its code, "" for an entry."""
    return patient(lambda: enter(user, period, shares, key="k", partial=partial))


def assert_kept(seen: list[Report]) -> None:
    """Every snapshot keeps every promise."""
    assert [report.broken for report in seen] == [{}] * len(seen)


# --- buyers


@hows("last shares", short=3)
def test_of_200_users_at_the_last_shares_three_get_them(how: How) -> None:
    """Some would take more, and make do with what is left."""
    period, users = period_of(how, shares=3), crowd(200, points=PRICE * 3)

    with drained(period):
        codes = codes_of(
            race(
                [
                    partial(entering, user, period, 1 + n % 2, partial=n % 2 == 1)
                    for n, user in enumerate(users)
                ]
            )
        )

    assert set(codes) <= {"", "sold_out"}
    assert Entry.objects.count() == codes[""]
    assert set(outcomes(period)) <= {"confirmed", "sold_out"}
    assert 2 <= outcomes(period)["confirmed"] <= 3
    assert_sold(period, shares=3, had=dict.fromkeys(users, PRICE * 3))
    assert in_step(period)


@pytest.mark.parametrize(
    ("how", "buyers"),
    [
        (DIRECT, 150),
        (How("queued", "pessimistic", gated=True), 300),
        *(
            pytest.param(How(placement, strategy, gated, soak=True), 3_000, marks=pytest.mark.soak)
            for placement in ("direct", "queued")
            for strategy in ("optimistic", "pessimistic")
            for gated in (True, False)
        ),
    ],
    ids=str,
)
def test_a_period_that_sells_keeps_each_promise_at_each_moment(
    how: How,
    buyers: int,
    dice: Random,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each wants 1 to 20 numbers, every third takes what is left, every tenth can't pay. Audited
    all the time, and in the middle of takes."""
    settings.DRAIN_BATCH = max(20, buyers // 20)
    period = period_of(how, shares=8 * buyers)
    rich, poor = crowd(buyers - buyers // 10), crowd(buyers // 10, points=PRICE - 1)
    users = dice.sample([*rich, *poor], buyers)
    midway = looking_midway(monkeypatch, audit, takes={2, 5, 9})

    def customers(mine: list[User]) -> Counter[str]:
        return Counter(
            entering(user, period, own_dice[user].randint(1, 20), partial=user.pk % 3 == 0)
            for user in mine
        )

    own_dice = {user: Random(dice.random()) for user in users}
    with watching(audit, every=0.2) as seen, drained(period):
        rounds = race([partial(customers, users[n::12]) for n in range(12)])
    codes = sum((one.result() for one in rounds), Counter())
    # What is left over by those who would have had too few goes to one who takes what is left.
    [last] = crowd(1, points=PRICE * 8 * buyers)
    if counters(period.pool)[0]:
        enter(last, period, 1_000, partial=True)
    drain_all(period)

    assert set(codes) <= {"", "sold_out", "insufficient_stock", "insufficient_balance"}
    assert codes[""] == Entry.objects.exclude(user=last).count()
    assert set(outcomes(period)) <= {"confirmed", "sold_out", "insufficient_balance"}
    had = dict.fromkeys(rich, 1_000) | dict.fromkeys(poor, PRICE - 1)
    assert_sold(period, shares=8 * buyers, had=had | {last: PRICE * 8 * buyers})
    assert_kept([*seen, *midway])
    assert len(midway) == 3
    assert {report.figures(4)["shares_sold"] for report in midway}.isdisjoint({8 * buyers})


@hows("limit", short=3)
def test_the_limit_holds_over_50_requests_of_one_user_with_50_keys(how: How) -> None:
    period, [user] = period_of(how, shares=500, per_user_limit=7), crowd(1)

    def request(number: int) -> str:
        return patient(lambda: enter(user, period, 2, key=f"k{number}"))

    with drained(period):
        codes = codes_of(race([partial(request, number) for number in range(50)]))

    assert set(codes) <= {"", "purchase_limit"}
    if how.gated or not how.queued:
        assert codes[""] == 3
    assert outcomes(period)["confirmed"] == 3
    assert_sold(period, shares=6, had={user: 1_000})
    assert in_step(period)


@hows("balance", short=3)
def test_what_the_balance_covers_is_what_is_bought_in_two_periods_at_once(how: How) -> None:
    """50 entries of 3 shares each, and points for 7 of them and some more."""
    periods = [period_of(how, shares=100) for _ in range(2)]
    had = PRICE * 3 * 7 + PRICE * 2
    [user] = crowd(1, points=had)

    def request(number: int) -> str:
        return patient(lambda: enter(user, periods[number % 2], 3, key=f"k{number}"))

    with watching(audit) as seen, drained(*periods):
        codes = codes_of(race([partial(request, number) for number in range(50)]))

    confirmed = Entry.objects.filter(status="confirmed").count()
    assert set(codes) <= {"", "insufficient_balance"}
    if not how.queued:
        assert codes[""] == 7
    assert confirmed == 7
    assert points_of(user) == PRICE * 2
    assert sum(Shares.objects.values_list("count", flat=True)) == 21
    assert_kept(seen)
    assert all(in_step(period) for period in periods)


@hows("one key", short=2)
def test_one_key_50_times_at_once_is_one_entry_and_one_payment(how: How) -> None:
    period, [user] = period_of(how, shares=100), crowd(1)

    with drained(period):
        codes = codes_of(race([partial(entering, user, period, 4)] * 50))

    assert codes == {"": 50}
    assert_sold(period, shares=4, had={user: 1_000})
    assert in_step(period)


def test_users_who_enter_periods_in_any_order_while_drains_and_returns_go_on_never_deadlock(
    dice: Random,
) -> None:
    """Wallets before counters, by account, whoever takes them."""
    queued = [period_of(QUEUED, shares=1_000, per_user_limit=500) for _ in range(2)]
    direct = [period_of(DIRECT, shares=1_000, per_user_limit=500) for _ in range(2)]
    users = crowd(12, points=10_000)
    cancelled = period_of(QUEUED, shares=1_000, minimum_shares=900, ends_at=later())
    for user in users:
        enter(user, cancelled, 3)
    drain_all(cancelled)
    end_now(cancelled)
    before = deadlocks()

    def buys(own: Random) -> str:
        for _ in range(12):
            period, user = own.choice([*queued, *direct]), own.choice(users)
            enter(user, period, own.randint(1, 5))
        return ""

    def returns() -> str:
        periods_sweep()
        return ""

    with watching(audit) as seen, drained(*queued):
        codes_of(race([*(partial(buys, Random(dice.random())) for _ in range(8)), returns]))

    assert deadlocks() == before
    assert outcomes(cancelled) == {"refunded": 12}
    assert_kept(seen)
    assert audit().broken == {}


# --- the end


def later() -> object:
    return timezone.now() + timedelta(hours=1)


@hows("end", short=3)
@pytest.mark.parametrize("minimum", [1, 10_000], ids=["drawn", "cancelled"])
def test_a_period_that_ends_in_the_rush_keeps_what_was_sold_and_no_more(
    how: How, minimum: int
) -> None:
    """Entries race the end, which three sweepers see at once."""
    coin = make_sku(stock=1)
    period = period_of(how, shares=10_000, minimum_shares=minimum, ends_at=later(), sku=coin)
    users, over = crowd(60), Event()

    def buys(own: int, user: User) -> str:
        if own > 20:
            over.wait(300)
        return entering(user, period, 2)

    def ends() -> str:
        while Entry.objects.count() < 15:
            time.sleep(0.005)
        end_now(period)
        over.set()
        return "end"

    def sweeps() -> str:
        over.wait(300)
        while Period.objects.get(pk=period.pk).status == "open":
            periods_sweep()
        periods_sweep()
        return "swept"

    with watching(audit) as seen, drained(period):
        codes = codes_of(
            race([*(partial(buys, *pair) for pair in enumerate(users)), ends, *[sweeps] * 3])
        )
    periods_sweep()

    period.refresh_from_db()
    told = outcomes(period)
    assert set(codes) <= {"", "ended", "end", "swept"}
    assert codes["ended"]
    kept = "confirmed" if minimum == 1 else "refunded"
    assert set(told) <= {kept, "ended"}
    assert_kept(seen)
    had = dict.fromkeys(users, 1000)
    if minimum == 1:
        assert period.status == "closed"
        assert_sold(period, shares=2 * told["confirmed"], had=had)
        assert counters(coin.pool) == (0, 1)
    else:
        assert period.status == "cancelled"
        assert {points_of(user) for user in users} == {1_000}
        assert counters(coin.pool) == (1, 0)
    assert period.shares_sold == 2 * told[kept] > 0
    # Whoever is stored after the end has no shares and paid nothing.
    late = Entry.objects.filter(failure="ended")
    assert not Shares.objects.filter(entry__in=late).exists()
    assert audit().broken == {}


def test_closed_and_renewed_by_all_at_once_it_is_closed_once_and_followed_once() -> None:
    coin = make_sku(stock=5)
    period = period_of(QUEUED, shares=4, sku=coin, auto_renew=True)
    sell_out(period, *crowd(2))

    def sweeps() -> object:
        return periods_sweep()

    for one in race([sweeps] * 8):
        one.result()
    fresh = Period.objects.select_related("pool", "sku__pool").get(pk=period.pk)
    renewed = race([lambda: period_renew(fresh)] * 8)

    [following] = {one.result() for one in renewed}
    assert following == Period.objects.get(previous=period)
    assert Period.objects.count() == 2
    assert counters(coin.pool) == (3, 2)
    assert Period.objects.values_list("status", "shares_sold").get(pk=period.pk) == ("closed", 4)
    assert len(fresh.root) == 64
    assert audit().broken == {}


@pytest.mark.parametrize("batch", [3, 500])
def test_returned_by_all_at_once_each_entry_has_its_money_once(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "BATCH", batch)
    period = period_of(QUEUED, shares=1_000, minimum_shares=900, ends_at=later())
    users = crowd(20)
    entries = [enter(user, period, 1 + n) for n, user in enumerate(users)]
    drain_all(period)
    end_now(period)

    def sweeps() -> object:
        for _ in range(4):
            periods_sweep()
        return None

    with watching(audit) as seen:
        for one in race([sweeps] * 6):
            one.result()

    assert fates(*entries) == ["refunded"] * 20
    assert {points_of(user) for user in users} == {1_000}
    back = Transaction.objects.filter(reference__startswith=f"period-{period.pk}-back-")
    assert back.count() == -(-20 // batch)
    assert_kept(seen)
    assert audit().broken == {}


@hows("cancel", short=2)
def test_an_operator_who_cancels_against_the_first_entry_cancels_all_or_nothing(how: How) -> None:
    coin, operator = make_sku(stock=3), make_user(is_staff=True)
    for _ in range(6 if how.soak else 3):
        period, users = period_of(how, shares=100, sku=coin), crowd(6)
        fresh = Period.objects.select_related("pool").get(pk=period.pk)

        with drained(period):
            codes = codes_of(
                race(
                    [
                        *(partial(entering, user, period, 3) for user in users),
                        lambda: code_of(lambda: period_cancel(fresh, operator=operator)) or "done",  # noqa: B023
                    ]
                )
            )

        period.refresh_from_db()
        sold = 3 * outcomes(period)["confirmed"]
        assert period.status == ("cancelled" if codes["done"] else "open")
        assert bool(sold) != bool(codes["done"])
        assert_sold(period, shares=sold, had=dict.fromkeys(users, 1_000))


# --- the draw


def test_drawn_by_all_at_once_and_again_it_has_one_result_and_one_proof() -> None:
    coin = make_sku(stock=1)
    period = period_of(QUEUED, shares=30, sku=coin)
    sell_out(period, *crowd(7))
    close(period)
    let_round_come(period)

    drawn = race([periods_draw] * 8)
    proofs = race([lambda: period_proof(period.pk)] * 8)
    periods_draw()

    assert sum(one.result() for one in drawn) == 1
    assert len({one.result() for one in proofs} | {period_proof(period.pk)}) == 1
    winner = Period.objects.select_related("winner", "prize_order").get(pk=period.pk)
    assert Order.objects.get() == winner.prize_order
    assert winner.prize_order.user_id == winner.winner.user_id
    assert PoolMovement.objects.filter(pool=coin.pool, kind="take").count() == 1
    assert audit().broken == {}


def test_two_operators_at_once_make_a_public_number_stand_once() -> None:
    period = period_of(DIRECT, shares=2, scheme="classic", public_number_source="the index")
    sell_out(period, *crowd(2))
    close(period)
    operators = [make_user(is_staff=True) for _ in range(6)]

    stands = race(
        [
            partial(public_number_enter, period, number=7 + (n >= 4), operator=operator)
            for n, operator in enumerate(operators)
        ]
    )
    for one in race([periods_draw] * 4):
        one.result()

    assert any(one.result() for one in stands)
    drawn = Period.objects.get(pk=period.pk)
    assert (drawn.status, drawn.public_number in (7, 8)) == ("drawn", True)
    assert audit().broken == {}
