"""Periods of a real shop whose processes die: over entries, over the close, over the draw and over
the return of money. Numbers are complete, wallets exact, and there is one draw."""

import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from lottery.closing import period_close
from lottery.drawing import periods_draw
from lottery.models import Entry, Period, Shares
from lottery.proof import period_proof
from orders.models import Order
from shop.accounts.models import User
from shop.pools.audit import audit
from shop.wallet.models import Transaction
from tests.factories import enter, make_sku
from tests.faults.clients import Client, Reply, agreement
from tests.faults.shop import HEAL_SECONDS, REAL_PROCESSES, Shop, children_of, wait_until
from tests.kit.barrier import race
from tests.kit.clientlog import ClientLog
from tests.kit.hows import SEED, How
from tests.kit.periods import (
    PRICE,
    assert_sold,
    crowd,
    end_now,
    numbers_given,
    outcomes,
    period_of,
    points_of,
    sell_out,
)
from tests.kit.units import counters

pytestmark = [*REAL_PROCESSES, pytest.mark.timeout(1800)]

Clients = Callable[..., Client]

BEFORE = ("drain.before", "drain.settled", "commit.before")
AFTER = ("commit.after", "drain.after")
# The round of the shop's own beacon comes five seconds after the close.
DRAW_SECONDS = HEAL_SECONDS
AT_ONCE = 50


def in_hand(rows: QuerySet[Entry]) -> bool:
    """Whether somebody has locked one of `rows`."""
    with transaction.atomic():
        free = rows.select_for_update(skip_locked=True).values_list("pk", flat=True)
        return len(free) < rows.count()


def status_of(period: Period) -> str:
    return Period.objects.values_list("status", flat=True).get(pk=period.pk)


