"""A period from its opening to its draw: entries, both placements, sold out, cancelled, renewed."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from lottery.closing import periods_sweep
from lottery.drawing import periods_draw
from lottery.models import Entry, Period, Shares
from lottery.opening import PeriodPlan, period_open
from lottery.proof import period_proof
from orders.models import Order, OrderLine
from shop.errors import (
    Ended,
    InsufficientBalance,
    InsufficientStock,
    Invalid,
    PurchaseLimit,
    SoldOut,
)
from shop.pools.audit import audit
from tests.factories import enter, make_period, make_sku
from tests.kit.hows import code_of
from tests.kit.periods import let_pass, let_round_come, points_of, rich, settle, stored
from tests.kit.units import counters

pytestmark = pytest.mark.django_db(transaction=True)

BOTH = pytest.mark.parametrize("placement", ["direct", "queued"])


@BOTH
def test_shares_follow_each_other_and_are_paid_for_from_the_wallet(placement: str) -> None:
    period = make_period(total_shares=10, share_price=5, placement=placement)
    one, other = rich(100), rich(100)

    entries = [enter(one, period, 3), enter(other, period, 4), enter(one, period, 1)]
    settle(period)

    got = [stored(entry) for entry in entries]
    assert [entry.status for entry in got] == ["confirmed"] * 3
    assert [(entry.shares.first, entry.shares.count) for entry in got] == [(0, 3), (3, 4), (7, 1)]
    assert (points_of(one), points_of(other)) == (80, 80)
    assert counters(period.pool) == (2, 8)
    assert audit().broken == {}


@BOTH
def test_who_can_not_pay_gets_nothing_and_leaves_it_to_others(placement: str) -> None:
    period = make_period(total_shares=2, share_price=50, placement=placement)
    poor, user = rich(49), rich(50)

    codes = [code_of(lambda buyer=buyer: enter(buyer, period)) for buyer in (poor, user)]
    settle(period)

    fates = list(Entry.objects.order_by("pk").values_list("failure", "status"))
    if placement == "direct":
        assert codes == ["insufficient_balance", ""]
        assert fates == [("", "confirmed")]
    else:
        assert codes == ["", ""]
        assert fates == [("insufficient_balance", "failed"), ("", "confirmed")]
    assert (points_of(poor), points_of(user)) == (49, 0)
    assert Shares.objects.get().first == 0
    assert audit().broken == {}


@BOTH
def test_fewer_are_given_where_fewer_will_do(placement: str) -> None:
    period = make_period(total_shares=5, share_price=1, placement=placement)
    first, second, third = rich(), rich(), rich()
    enter(first, period, 3)
    settle(period)

    with pytest.raises(InsufficientStock) as few:
        enter(second, period, 4)
    entry = enter(second, period, 4, partial=True)
    settle(period)

    assert few.value.data == {"available": 2}
    got = stored(entry)
    assert (got.shares.first, got.shares.count, got.shares.cost) == (3, 2, 2)
    with pytest.raises(SoldOut):
        enter(third, period, 1, partial=True)
    assert points_of(second) == 998
    assert audit().broken == {}


@BOTH
def test_the_limit_holds_over_all_entries_of_a_user(placement: str) -> None:
    period = make_period(total_shares=10, per_user_limit=3, placement=placement)
    user = rich()
    enter(user, period, 2)
    settle(period)

    with pytest.raises(PurchaseLimit):
        enter(user, period, 4)
    code = code_of(lambda: enter(user, period, 2))
    settle(period)

    failed = Entry.objects.filter(status="failed").values_list("failure", flat=True)
    assert (code or list(failed)) in ("purchase_limit", ["purchase_limit"])
    assert counters(period.pool) == (8, 2)
    assert audit().broken == {}


@BOTH
def test_sold_out_it_is_closed_drawn_and_its_winner_has_the_prize(placement: str) -> None:
    coin = make_sku(stock=1)
    period = make_period(total_shares=4, sku=coin, placement=placement)
    users = [rich() for _ in range(3)]
    for user, shares in zip(users, (1, 2, 1), strict=True):
        enter(user, period, shares)
    settle(period)
    assert counters(coin.pool) == (0, 1)

    periods_sweep()
    closed = Period.objects.get(pk=period.pk)
    assert (closed.status, closed.shares_sold, len(closed.root)) == ("closed", 4, 64)
    assert periods_draw() == 0  # its round is not out
    let_round_come(closed)
    assert periods_draw() == 1

    drawn = Period.objects.select_related("winner", "prize_order").get(pk=period.pk)
    assert drawn.status == "drawn"
    order = Order.objects.get()
    assert (order.user_id, order.kind, order.status, order.total_fen) == (
        drawn.winner.user_id,
        "prize",
        "paid",
        0,
    )
    assert OrderLine.objects.get().reference == period.reference
    proof = period_proof(period.pk)
    transcript = json.loads(proof)
    assert transcript["number"] == drawn.number
    assert transcript["winning_entry_no"] == drawn.winner.entry_no
    assert periods_draw() == 0
    assert period_proof(period.pk) == proof
    assert audit().broken == {}


def test_out_of_time_with_too_few_sold_it_is_cancelled_and_all_money_comes_back() -> None:
    coin = make_sku(stock=2)
    period = make_period(
        total_shares=10,
        minimum_shares=5,
        sku=coin,
        ends_at=timezone.now() + timedelta(hours=1),
    )
    one, other = rich(100), rich(100)
    entries = [enter(one, period, 2), enter(other, period, 2), enter(rich(1), period, 1)]
    settle(period)
    let_pass(period, hours=2)

    with pytest.raises(Ended):
        enter(one, period)
    periods_sweep()

    assert Period.objects.get(pk=period.pk).status == "cancelled"
    assert [stored(entry).status for entry in entries] == ["refunded", "refunded", "failed"]
    assert (points_of(one), points_of(other)) == (100, 100)
    assert counters(coin.pool) == (2, 0)
    periods_sweep()
    assert (points_of(one), points_of(other)) == (100, 100)
    assert audit().broken == {}


def test_what_waits_when_time_is_up_is_settled_before_it_is_closed() -> None:
    period = make_period(total_shares=10, ends_at=timezone.now() + timedelta(hours=1))
    entry = enter(rich(), period, 2)
    let_pass(period, hours=2)

    periods_sweep()

    assert stored(entry).status == "confirmed"
    assert Period.objects.get(pk=period.pk).shares_sold == 2
    assert audit().broken == {}


def test_the_next_one_opens_by_itself_as_long_as_there_are_prizes() -> None:
    coin = make_sku(stock=2)
    period = make_period(total_shares=1, sku=coin, auto_renew=True)
    for serial in (1, 2):
        current = Period.objects.get(serial=serial)
        enter(rich(), current)
        settle(current)
        periods_sweep()
        periods_sweep()

    second = Period.objects.get(previous=period)
    assert (second.serial, second.seed == period.seed) == (2, False)
    assert Period.objects.count() == 2
    assert counters(coin.pool) == (0, 2)
    assert audit().broken == {}


def test_a_period_is_opened_once_for_each_reference() -> None:
    plan = PeriodPlan(prize_title="银币", share_price=1, total_shares=5, beacon="local")

    periods = [period_open(plan, reference="r") for _ in range(2)]

    assert periods[0] == periods[1]
    assert counters(periods[0].pool) == (5, 0)


def test_money_is_refused_where_the_settings_do_not_allow_it() -> None:
    with pytest.raises(Invalid) as refused:
        make_period(currency="cny")
    assert refused.value.data["errors"][0]["field"] == "currency"


def test_a_prize_that_is_gone_opens_nothing() -> None:
    coin = make_sku(stock=0)
    with pytest.raises(InsufficientStock):
        make_period(sku=coin)
    assert not Period.objects.exists()


def test_a_repeat_of_an_entry_is_that_entry() -> None:
    period, user = make_period(placement="direct"), rich(10)

    first, again = (enter(user, period, 2, key="k") for _ in range(2))

    assert first.pk == again.pk
    assert points_of(user) == 0
    with pytest.raises(InsufficientBalance):
        enter(user, period, 2, key="other")
