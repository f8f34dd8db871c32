"""What is seen of a pool second by second: it is the truth, costs little, and that once for all."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from goods.sales.live import WATCHED, WatchedSale
from goods.sales.services import sale_end
from lottery.live import WATCHED as WATCHED_PERIOD
from lottery.packets.live import WATCHED as WATCHED_PACKET
from orders import shield
from orders.lifecycle import order_accept, order_cancel, order_ship
from orders.models import Order
from shop.errors import PurchaseLimit, SoldOut
from shop.pools import gate, gatekeeping, live, shots
from shop.pools.drain import drain
from shop.pools.figures import GateState
from shop.pools.live import view
from tests.factories import enter, make_period, make_sale, make_user, pay_from_wallet, place_in
from tests.kit.barrier import race
from tests.kit.costs import redis_calls, sent_by
from tests.kit.marks import on_mariadb
from tests.kit.packets import grab, make_packet
from tests.kit.periods import rich
from tests.kit.redis import hung, own_redis
from tests.kit.wallets import fund
from tests.kit.watching import grown, let_a_second_pass, shot_now, stop_the_seconds, watch


@pytest.fixture(autouse=True)
def no_second_passes(db, monkeypatch):
    stop_the_seconds(monkeypatch)


def a_sale(total=10, **terms):
    return make_sale(total=total, price_fen=100, **{"per_user_limit": None} | terms)


def play(sale, operator):
    """Six orders of a queued sale that come to all there is: sent, paid, unpaid, cancelled, failed
    and, of two units, waiting."""
    shoppers = [make_user() for _ in range(6)]
    for shopper in shoppers:
        fund(shopper, 1_000)
    sent, paid, unpaid, cancelled = (place_in(sale, shopper, 2) for shopper in shoppers[:4])
    failed = place_in(sale, shoppers[4], 5)
    drain(sale.queue_id)
    for shopper, order in zip(shoppers, (sent, paid), strict=False):
        pay_from_wallet(shopper, order)
    order_accept(order_no=sent.order_no, operator=operator)
    order_ship(order_no=sent.order_no, operator=operator, courier="SF", tracking_no="1")
    order_cancel(user=shoppers[3], order_no=cancelled.order_no)
    place_in(sale, shoppers[5], 2)
    assert Order.objects.get(pk=failed.pk).status == "failed"
    assert Order.objects.get(pk=unpaid.pk).status == "unpaid"


def test_the_figures_of_a_played_sale_are_the_truth(operator):
    sale = a_sale(10, placement="queued")

    play(sale, operator)
    shot = shot_now(WATCHED, sale)

    sale.pool.refresh_from_db()
    assert (shot.available, shot.taken) == (4, 6) == (sale.pool.available, sale.pool.taken)
    assert (shot.state, shot.begun, shot.over, shot.waiting) == ("running", True, False, 1)
    assert shot.until == sale.ends_at.timestamp()
    assert (shot.gate, shot.tallies) == (GateState.OFF, None)
    assert shot.funnel.steps == {
        "placed": 6,
        "settled": 4,
        "paid": 2,
        "shipped": 1,
        "gone": 1,
        "failed": 1,
    }
    assert shot.funnel.whole
    assert tuple(shot.funnel.steps) == WATCHED.steps


def test_the_oldest_is_as_old_as_the_database_says(db):
    sale = a_sale(placement="queued")
    place_in(sale, make_user())
    Order.objects.update(created_at=Now() - timedelta(seconds=90))
    place_in(sale, make_user())

    shot = shot_now(WATCHED, sale)

    assert shot.waiting == 2
    assert 90 <= shot.oldest_seconds < 120


def test_what_was_taken_since_the_last_shot_is_told_by_the_second(db):
    sale = a_sale(placement="direct")
    before = shot_now(WATCHED, sale)
    assert before.per_second["taken"] is None

    place_in(sale, make_user(), 3)
    after = shot_now(WATCHED, sale)

    assert grown(before, after, "taken") == 3
    # Of requests nobody knows who has no gate.
    assert grown(before, after, "admitted") is None


def test_a_sale_that_is_over_has_its_last_figures_once_nothing_waits(db):
    sale = a_sale(placement="queued")
    place_in(sale, make_user(), 2)
    assert not shot_now(WATCHED, sale).over

    sale_end(sale)
    last = shot_now(WATCHED, sale)

    assert (last.over, last.state, last.taken, last.waiting) == (True, "ended", 2, 0)
    # Counted anew, though the funnel before is good for seconds.
    assert last.funnel.steps["settled"] == 1


def test_a_sale_to_come_says_when_it_begins(db):
    sale = a_sale(starts_in=timedelta(minutes=5))

    shot = shot_now(WATCHED, sale)

    assert (shot.state, shot.begun, shot.until) == (
        "scheduled",
        False,
        sale.starts_at.timestamp(),
    )


def test_a_period_and_a_packet_are_watched_as_well(db):
    period = make_period(total_shares=10, placement="queued")
    enter(rich(), period, 3)
    drain(period.queue_id)
    enter(rich(), period, 2)
    packet = make_packet(slots=3)
    grab(packet)

    entries, grabs = shot_now(WATCHED_PERIOD, period), shot_now(WATCHED_PACKET, packet)

    assert (entries.state, entries.available, entries.taken, entries.waiting) == ("open", 7, 3, 1)
    assert entries.funnel.steps == {"placed": 2, "settled": 1, "failed": 0}
    assert (grabs.state, grabs.available, grabs.taken, grabs.waiting) == ("open", 2, 1, 0)
    assert grabs.funnel.steps == {"placed": 1, "settled": 1, "failed": 0}


# --- what it costs


def test_one_shot_serves_ten_who_watch_and_is_few_statements(db):
    sale = a_sale(placement="queued")
    place_in(sale, make_user())
    tables = ("sales_flashsale", "orders_order", "orders_order", "orders_order")

    first = sent_by(lambda: watch(WATCHED, sale))
    others = [
        sent_by(lambda: view(WATCHED, sale.pk, pool_id=sale.pool_id, curve=True)) for _ in range(9)
    ]
    let_a_second_pass(sale.pool_id)
    next_one = sent_by(lambda: watch(WATCHED, sale))

    # The sale and its pool by the key; how many wait; the funnel; the first that waits.
    assert [table for table, sql in zip(tables, first, strict=True) if table in sql] == list(tables)
    assert others == [[]] * 9
    # The funnel is good for some seconds.
    assert len(next_one) == 3


def test_no_statement_counts_without_a_bound(db, monkeypatch):
    sale = a_sale(placement="queued")
    for _ in range(3):
        place_in(sale, make_user())
    monkeypatch.setattr(live, "FUNNEL_ROWS", 2)

    statements = sent_by(lambda: watch(WATCHED, sale))
    shot = view(WATCHED, sale.pk, pool_id=sale.pool_id).shot

    counting = [sql for sql in statements if "COUNT(" in sql]
    assert len(counting) == 2
    assert all(" LIMIT " in sql for sql in counting)
    assert (shot.funnel.steps["placed"], shot.funnel.whole) == (2, False)


def test_a_funnel_that_takes_long_is_counted_ever_more_rarely(db, monkeypatch):
    class Slow(WatchedSale):
        def funnel(self, pk):
            clock[0] += 0.25
            return super().funnel(pk)

    clock = [0.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: clock[0])

    quick, slow = (shot_now(one, a_sale()) for one in (WATCHED, Slow()))

    assert quick.funnel_until - quick.at == live.FUNNEL_SECONDS == 5
    assert slow.funnel_until - slow.at == 50


def test_the_curve_is_there_for_whoever_comes_late(db):
    sale = a_sale(placement="direct")
    for _ in range(3):
        watch(WATCHED, sale)
        place_in(sale, make_user())

    curve = watch(WATCHED, sale, curve=True).curve

    available = live.POINT.index("available")
    assert [point[available] for point in curve] == [10, 9, 8, 7]
    assert sorted(curve) == list(curve)


def test_whoever_finds_the_first_shot_being_made_is_told_to_come_back(db):
    sale = a_sale()
    seen = []

    class Looked(WatchedSale):
        def standing(self, pk):
            seen.append(view(WATCHED, sale.pk, pool_id=sale.pool_id).shot)
            return super().standing(pk)

    assert watch(Looked(), sale).shot is not None
    assert seen == [None]


# --- behind a gate


class TestBehindAGate:
    pytestmark = on_mariadb

    def test_the_gate_tallies_what_it_says(self):
        sale = a_sale(3, gated=True, per_user_limit=2, placement="direct")
        before = shot_now(WATCHED, sale)

        shopper = make_user()
        place_in(sale, shopper, 2, key="k")
        place_in(sale, shopper, 2, key="k")  # a repeat, which is nothing new
        with pytest.raises(PurchaseLimit):
            place_in(sale, shopper)
        place_in(sale, make_user())
        for _ in range(2):
            with pytest.raises(SoldOut):
                place_in(sale, make_user())
        after = shot_now(WATCHED, sale)

        assert (before.gate, before.tallies.remaining) == (GateState.WARM, 3)
        assert (after.tallies.remaining, after.tallies.admitted) == (0, 2)
        assert (after.tallies.too_late, after.tallies.refused) == (2, 1)
        assert [grown(before, after, name) for name in live.SPEEDS] == [2, 3, 2, 1]

    def test_whoever_was_told_from_memory_is_tallied_with_the_next(self):
        sale = a_sale(1, gated=True, placement="direct")
        place_in(sale, make_user())
        with pytest.raises(SoldOut):
            place_in(sale, make_user())
        for _ in range(5):
            assert shield.answer(sale.pk, make_user().pk)

        with pytest.raises(SoldOut):
            place_in(sale, make_user())

        assert shot_now(WATCHED, sale).tallies.too_late == 7
        assert shield.told(sale.pk) == 0

    def test_a_gate_that_is_rebuilt_goes_on_counting(self):
        sale = a_sale(3, gated=True, placement="direct")
        place_in(sale, make_user())

        gatekeeping.reopen(sale.pool_id)
        place_in(sale, make_user())

        tallies = shot_now(WATCHED, sale).tallies
        assert (tallies.remaining, tallies.admitted) == (1, 2)

    def test_a_gate_that_redis_has_forgotten_is_cold_and_tells_no_speed(self):
        sale = a_sale(3, gated=True, placement="direct")
        place_in(sale, make_user())
        shot_now(WATCHED, sale)

        gate.client().delete(*gate.names(sale.pool_id, "keys", "users"))
        cold = shot_now(WATCHED, sale)
        gatekeeping.rebuild(sale.pool_id)
        warm = shot_now(WATCHED, sale)

        assert (cold.gate, cold.tallies, cold.available) == (GateState.COLD, None, 2)
        assert (warm.tallies.remaining, warm.per_second["admitted"]) == (2, None)

    def test_a_look_is_one_call_and_making_the_shot_one_more(self):
        sale = a_sale(gated=True)
        watch(WATCHED, sale)

        looked = redis_calls(lambda: view(WATCHED, sale.pk, pool_id=sale.pool_id))
        let_a_second_pass(sale.pool_id)
        made = redis_calls(lambda: view(WATCHED, sale.pk, pool_id=sale.pool_id))

        assert looked["evalsha"] == 1
        assert made["evalsha"] == 2

    def test_ten_who_come_at_once_make_one_shot(self):
        sale = a_sale(gated=True)
        shot_now(WATCHED, sale)
        made = []

        class Counting(WatchedSale):
            def standing(self, pk):
                made.append(pk)
                return super().standing(pk)

        let_a_second_pass(sale.pool_id)
        looks = race([lambda: view(Counting(), sale.pk, pool_id=sale.pool_id)] * 10)

        assert len(made) == 1
        assert all(look.result().shot is not None for look in looks)

    def test_what_is_kept_is_forgotten_after_a_while(self):
        sale = a_sale(gated=True)
        watch(WATCHED, sale)

        keys = gate.names(sale.pool_id, "live", "live:lease", "live:curve")[1:]
        left = [gate.client().ttl(key) for key in keys]

        assert all(0 <= seconds <= 900 for seconds in left), left

    def test_a_redis_that_is_gone_or_hangs_is_said_and_the_figures_go_on(self, tmp_path):
        with own_redis(tmp_path) as server:
            sale = a_sale(gated=True)
            assert shot_now(WATCHED, sale).gate == GateState.WARM

            with hung(server):
                hangs = view(WATCHED, sale.pk, pool_id=sale.pool_id).shot
            shots.forget()
            server.kill()
            gone = view(WATCHED, sale.pk, pool_id=sale.pool_id).shot

            for shot in (hangs, gone):
                assert (shot.gate, shot.tallies, shot.available) == (GateState.SILENT, None, 10)
            # The page does not shut the gate for shoppers.
            assert gate._down.until == 0.0
            server.start()
            assert shot_now(WATCHED, sale).gate == GateState.COLD