def buy_all(work: Sequence[Callable[[], Reply]]) -> list[Reply]:
    """All of them, so many at a time."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return [one.result(300) for one in [threads.submit(buy) for buy in work]]


def buy_over_a_death(
    shop: Shop, period: Period, work: Sequence[Callable[[], Reply]], *, point: str
) -> list[Reply]:
    """All of them, while a worker and its children are killed at a point of their first drain."""
    pending = Entry.objects.filter(queue_id=period.queue_id)
    settled = Shares.objects.filter(pool=period.pool_id)
    before = settled.count()

    def reached() -> bool:
        return in_hand(pending) if point in BEFORE else settled.count() > before

    with ThreadPoolExecutor(1) as background:
        with shop.a_worker_that_stays_at(point) as worker:
            wait_until(lambda: children_of(worker), "the worker works", seconds=HEAL_SECONDS)
            buying = background.submit(buy_all, work)
            wait_until(reached, f"a drain at {point}", seconds=HEAL_SECONDS)
            for child in children_of(worker):
                os.kill(child, signal.SIGKILL)
            worker.kill()
        replies = buying.result(300)
    took = wait_until(lambda: not pending.exists(), "all settled", seconds=HEAL_SECONDS)
    print(f"{point}: settled {took:.1f} s after the death")
    return replies


CHANCE = random.Random(f"{SEED} periods")
POINTS = (*BEFORE, *AFTER)


@pytest.mark.parametrize(
    ("points", "gated"),
    [
        ([CHANCE.choice(POINTS)], CHANCE.choice((True, False))),
        *(pytest.param(POINTS, gated, marks=pytest.mark.soak) for gated in (True, False)),
    ],
)
def test_numbers_are_each_one_users_whenever_drains_die(
    shop: Shop,
    client_of: Clients,
    log: ClientLog,
    dice: random.Random,
    points: Sequence[str],
    gated: bool,
) -> None:
    """300 users want 1 to 20 numbers each, a third of them what is left; in as many waves as there
    are points, each of which a worker dies over: so many that the last wave finds some left."""
    coin, users = make_sku(stock=1), crowd(300)
    shares = max(1_000, 600 * len(points))
    period = period_of(How("queued", "optimistic", gated), shares=shares, sku=coin)
    replies: list[Reply] = []
    for number, point in enumerate(points):
        work = [
            partial(
                client_of(user).buy,
                period,
                shares=dice.randint(1, 20),
                allow_partial=dice.random() < 1 / 3,
            )
            for user in users[number :: len(points)]
        ]
        replies += buy_over_a_death(shop, period, work, point=point)
    [last] = crowd(1, points=PRICE * 1_000)
    if counters(period.pool)[0]:
        replies.append(client_of(last).buy(period, shares=1_000, allow_partial=True))

    wait_until(lambda: status_of(period) == "drawn", "it is drawn", seconds=DRAW_SECONDS)
    assert {reply.code for reply in replies} <= {"", "sold_out", "insufficient_stock"}
    assert sum(outcomes(period).values()) == sum(not reply.code for reply in replies)
    assert set(outcomes(period)) <= {"confirmed", "sold_out"}
    assert_sold(period, shares=shares, had=dict.fromkeys(users, 1_000) | {last: PRICE * 1_000})
    assert agreement(log, [period]) == []
    assert_told_of_numbers(client_of, period)
    assert Order.objects.filter(kind="prize", lines__pool=coin.pool).count() == 1


def assert_told_of_numbers(client_of: Clients, period: Period) -> None:
    """Each user hears of their own numbers, and together they have all."""
    told: Counter[int] = Counter()
    owners = Entry.objects.filter(period=period, status="confirmed").values_list("user", flat=True)
    for user in User.objects.filter(pk__in=owners):
        mine = client_of(user).ask("GET", f"/lottery/periods/{period.pk}/entries/mine").body
        for entry in mine["results"]:
            told.update(entry["numbers"])
    assert sorted(told) == sorted(numbers_given(period))
    assert set(told.values()) == {1}


@contextmanager
def dying(shop: Shop, point: str) -> Iterator[Callable[[], int]]:
    """Inside, each child of the worker dies at `point`, and tells how many have."""
    with shop.another_worker(FAILPOINT=f"{point}:kill") as worker:
        seen: set[int] = set()

        def deaths() -> int:
            alive = set(children_of(worker))
            seen.update(alive)
            return len(seen - alive)

        yield deaths


@pytest.mark.parametrize(
    "points",
    [
        [CHANCE.choice(("period.freeze", "period.draw"))],
        pytest.param(["period.freeze", "period.draw"], marks=pytest.mark.soak),
    ],
)
def test_whoever_dies_over_the_close_and_the_draw_there_is_one_result(
    shop: Shop, client_of: Clients, points: Sequence[str]
) -> None:
    coin, users = make_sku(stock=1), crowd(8)
    period = period_of(How("direct", "optimistic", gated=False), shares=40, sku=coin)
    closed = Period.objects.filter(pk=period.pk, status="closed")
    shop.worker.kill()
    sell_out(period, *users)

    for point in points:
        reached = closed.filter(root="") if point == "period.freeze" else closed.exclude(root="")
        with dying(shop, point) as deaths:
            wait_until(
                lambda: deaths() >= 2 and reached.exists(),  # noqa: B023
                f"children have died at {point}",
                seconds=DRAW_SECONDS,
            )
        assert closed.get().number is None
    published = closed.get()
    wait_until(lambda: status_of(period) == "drawn", "it is drawn", seconds=DRAW_SECONDS)

    drawn = Period.objects.select_related("winner", "prize_order").get(pk=period.pk)
    proof = period_proof(period.pk)
    again = race([periods_draw] * 4)
    [user] = crowd(1)
    answers = [
        client_of(user).ask("GET", f"/lottery/periods/{period.pk}/proof").body for _ in range(2)
    ]
    assert [one.result() for one in again] == [0] * 4
    assert period_proof(period.pk) == proof
    assert answers[0] == answers[1]
    assert drawn.commitment == period.commitment
    for name in ("root", "closed_at", "beacon_round"):
        assert getattr(published, name) in (None, "", getattr(drawn, name))
    assert answers[0]["number"] == drawn.number
    assert Order.objects.filter(kind="prize", lines__pool=coin.pool).get() == drawn.prize_order
    assert_sold(period, shares=40, had=dict.fromkeys(users, 1_000))


def test_whoever_dies_between_two_batches_of_returns_each_entry_is_paid_back_once(
    shop: Shop,
) -> None:
    """More entries than are returned in one transaction; each worker dies of its first commit."""
    coin, users = make_sku(stock=1), crowd(130)
    period = period_of(
        How("direct", "optimistic", gated=False),
        shares=10_000,
        minimum_shares=9_000,
        sku=coin,
        ends_at=timezone.now() + timedelta(hours=1),
    )
    for user in users:
        for shares in (1, 2, 3, 1):
            enter(user, period, shares)
    shop.worker.kill()
    end_now(period)
    period_close(Period.objects.select_related("pool").get(pk=period.pk))
    refunded = Entry.objects.filter(period=period, status="refunded")

    with dying(shop, "commit.after") as deaths:
        wait_until(lambda: deaths() and refunded.exists(), "a batch", seconds=DRAW_SECONDS)
    wait_until(lambda: refunded.count() == 520, "all is returned", seconds=HEAL_SECONDS)

    assert outcomes(period) == {"refunded": 520}
    back = Transaction.objects.filter(reference__startswith=f"period-{period.pk}-back-")
    assert back.count() == 2
    assert {points_of(user) for user in users} == {1_000}
    assert counters(coin.pool) == (1, 0)
    assert audit().broken == {}
