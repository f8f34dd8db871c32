"""Red packets of a real shop whose worker dies: over the grabs that it settles, and over the end.
Each grab that was accepted is settled once, and of each packet no fen is lost or made."""

import os
import random
import signal
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from lottery.packets.models import Grab, Packet
from lottery.packets.selectors import packet_terms
from shop.pools.audit import audit
from shop.pools.models import PoolMovement
from tests.faults.clients import Client, Reply, at_once
from tests.faults.shop import HEAL_SECONDS, REAL_PROCESSES, Shop, children_of, wait_until
from tests.kit.hows import make_users
from tests.kit.packets import amounts, got, make_packet
from tests.kit.units import counters
from tests.kit.wallets import balance

pytestmark = REAL_PROCESSES

Clients = Callable[..., Client]

# Where a drain stays until it is killed.
IN_THE_DRAIN = ("drain.before", "drain.settled", "commit.before")


def in_hand(rows: QuerySet[Packet] | QuerySet[Grab]) -> bool:
    """Whether somebody has locked one of `rows`."""
    with transaction.atomic():
        free = rows.select_for_update(skip_locked=True).values_list("pk", flat=True)
        return len(free) < rows.count()


def grab_all(client_of: Clients, packet: Packet, crowd: int) -> list[Reply]:
    """One grab each, at once, over HTTP."""
    path = f"/red-packets/{packet.public_id}/grab"
    return at_once([partial(client_of(user).ask, "POST", path) for user in make_users(crowd)])


def test_a_worker_that_dies_over_grabs_settles_each_once_in_the_end(
    shop: Shop, client_of: Clients, settings: Settings, dice: random.Random
) -> None:
    settings.RED_PACKET_PLACEMENT, settings.RED_PACKET_GATED_FROM = "queued", 10**9
    packet = make_packet(total_fen=1_000, slots=20)
    waiting = Grab.objects.filter(packet=packet, status="pending")

    with shop.a_worker_that_stays_at(dice.choice(IN_THE_DRAIN)) as worker:
        replies = grab_all(client_of, packet, 30)
        wait_until(lambda: in_hand(waiting), "a drain has grabs in hand", seconds=HEAL_SECONDS)
        for child in children_of(worker):
            os.kill(child, signal.SIGKILL)
        worker.kill()
        shop.worker.start()
        took = wait_until(lambda: not waiting.exists(), "all settled", seconds=HEAL_SECONDS)
    print(f"settled {took:.1f} s after the death")

    accepted = [reply for reply in replies if reply.status == 202]
    assert {reply.code for reply in replies} <= {"", "sold_out"}
    grabs = Grab.objects.filter(packet=packet)
    assert grabs.count() == len(accepted) >= 20
    assert grabs.filter(status="confirmed").count() == 20
    assert set(grabs.filter(status="failed").values_list("failure", flat=True)) <= {"sold_out"}
    assert amounts(packet) == list(packet_terms(packet.pk).amounts)
    assert counters(packet.pool) == (0, 20)
    taken = PoolMovement.objects.filter(pool=packet.pool_id, kind="take")
    assert sum(taken.values_list("delta", flat=True)) == -20
    for grab in grabs.select_related("user"):
        assert balance(grab.user) == got(packet, grab.user)
    assert audit().broken == {}


@pytest.mark.parametrize("dies", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_a_worker_that_dies_over_the_end_gives_back_once_in_the_end(
    shop: Shop, client_of: Clients, settings: Settings, dies: bool
) -> None:
    """By itself, or while it is seen to hold a packet: at a point of the end's own, since a worker
    commits for many reasons."""
    settings.RED_PACKET_PLACEMENT, settings.RED_PACKET_GATED_FROM = "direct", 10**9
    packets = [make_packet(total_fen=1_000, slots=4) for _ in range(10)]
    for packet in packets:
        assert [reply.status for reply in grab_all(client_of, packet, 2)] == [200, 200]
    mine = Packet.objects.filter(pk__in=[packet.pk for packet in packets])

    with (
        shop.another_worker(FAILPOINT="pool.end:kill")
        if dies
        else shop.a_worker_that_stays_at("pool.closed")
    ) as worker:
        wait_until(lambda: len(children_of(worker)) >= 2, "it works", seconds=HEAL_SECONDS)
        first = children_of(worker)
        mine.update(expires_at=Now() - timedelta(seconds=1))
        late = [grab_all(client_of, packet, 2) for packet in packets]
        if dies:
            wait_until(
                lambda: not set(first) <= set(children_of(worker)),
                "a child has died over an end",
                seconds=HEAL_SECONDS,
            )
        else:
            wait_until(lambda: in_hand(mine), "an end has a packet in hand", seconds=HEAL_SECONDS)
            for child in children_of(worker):
                os.kill(child, signal.SIGKILL)
        worker.kill()
        left = mine.filter(ended_at=None)
        assert left.exists()
        shop.worker.start()
        took = wait_until(lambda: not left.exists(), "all have ended", seconds=HEAL_SECONDS)
    print(f"ended {took:.1f} s after the death")

    assert {reply.code for replies in late for reply in replies} == {"ended"}
    for packet in packets:
        packet.refresh_from_db()
        assert packet.refunded_fen == balance(packet.user) > 0
        assert sum(amounts(packet)) + packet.refunded_fen == 1_000
        assert counters(packet.pool) == (2, 2)
    assert audit().broken == {}
