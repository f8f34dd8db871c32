"""Gates kept right: rebuilt when they know nothing, corrected when they drift."""

import threading
from functools import partial

import pytest

from goods.sales.models import FlashSale
from goods.sales.services import sale_end
from orders import lifecycle
from orders.models import Order
from shop.accounts.models import User
from shop.pools import gate, gatekeeping, tasks
from shop.pools.audit import audit
from shop.pools.gate import Verdict
from shop.pools.gatekeeping import correct, look, rebuild
from shop.pools.models import Pool
from tests.factories import make_sale, make_user, place_in
from tests.kit.barrier import race
from tests.kit.marks import on_mariadb
from tests.kit.units import counters
from tests.orders.settling import settle
from tests.pools.gates import (
    DOOR,
    Kind,
    admit,
    gated_pool,
    gated_sale,
    in_step,
    keys_of,
    let_correct,
    let_pass,
    remaining,
    spoil,
    stored_look,
    terms_of,
    users_of,
    verdict,
    wipe,
)

# Redis is there where MariaDB is.
pytestmark = [*on_mariadb, pytest.mark.usefixtures("empty_gates")]


@pytest.fixture(params=["direct", "queued"])
def sale(request: pytest.FixtureRequest) -> FlashSale:
    """10 units behind a gate, at most 2 for one shopper."""
    return gated_sale(placement=request.param)


# --- rebuilding


def test_a_rebuilt_gate_is_what_the_database_says() -> None:
    sale = gated_sale(placement="queued")
    unpaid, cancelled, waiting, loser, dropped = (make_user() for _ in range(5))
    orders = {user: place_in(sale, user, 2, key="k") for user in (unpaid, cancelled, dropped)}
    settle(sale)
    lifecycle.order_cancel(user=cancelled, order_no=orders[cancelled].order_no)
    User.objects.filter(pk=loser.pk).update(is_active=False)
    orders[loser] = place_in(sale, loser, 1, key="k")
    settle(sale)
    orders[waiting] = place_in(sale, waiting, 2, key="k")
    lifecycle.order_cancel(user=dropped, order_no=orders[dropped].order_no)
    states = {Order.objects.get(pk=order.pk).status for order in orders.values()}
    assert states == {"unpaid", "cancelled", "pending", "failed"}
    wipe(sale.pool)

    assert rebuild(sale.pool_id)

    # Of 10, 2 are taken and 2 are waited for.
    assert (remaining(sale.pool), users_of(sale.pool)) == (6, {unpaid.pk: 2, waiting.pk: 2})
    # Every order's key is known, whatever became of it; nobody else's is.
    assert {verdict(sale.pool, user.pk, key="k") for user in orders} == {Verdict.KNOWN}
    assert verdict(sale.pool, make_user().pk, key="k") == Verdict.ADMITTED


def test_a_rebuilt_gate_counts_nobody_where_there_is_no_limit() -> None:
    sale = gated_sale(placement="direct", per_user_limit=None)
    place_in(sale, make_user(), 3)
    assert rebuild(sale.pool_id, force=True)
    assert (remaining(sale.pool), users_of(sale.pool)) == (7, {})


