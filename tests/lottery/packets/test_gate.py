"""Red packets behind gates: whom they turn away before the database hears of it, and what a gate
that is cold, wrong or gone changes: nothing about money."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from lottery.packets import over
from lottery.packets.models import Grab, Packet
from lottery.packets.pending import GrabQueue
from lottery.packets.selectors import packet_terms_by
from lottery.packets.services import grab_retry, packet_end, packets_sweep
from lottery.packets.settlement import PendingGrab
from shop.accounts.models import User
from shop.errors import Refusal
from shop.pools import gate, gatekeeping
from shop.pools.audit import audit
from shop.pools.models import Pool
from tests.factories import make_user
from tests.faults.deaths import deaf
from tests.kit.hows import make_users
from tests.kit.marks import on_mariadb
from tests.kit.packets import expire, fates, got, grab, make_packet, settle
from tests.pools.gates import in_step, let_correct, remaining, spoil, wipe

pytestmark = on_mariadb


@pytest.fixture(autouse=True)
def _all_have_gates(settings: Settings) -> None:
    settings.RED_PACKET_GATED_FROM = 1


def told(attempt: Callable[[], object]) -> str:
    """The code of its refusal, "" where there is none."""
    try:
        attempt()
    except Refusal as refusal:
        return refusal.code
    return ""


def try_to_grab(packet: Packet, user: User | None = None) -> str:
    return told(lambda: grab(packet, user))


def test_a_gate_is_open_from_the_start_and_in_step(placement: str) -> None:
    packet = make_packet(slots=5)
    assert remaining(packet.pool) == 5

    for user in make_users(3):
        grab(packet, user)

    assert remaining(packet.pool) == 2
    settle(packet)
    assert in_step(packet.pool)
    assert audit().broken == {}


def test_small_packets_have_none(settings: Settings) -> None:
    settings.RED_PACKET_GATED_FROM = 50

    assert [make_packet(slots=slots).pool.gated for slots in (49, 50)] == [False, True]


def test_whom_nothing_is_left_for_is_turned_away_while_the_winners_wait(
    settings: Settings,
) -> None:
    settings.RED_PACKET_PLACEMENT = "queued"
    packet, (winner, loser) = make_packet(slots=1), make_users(2)
    grab(packet, winner)

    assert try_to_grab(packet, loser) == "sold_out"
    assert grab(packet, winner).amount_fen is None  # known at the gate, and told by the database

    assert fates(packet, [winner, loser]) == ["pending", ""]
    settle(packet)
    assert try_to_grab(packet, winner) == "already_grabbed"


def test_a_direct_grab_behind_a_gate_is_12_statements(settings: Settings) -> None:
    settings.RED_PACKET_PLACEMENT = "direct"
    packet, [user] = make_packet(), make_users(1)
    grab(make_packet(), user)  # has a wallet
    packet_terms_by(packet.public_id)

    with CaptureQueriesContext(connection) as captured:
        grab(packet, user)

    # BEGIN and COMMIT included.
    assert len(captured) == 12


def test_losers_cost_one_look_and_then_none(placement: str) -> None:
    packet, (winner, loser) = make_packet(slots=1), make_users(2)
    grab(packet, winner)
    settle(packet)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert try_to_grab(packet, loser) == "sold_out"
        return len(captured)

    # What the user has, and once who else got what.
    assert queries() <= 2
    assert queries() == 0


def test_time_is_up_at_the_gate_too(placement: str) -> None:
    packet, operator = make_packet(), make_user()

    packet_end(packet, operator=operator)

    request = gate.Request(packet.pool_id, operator.pk, 1, "another")
    assert gate.admit(request).verdict is gate.Verdict.ENDED
    assert try_to_grab(packet) == "ended"
    [counters] = gate.names(packet.pool_id)
    assert 0 < gate.client().ttl(counters) <= gate.FADE_SECONDS


def test_a_packet_without_a_slot_left_loses_its_gate_before_its_time(placement: str) -> None:
    packet = make_packet(slots=1)
    grab(packet)
    settle(packet)

    assert packets_sweep() == 1

    packet.refresh_from_db()
    assert packet.ended_at is not None
    assert packet.ended_at < packet.expires_at
    assert not Pool.objects.get(pk=packet.pool_id).open
    wipe(packet.pool)
    over.forget()
    assert try_to_grab(packet) == "sold_out"
    assert audit().broken == {}


def test_behind_a_cold_gate_what_is_known_is_still_told(placement: str) -> None:
    packet, (winner, late) = make_packet(slots=2), make_users(2)
    grab(packet, winner)
    settle(packet)
    wipe(packet.pool)

    assert try_to_grab(packet, winner) == "already_grabbed"
    assert try_to_grab(packet, late) == "unavailable"

    gatekeeping.rebuild(packet.pool_id)
    assert remaining(packet.pool) == 1
    assert try_to_grab(packet, late) == ""
    settle(packet)
    assert got(packet, late) > 0


def test_without_redis_what_is_known_is_still_told(placement: str) -> None:
    open_still, finished, winner = make_packet(slots=2), make_packet(slots=1), make_user()
    for packet in (open_still, finished):
        grab(packet, winner)
        settle(packet)

    with deaf():
        assert try_to_grab(open_still) == "unavailable"
        assert try_to_grab(finished) == "sold_out"
        assert try_to_grab(open_still, winner) == "already_grabbed"
        expire(open_still)
        assert try_to_grab(open_still) == "ended"
        assert packets_sweep() == 2  # one is over, one has no slot left
    assert audit().broken == {}


def test_a_gate_that_has_forgotten_a_grab_gives_nobody_two(placement: str) -> None:
    packet, winner = make_packet(slots=3), make_user()
    grab(packet, winner)
    settle(packet)
    *_, keys = gate.names(packet.pool_id, "keys")
    gate.client().delete(keys)

    assert try_to_grab(packet, winner) == "already_grabbed"

    assert Grab.objects.filter(packet=packet).count() == 1
    assert audit().broken == {}


def test_a_gate_that_lets_too_many_through_costs_a_grab_that_fails(settings: Settings) -> None:
    settings.RED_PACKET_PLACEMENT = "queued"
    packet, users = make_packet(slots=1), make_users(3)
    spoil(packet.pool, by=2)

    for user in users:
        assert try_to_grab(packet, user) == ""
    settle(packet)

    assert fates(packet, users) == ["confirmed", "sold_out", "sold_out"]
    let_correct(packet.pool)
    assert in_step(packet.pool)
    assert audit().broken == {}


def test_a_grab_that_the_database_refuses_is_given_back_to_the_gate(settings: Settings) -> None:
    settings.RED_PACKET_PLACEMENT = "direct"
    packet, user = make_packet(slots=2), make_user()
    User.objects.filter(pk=user.pk).update(is_active=False)

    assert try_to_grab(packet, user) == "permission_denied"

    assert remaining(packet.pool) == 2
    assert in_step(packet.pool)


def test_a_grab_that_is_tried_again_counts_at_the_gate(settings: Settings) -> None:
    settings.RED_PACKET_PLACEMENT = "queued"
    packet, [user] = make_packet(slots=2), make_users(1)
    grab(packet, user)
    row = Grab.objects.get()
    GrabQueue().give_up(PendingGrab(row.pk, row.grab_no, packet.pk, user.pk, row.created_at))
    assert remaining(packet.pool) == 2

    grab_retry(row, operator=user)

    assert remaining(packet.pool) == 1
    settle(packet)
    assert fates(packet, [user]) == ["confirmed"]
    assert in_step(packet.pool)
