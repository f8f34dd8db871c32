"""Operators' steps against shoppers and sweepers, and gates, on real row locks and a real Redis."""

import threading

import pytest
from django.db import connections

from lottery import opening
from lottery.closing import period_cancel, periods_sweep
from lottery.given_up import entry_retry
from lottery.models import Entry, Period, Shares
from lottery.opening import period_rebuild_gate, period_stop_renewal
from shop.errors import Invalid, Refusal
from shop.pools import gate
from shop.pools.audit import audit
from shop.pools.drain import drain
from shop.pools.figures import GateState, gate_view
from tests.factories import enter, make_period, make_sku
from tests.kit.barrier import race
from tests.kit.marks import on_mariadb
from tests.kit.periods import rich, sell
from tests.kit.units import counters

pytestmark = on_mariadb


@pytest.fixture(autouse=True)
def no_gates():
    gate.client().flushdb()


def code_of(attempt):
    try:
        attempt()
    except Refusal as refusal:
        return refusal.code
    return ""


@pytest.mark.parametrize("placement", ["direct", "queued"])
@pytest.mark.parametrize("attempt", range(5))
def test_a_period_is_either_cancelled_or_sold(operator, placement, attempt):
    coin = make_sku(stock=1)
    period = make_period(sku=coin, placement=placement)
    buyers = [rich() for _ in range(4)]

    def buy(user):
        return lambda: code_of(lambda: enter(user, period))

    def cancel():
        return code_of(lambda: period_cancel(period, operator=operator))

    outcomes = [outcome.result() for outcome in race([*map(buy, buyers), cancel])]
    drain(period.queue_id)

    status = Period.objects.get(pk=period.pk).status
    if status == "cancelled":
        assert outcomes[-1] == ""
        assert not Shares.objects.exists()
        assert counters(coin.pool) == (1, 0)
    else:
        assert (status, outcomes[-1]) == ("open", Invalid.code)
        assert Shares.objects.exists()
        assert counters(coin.pool) == (0, 1)
    assert audit().broken == {}


def test_whoever_stops_a_chain_waits_for_the_period_that_is_just_opening(operator, monkeypatch):
    first = make_period(total_shares=1, auto_renew=True)
    sell(first)
    opening_now, go_on = threading.Event(), threading.Event()
    new_seed = opening.new_seed

    def slowly():
        opening_now.set()
        assert go_on.wait(120)
        return new_seed()

    monkeypatch.setattr(opening, "new_seed", slowly)

    def sweep():
        periods_sweep()

    def stop():
        assert opening_now.wait(120)
        # Before this thread can have the row, the other has opened the next period.
        threading.Timer(0.2, go_on.set).start()
        return period_stop_renewal(first, operator=operator)

    [swept, stopped] = race([sweep, stop])
    swept.result()

    second = Period.objects.get(previous=first)
    assert stopped.result() is True
    assert second.auto_renew is False
    connections.close_all()
    sell(second)
    periods_sweep()
    assert Period.objects.count() == 2


@pytest.fixture
def gated():
    """5 shares at 5 points, 3 a shopper, behind a gate."""
    return make_period(total_shares=5, per_user_limit=3, gated=True)


def remaining(period):
    [counters_of] = gate.names(period.pool_id)
    return int(gate.client().hget(counters_of, "remaining"))


def test_a_gate_is_rebuilt_by_hand(operator, gated):
    sell(gated, 2)
    gate.client().delete(*gate.names(gated.pool_id, "users", "keys", "look"))
    assert gate_view(gated.pool).state is GateState.COLD

    period_rebuild_gate(gated, operator=operator)

    assert gate_view(gated.pool).state is GateState.EQUAL
    assert remaining(gated) == 3


def test_the_shares_of_an_entry_tried_again_can_not_be_had_by_others(operator, gated, settings):
    settings.DRAIN_ATTEMPTS = 1
    entry = enter(rich(), gated, 2)
    cause = Shares.objects.create(
        entry=entry, pool_id=gated.pool_id, first=10**9, count=1, cost=0, reference="spoilt"
    )
    drain(gated.queue_id)
    cause.delete()
    assert (Entry.objects.get().failure, remaining(gated)) == ("internal", 5)

    entry_retry(entry, operator=operator)

    assert remaining(gated) == 3
    assert gate_view(gated.pool).state is GateState.EQUAL
    drain(gated.queue_id)
    assert Entry.objects.get().status == "confirmed"
    assert gate_view(gated.pool).state is GateState.EQUAL


def test_the_gate_of_a_cancelled_period_lets_nobody_through(operator, gated):
    period_cancel(gated, operator=operator)

    assert code_of(lambda: enter(rich(), gated)) == "ended"
    assert not Entry.objects.exists()