def test_any_number_of_keys_and_users_is_rebuilt(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = gated_pool(kind, 100, per_user_limit=3)
    monkeypatch.setattr(gatekeeping, "STEP", 7)
    kind.waiting[pool.pk] = dict.fromkeys(range(1, 30), 1)
    kind.created[pool.pk] = [(user, f"k{user}") for user in range(1, 30)]

    rebuild(pool.pk, force=True)

    assert remaining(pool) == 71
    assert users_of(pool) == dict.fromkeys(range(1, 30), 1)
    assert {verdict(pool, user, key=f"k{user}") for user in range(1, 30)} == {Verdict.KNOWN}
    assert len([key for key in keys_of(pool) if ":users" in key or ":keys" in key]) == 2


def test_a_warm_gate_is_rebuilt_by_force_only(kind: Kind) -> None:
    pool = gated_pool(kind, 5)
    spoil(pool, by=-2)
    assert not rebuild(pool.pk)
    assert remaining(pool) == 3
    assert rebuild(pool.pk, force=True)
    assert remaining(pool) == 5


def test_what_a_gate_knew_before_is_gone_when_it_is_rebuilt(kind: Kind) -> None:
    pool = gated_pool(kind, 5, per_user_limit=3)
    admit(pool, 7, count=3, key="of no order")
    rebuild(pool.pk, force=True)
    assert (remaining(pool), users_of(pool)) == (5, {})
    assert verdict(pool, 7, count=3, key="of no order") == Verdict.ADMITTED


def test_the_gate_of_a_closed_pool_is_not_rebuilt(kind: Kind) -> None:
    pool = gated_pool(kind, 5)
    wipe(pool)
    Pool.objects.filter(pk=pool.pk).update(open=False)
    assert not rebuild(pool.pk, force=True)
    assert keys_of(pool) == []


def test_a_gate_stays_although_what_was_prepared_for_it_would_not(kind: Kind) -> None:
    pool = gated_pool(kind, 5, per_user_limit=3)
    kind.created[pool.pk], kind.waiting[pool.pk] = [(1, "k")], {1: 1}
    rebuild(pool.pk, force=True)
    assert {gate.client().ttl(key) for key in keys_of(pool)} == {-1}


def test_new_terms_replace_all_of_the_old_ones(kind: Kind) -> None:
    rate = gatekeeping.Rate(1, 60)
    pool = gated_pool(kind, 9, per_user_limit=1, user_rate=rate, address_rate=rate, all_rate=rate)
    admit(pool)
    kind.terms[pool.pk] = terms_of()

    gatekeeping.apply_terms(pool.pk)

    assert [verdict(pool) for _ in range(3)] == [Verdict.ADMITTED] * 3
    assert remaining(pool) == 5


def test_a_cold_gate_is_unavailable_until_it_is_rebuilt(sale: FlashSale) -> None:
    wipe(sale.pool)
    user = make_user()

    refused = DOOR.post(user, sale.pk, {"count": 1}, key="k")
    tasks.rebuild_gate(sale.pool_id)
    accepted = DOOR.post(user, sale.pk, {"count": 1}, key="k")

    assert refused.refusal == (503, "unavailable")
    assert refused.headers["Retry-After"] == "2"
    assert accepted.status in (201, 202)
    settle(sale)
    assert Order.objects.count() == 1
    assert counters(sale.pool) == (9, 1)
    assert in_step(sale.pool)


def test_beat_opens_cold_gates_of_open_pools_and_no_others(sale: FlashSale) -> None:
    plain, over = make_sale(), gated_sale(placement="direct")
    sale_end(over)
    for one in (sale, plain, over):
        wipe(one.pool)

    tasks.correct_gates()

    assert in_step(sale.pool)
    assert keys_of(plain.pool) == keys_of(over.pool) == []


@pytest.mark.parametrize("placement", ["direct", "queued"])
def test_a_rebuild_while_shoppers_buy_sells_neither_more_nor_less(placement: str) -> None:
    """Rebuilds by force, one after the other, under a crowd that repeats what is unavailable."""
    sale = gated_sale(total=60, placement=placement, per_user_limit=1)
    users = [make_user() for _ in range(90)]
    over = threading.Event()
    rebuilds = []

    def keep_rebuilding() -> None:
        while not over.is_set():
            rebuilds.append(rebuild(sale.pool_id, force=True))

    def shop(mine: list[User]) -> list[str]:
        return [DOOR.post(user, sale.pk, {"count": 1}, key="k").code or "stored" for user in mine]

    def crowd() -> list[str]:
        try:
            outcomes = race([partial(shop, users[first::6]) for first in range(6)])
            return [one for outcome in outcomes for one in outcome.result()]
        finally:
            over.set()

    _, crowd_outcome = race([keep_rebuilding, crowd])
    told = crowd_outcome.result()
    settle(sale)

    assert len(rebuilds) > 3
    assert set(told) <= {"stored", "sold_out", "busy"}
    assert counters(sale.pool) == (0, 60)
    assert audit().broken == {}
    # What the rebuilds did not know of is corrected by two looks.
    let_correct(sale.pool)
    assert in_step(sale.pool)


# --- correcting


def test_a_gate_that_is_right_is_left_alone(kind: Kind) -> None:
    pool = gated_pool(kind, 5, per_user_limit=3)
    for _ in range(3):
        seen = correct(pool.pk)
        assert not seen.drifts
        let_pass(pool)
    assert remaining(pool) == 5


@pytest.mark.parametrize("drift", [+3, -3])
def test_a_drift_that_two_looks_agree_on_is_corrected(kind: Kind, drift: int) -> None:
    pool = gated_pool(kind, 9)
    spoil(pool, by=-drift)

    first = correct(pool.pk)
    after_one = remaining(pool)
    let_pass(pool)
    left = correct(pool.pk)

    assert first.remaining == drift
    assert after_one == 9 - drift
    assert (left.remaining, remaining(pool)) == (0, 9)


def test_two_looks_too_close_together_correct_nothing(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gatekeeping, "LOOK_SECONDS", 1_000.0)
    pool = gated_pool(kind, 9)
    spoil(pool, by=-3)
    correct(pool.pk)
    before = stored_look(pool)
    let_pass(pool, 800)
    almost = stored_look(pool)

    for _ in range(3):
        assert correct(pool.pk).remaining == 3

    assert remaining(pool) == 6
    # The first look stays the one that the next is held against.
    assert stored_look(pool) == almost != before


@pytest.mark.parametrize(
    ("first", "second", "corrected"), [(5, 3, 3), (3, 5, 3), (-5, -2, -2), (4, -4, 0), (4, 0, 0)]
)
def test_the_smaller_of_two_drifts_of_one_sign_is_corrected(
    kind: Kind, first: int, second: int, corrected: int
) -> None:
    pool = gated_pool(kind, 100)
    spoil(pool, by=-first)
    correct(pool.pk)
    let_pass(pool)
    spoil(pool, by=first - second)

    left = correct(pool.pk)

    assert remaining(pool) == 100 - second + corrected
    assert left.remaining == second - corrected
    # What is left is held against the look after it.
    assert (stored_look(pool) or [])[2] == second - corrected


def test_what_users_hold_is_corrected_too_each_by_itself(kind: Kind) -> None:
    pool = gated_pool(kind, 100, per_user_limit=9)
    kind.waiting[pool.pk] = {1: 2, 2: 3}
    rebuild(pool.pk, force=True)
    # One has too many, one too few, one is not known at all, one holds nothing.
    spoil(pool, users={1: +4, 2: -3, 3: +1})

    first = correct(pool.pk)
    let_pass(pool)
    left = correct(pool.pk)

    assert dict(first.users) == {1: -4, 2: 3, 3: -1}
    assert not left.drifts
    assert users_of(pool) == {1: 2, 2: 3}
    assert remaining(pool) == 95


def test_a_users_drift_that_one_look_alone_saw_is_left(kind: Kind) -> None:
    pool = gated_pool(kind, 100, per_user_limit=9)
    spoil(pool, users={1: +2})
    correct(pool.pk)
    let_pass(pool)
    spoil(pool, users={1: -2, 2: +3})

    left = correct(pool.pk)

    assert (dict(left.users), users_of(pool)) == ({2: -3}, {2: 3})
    let_pass(pool)
    assert not correct(pool.pk).drifts
    assert users_of(pool) == {}


def test_keys_stay_known_when_a_gate_is_corrected(kind: Kind) -> None:
    pool = gated_pool(kind, 9)
    admit(pool, 1, key="k")
    correct(pool.pk)
    let_pass(pool)
    assert not correct(pool.pk).drifts
    assert remaining(pool) == 9
    assert verdict(pool, 1, key="k") == Verdict.KNOWN


def test_many_correctors_at_once_correct_once(kind: Kind) -> None:
    pool = gated_pool(kind, 100, per_user_limit=9)
    spoil(pool, by=-5, users={1: +4})
    correct(pool.pk)
    let_pass(pool)

    race([partial(correct, pool.pk) for _ in range(8)])

    assert (remaining(pool), users_of(pool)) == (100, {})


def test_how_long_a_drift_has_stood_is_told(kind: Kind) -> None:
    pool = gated_pool(kind, 9)
    seen = look(pool.pk)
    assert seen.since == seen.at
    spoil(pool, by=-3)
    correct(pool.pk)
    let_pass(pool, 9)
    [_at, since, *_] = stored_look(pool)

    seen = look(pool.pk)

    assert seen.remaining == 3
    assert seen.since == since <= seen.at - 9
    # A look by itself changes nothing.
    assert remaining(pool) == 6
    wipe(pool)
    assert look(pool.pk) is None
    assert gatekeeping.figures(pool.pk) == {}


def test_a_drift_that_stays_breaks_promise_9_and_no_other(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, cold = gated_pool(kind, 9, per_user_limit=3), gated_pool(kind, 3)
    wipe(cold)
    spoil(pool, by=-4, users={1: +1, 2: +1})
    correct(pool.pk)
    let_pass(pool, 15)
    fresh = audit()
    let_pass(pool, 35)
    stale = audit()

    assert fresh.broken == {}
    assert fresh.figures(9) == {"gates": 2, "cold_gates": 1, "drifting_gates": 1}
    [line] = stale.broken[9]
    assert line.startswith(
        f"pool {pool.pk}: its gate has had +4 units too few, and is wrong about 2 users, for "
    )
    assert list(stale.broken) == [9]
