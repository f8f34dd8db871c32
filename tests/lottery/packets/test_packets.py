"""Red packets: sent once, grabbed once by each, and what is left goes back once."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from lottery.packets import over, services, settlement
from lottery.packets.grabbing import packet_grab
from lottery.packets.models import Grab, Packet, Slot
from lottery.packets.selectors import packet_terms, packet_terms_by
from lottery.packets.services import PacketPlan, packet_end, packet_send, packets_sweep
from lottery.packets.split import How, split
from shop.accounts.models import User
from shop.errors import (
    AlreadyGrabbed,
    Ended,
    IdempotencyKeyReused,
    InsufficientBalance,
    Invalid,
    NotFound,
    PermissionDenied,
    SoldOut,
    Unavailable,
)
from shop.operators_log import words_of
from shop.pools import waiting
from shop.pools.audit import audit
from shop.pools.drain import drain
from shop.pools.models import Placement, Pool, PoolMovement, Queue
from shop.wallet.models import Account, Currency, House, Posting, Transaction
from shop.wallet.selectors import house_sums
from tests.factories import make_user, request_key_of
from tests.kit.packets import amounts, expire, fates, got, grab, make_packet, settle
from tests.kit.units import counters
from tests.kit.wallets import balance, fund, posted

pytestmark = pytest.mark.django_db


def send(sender: User, plan: PacketPlan, *, key: str = "", body: str = "") -> Packet:
    return packet_send(key=request_key_of(sender, key, body, route="red-packets"), plan=plan).row


def users(count: int) -> list[User]:
    return [make_user() for _ in range(count)]


def refused(attempt: Callable[[], object]) -> str:
    """The code of its refusal, "" where there is none."""
    try:
        attempt()
    except (AlreadyGrabbed, Ended, PermissionDenied, SoldOut, Unavailable) as refusal:
        return refusal.code
    return ""


# --- sending


def test_a_packet_is_paid_from_the_senders_wallet_and_has_its_slots(settings: Settings) -> None:
    sender = make_user()
    fund(sender, 1_500)

    packet = send(sender, PacketPlan(1_000, 7, How.RANDOM, "新年好"))

    packet.refresh_from_db()
    assert (packet.total_fen, packet.count, packet.split) == (1_000, 7, "random")
    assert (packet.greeting, packet.user_id) == ("新年好", sender.pk)
    assert packet.expires_at - packet.created_at == timedelta(hours=24)
    assert (packet.ended_at, packet.refunded_fen) == (None, 0)
    assert counters(packet.pool) == (7, 0)
    assert not packet.pool.gated
    assert balance(sender) == 500
    assert posted(sender)[1:] == [("cny", -1_000, packet.public_id)]
    assert audit().broken == {}
    assert house_sums()[House.PACKETS, Currency.CNY] == 1_000


def test_ids_and_seeds_are_as_good_as_random() -> None:
    packets = [make_packet() for _ in range(20)]

    assert {len(packet.public_id) for packet in packets} == {22}
    assert {len(bytes.fromhex(packet.seed)) for packet in packets} == {32}
    # Nothing of one says anything of another: not a character stands still.
    for texts in ([one.public_id for one in packets], [one.seed for one in packets]):
        assert min(len(set(column)) for column in zip(*texts, strict=True)) > 1


def test_the_same_key_sends_one_packet() -> None:
    sender = make_user()
    fund(sender, 2_000)
    plan = PacketPlan(1_000, 5)
    key = request_key_of(sender, "k", route="red-packets")

    first, again = packet_send(key=key, plan=plan), packet_send(key=key, plan=plan)

    assert (first.replayed, again.replayed) == (False, True)
    assert first.row.pk == again.row.pk
    assert balance(sender) == 1_000
    assert (Pool.objects.count(), Queue.objects.count()) == (1, 1)
    with pytest.raises(IdempotencyKeyReused):
        send(sender, plan, key="k", body="other")
    assert Packet.objects.count() == 1


def test_a_repeat_is_answered_although_the_money_is_gone_and_limits_are_lower(
    settings: Settings,
) -> None:
    sender = make_user()
    fund(sender, 1_000)
    plan = PacketPlan(1_000, 5)
    first = send(sender, plan, key="k")
    settings.RED_PACKET_MOST_COUNT = 4

    assert send(sender, plan, key="k").pk == first.pk
    with pytest.raises(Invalid):
        send(sender, plan, key="another")


@pytest.mark.parametrize(
    ("total_fen", "count", "field"),
    [
        (10, 0, "count"),
        (10, -1, "count"),
        (10_000, 501, "count"),
        (0, 1, "total_fen"),
        (-5, 1, "total_fen"),
        (4, 5, "total_fen"),
        (10_000_001, 5, "total_fen"),
        (2**63, 5, "total_fen"),
        (10_000, 2**63, "count"),
    ],
)
def test_what_makes_no_packet_is_refused_with_its_field(
    total_fen: int, count: int, field: str
) -> None:
    sender = make_user()
    fund(sender, 20_000_000)

    with pytest.raises(Invalid) as refusal:
        send(sender, PacketPlan(total_fen, count))

    assert [error["field"] for error in refusal.value.data["errors"]] == [field]
    assert balance(sender) == 20_000_000
    assert not Packet.objects.exists()
    assert not Pool.objects.exists()


@pytest.mark.parametrize(
    ("total_fen", "count"), [(1, 1), (7, 7), (500, 500), (10_000_000, 500), (10_000_000, 1)]
)
def test_the_tightest_packets_are_sent_and_grabbed_to_the_last_fen(
    total_fen: int, count: int, placement: Placement
) -> None:
    packet = make_packet(total_fen=total_fen, slots=count)
    grabbers = users(min(count, 8))
    for user in grabbers:
        grab(packet, user)
    settle(packet)

    assert amounts(packet) == list(packet_terms(packet.pk).amounts[: len(grabbers)])
    assert [balance(user) for user in grabbers] == amounts(packet)
    expire(packet)
    packets_sweep()
    assert sum(amounts(packet)) + balance(packet.user) == total_fen
    assert audit().broken == {}


@pytest.mark.parametrize("money", [0, 999])
def test_a_packet_that_its_sender_can_not_pay_is_not_there(money: int) -> None:
    sender = make_user()
    if money:
        fund(sender, money)

    with pytest.raises(InsufficientBalance) as refusal:
        send(sender, PacketPlan(1_000, 5), key="k")

    assert refusal.value.data == {"currency": "cny", "balance": money, "amount": 1_000}
    assert balance(sender) == money
    assert not Packet.objects.exists()
    assert not PoolMovement.objects.exists()
    # Nothing is stored of a refusal, so the same key may be tried again.
    fund(sender, 1_000)
    assert send(sender, PacketPlan(1_000, 5), key="k").pk
    assert audit().broken == {}


# --- grabbing


def test_slots_are_worth_the_split_in_the_order_of_taking(placement: Placement) -> None:
    packet, grabbers = make_packet(total_fen=777, slots=5), users(5)
    for user in grabbers[:2]:
        grab(packet, user)
    settle(packet)
    for user in grabbers[2:]:
        grab(packet, user)
    settle(packet)

    expected = split(total_fen=777, count=5, how=How.RANDOM, seed=bytes.fromhex(packet.seed))
    assert [got(packet, user) for user in grabbers] == expected
    assert [balance(user) for user in grabbers] == expected
    assert list(Slot.objects.order_by("place").values_list("place", flat=True)) == [0, 1, 2, 3, 4]
    assert counters(packet.pool) == (0, 5)
    assert posted(grabbers[0]) == [("cny", expected[0], packet.public_id)]
    assert audit().broken == {}
    assert house_sums()[House.PACKETS, Currency.CNY] == 0


def test_equal_packets_are_equal_to_a_fen(placement: Placement) -> None:
    packet = make_packet(total_fen=100, slots=3, how=How.EQUAL)
    for user in users(3):
        grab(packet, user)
    settle(packet)

    assert sorted(amounts(packet)) == [33, 33, 34]


def test_a_direct_grab_says_how_much() -> None:
    packet, user = make_packet(), make_user()

    grabbed = grab(packet, user)

    assert grabbed.amount_fen == got(packet, user) == balance(user)
    row = Grab.objects.get()
    assert (row.status, row.failure, row.queue_id) == ("confirmed", "", None)
    assert row.slot.reference == row.grab_no
    assert Transaction.objects.filter(reference=row.grab_no, kind="grab").count() == 1


def test_a_queued_grab_waits_and_touches_nothing(settings: Settings) -> None:
    settings.RED_PACKET_PLACEMENT = "queued"
    packet, user = make_packet(), make_user()

    assert grab(packet, user).amount_fen is None
    assert grab(packet, user).amount_fen is None

    assert fates(packet, [user]) == ["pending"]
    assert counters(packet.pool) == (10, 0)
    assert not Account.objects.filter(user=user).exists()
    settle(packet)
    assert fates(packet, [user]) == ["confirmed"]
    assert balance(user) == packet_terms(packet.pk).amounts[0]


def test_a_second_grab_is_told_what_the_first_got(placement: Placement) -> None:
    packet, user = make_packet(), make_user()
    grab(packet, user)
    settle(packet)

    for _ in range(3):
        with pytest.raises(AlreadyGrabbed) as refusal:
            grab(packet, user)
        assert refusal.value.data == {"amount_fen": got(packet, user)}

    assert counters(packet.pool) == (9, 1)
    assert balance(user) == got(packet, user)
    assert audit().broken == {}


def test_the_sender_may_grab_too(placement: Placement) -> None:
    packet = make_packet(total_fen=300, slots=1)

    grab(packet, packet.user)
    settle(packet)

    assert balance(packet.user) == 300
    assert audit().broken == {}


def test_when_none_is_left_it_is_sold_out_and_whoever_got_one_is_told_so(
    placement: Placement,
) -> None:
    packet, (winner, loser) = make_packet(slots=1), users(2)
    grab(packet, winner)
    settle(packet)

    for _ in range(2):  # from the database, and from memory
        assert refused(lambda: grab(packet, loser)) == "sold_out"
        with pytest.raises(AlreadyGrabbed) as refusal:
            grab(packet, winner)
        assert refusal.value.data == {"amount_fen": 1_000}
    assert fates(packet, [winner, loser]) == ["confirmed", ""]


def test_of_those_who_wait_the_first_come_get_the_slots(settings: Settings) -> None:
    settings.RED_PACKET_PLACEMENT = "queued"
    packet, crowd = make_packet(slots=3), users(7)
    for user in crowd:
        grab(packet, user)
    settle(packet)

    assert fates(packet, crowd) == ["confirmed"] * 3 + ["sold_out"] * 4
    assert [refused(lambda user=user: grab(packet, user)) for user in crowd[3:]] == ["sold_out"] * 4
    # Whom nothing was left for has no wallet made for it.
    assert not Account.objects.filter(user__in=crowd[3:]).exists()
    assert PoolMovement.objects.filter(pool=packet.pool, kind="take").count() == 1
    assert audit().broken == {}


def test_a_batch_of_any_size_costs_the_same(
    settings: Settings, django_assert_num_queries: Callable[..., CaptureQueriesContext]
) -> None:
    settings.RED_PACKET_PLACEMENT = "queued"

    def statements(crowd: int) -> int:
        packet = make_packet(slots=100)
        for user in users(crowd):
            fund(user, 1)
            grab(packet, user)
        with CaptureQueriesContext(connection) as captured:
            assert not drain(packet.queue_id)
        return len(captured)

    assert statements(2) == statements(40)


def test_a_direct_grab_is_12_statements_and_a_look(settings: Settings) -> None:
    packet, user = make_packet(), make_user()
    fund(user, 1)
    packet_terms_by(packet.public_id)

    with CaptureQueriesContext(connection) as captured:
        grab(packet, user)

    # BEGIN and COMMIT included.
    assert len(captured) == 1 + 12


def test_a_queued_grab_is_one_statement_and_two_looks(settings: Settings) -> None:
    settings.RED_PACKET_PLACEMENT = "queued"
    packet, user = make_packet(), make_user()
    packet_terms_by(packet.public_id)

    with CaptureQueriesContext(connection) as captured:
        grab(packet, user)

    # The packet, how many wait, the INSERT.
    assert len(captured) == 3


def test_what_is_over_for_good_is_answered_without_the_database(placement: Placement) -> None:
    packet, (winner, loser) = make_packet(slots=1), users(2)
    grab(packet, winner)
    settle(packet)
    refused(lambda: grab(packet, loser))

    with CaptureQueriesContext(connection) as captured:
        assert refused(lambda: grab(packet, loser)) == "sold_out"
        assert refused(lambda: grab(packet, winner)) == "already_grabbed"

    assert len(captured) == 0


def test_only_so_many_packets_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over, "MOST_PACKETS", 2)
    user = make_user()
    packets = [make_packet(slots=1) for _ in range(3)]
    for packet in packets:
        grab(packet)
        assert refused(lambda packet=packet: grab(packet, user)) == "sold_out"

    known = [over.answer(packet_terms_by(one.public_id), user.pk) for one in packets]

    assert [one is not None for one in known] == [False, True, True]


def test_a_packet_that_nobody_sent_is_not_found() -> None:
    packet = make_packet()
    flipped = packet.public_id.swapcase()
    for guess in ("A" * 22, packet.public_id[:-1], flipped):
        with pytest.raises(NotFound):
            packet_grab(user_id=make_user().pk, public_id=guess)
    assert not Grab.objects.exists()


def test_a_disabled_user_gets_nothing(placement: Placement) -> None:
    packet, (user, other) = make_packet(), users(2)
    User.objects.filter(pk=user.pk).update(is_active=False)

    code = refused(lambda: grab(packet, user))
    grab(packet, other)
    settle(packet)

    if placement is Placement.DIRECT:
        assert (code, fates(packet, [user])) == ("permission_denied", [""])
    else:
        assert (code, fates(packet, [user])) == ("", ["permission_denied"])
        assert refused(lambda: grab(packet, user)) == "permission_denied"
    # The slot is the next one's.
    assert got(packet, other) == packet_terms(packet.pk).amounts[0]
    assert counters(packet.pool) == (9, 1)
    assert not Posting.objects.filter(account__user=user).exists()
    assert audit().broken == {}


def test_one_user_has_one_grab_whatever_the_code_does() -> None:
    packet, user = make_packet(), make_user()
    grab(packet, user)
    terms = packet_terms(packet.pk)
    second = Grab(grab_no="2", packet=packet, user=user, status="confirmed")
    second.created_at = packet.created_at

    with pytest.raises(IntegrityError):
        services.run(lambda: settlement.settle(second, terms))

    assert audit().broken == {}


# --- the end


def grabbed_by(packet: Packet, count: int) -> list[int]:
    for user in users(count):
        grab(packet, user)
    settle(packet)
    return amounts(packet)


@pytest.mark.parametrize("count", [0, 3])
def test_what_nobody_got_goes_back_once(count: int, placement: Placement) -> None:
    packet = make_packet(total_fen=1_000, slots=10)
    grabbed = grabbed_by(packet, count)
    expire(packet)

    assert (packets_sweep(), packets_sweep(), packet_end(packet)) == (1, 0, 0)

    packet.refresh_from_db()
    assert packet.refunded_fen == balance(packet.user) == 1_000 - sum(grabbed)
    assert packet.ended_at is not None
    assert not Pool.objects.get(pk=packet.pool_id).open
    assert posted(packet.user)[2:] == [("cny", packet.refunded_fen, packet.public_id)]
    assert audit().broken == {}
    assert house_sums()[House.PACKETS, Currency.CNY] == 0


def test_nothing_goes_back_twice_whatever_the_code_does() -> None:
    packet = make_packet()
    expire(packet)
    packets_sweep()
    Packet.objects.filter(pk=packet.pk).update(ended_at=None, refunded_fen=0)

    with pytest.raises(IntegrityError):
        packet_end(packet)

    assert balance(packet.user) == 1_000


def test_a_packet_that_is_grabbed_empty_gives_nothing_back(placement: Placement) -> None:
    packet = make_packet(slots=2)
    grabbed_by(packet, 2)
    expire(packet)

    assert packets_sweep() == 1

    packet.refresh_from_db()
    assert (packet.refunded_fen, balance(packet.user)) == (0, 0)
    assert refused(lambda: grab(packet)) == "sold_out"
    assert audit().broken == {}


def test_time_is_up_when_it_is_up_whatever_beat_does(placement: Placement) -> None:
    packet, user = make_packet(), make_user()
    grab(packet, user)
    settle(packet)
    expire(packet)

    assert refused(lambda: grab(packet)) == "ended"
    assert refused(lambda: grab(packet, user)) == "already_grabbed"
    packets_sweep()
    for _ in range(2):  # from the database, and from memory
        assert refused(lambda: grab(packet)) == "ended"
        assert refused(lambda: grab(packet, user)) == "already_grabbed"
    assert counters(packet.pool) == (9, 1)


def test_whoever_waits_when_time_is_up_is_settled_before_the_rest_goes_back(
    settings: Settings,
) -> None:
    settings.RED_PACKET_PLACEMENT = "queued"
    packet, user = make_packet(), make_user()
    grab(packet, user)
    expire(packet)

    assert refused(lambda: grab(packet)) == "ended"
    assert grab(packet, user).amount_fen is None  # it waits, and is told so
    packets_sweep()
    assert refused(lambda: grab(packet, user)) == "already_grabbed"

    assert got(packet, user) == balance(user) > 0
    assert balance(packet.user) == 1_000 - balance(user)
    assert audit().broken == {}


def test_a_grab_that_surfaces_after_the_end_fails(settings: Settings) -> None:
    """Its request has read the packet before the end, and stores its row after it."""
    settings.RED_PACKET_PLACEMENT = "queued"
    packet, user = make_packet(), make_user()
    expire(packet)
    packets_sweep()
    Grab.objects.create(
        grab_no="late",
        packet=packet,
        user=user,
        status="pending",
        queue_id=packet.queue_id,
        created_at=packet.created_at,
    )

    settle(packet)

    assert fates(packet, [user]) == ["ended"]
    assert refused(lambda: grab(packet, user)) == "ended"
    assert audit().broken == {}


def test_a_packet_is_not_swept_before_its_time() -> None:
    packet = make_packet()

    assert packets_sweep() == 0

    assert counters(packet.pool) == (10, 0)
    assert balance(packet.user) == 0


def test_one_that_can_not_be_ended_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    cursed, busy, *others = (make_packet() for _ in range(5))
    for packet in (cursed, busy, *others):
        expire(packet)
    real_end = services.packet_end
    errors = {cursed.pk: ZeroDivisionError(), busy.pk: Unavailable()}

    def fails(packet: Packet) -> int:
        if packet.pk in errors:
            raise errors[packet.pk]
        return real_end(packet)

    monkeypatch.setattr(services, "packet_end", fails)
    assert packets_sweep() == 3
    monkeypatch.undo()
    assert packets_sweep() == 2
    assert audit().broken == {}


def test_a_sweep_yields_when_its_time_is_up() -> None:
    for _ in range(3):
        expire(make_packet())

    assert packets_sweep(seconds=0) == 0
    assert packets_sweep() == 3


def test_the_command_ends_what_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    over_now, open_still = make_packet(), make_packet()
    expire(over_now)

    call_command("expire_packets")

    assert "1 red packets that were over have ended." in capsys.readouterr().out
    assert (balance(over_now.user), balance(open_still.user)) == (1_000, 0)


def test_an_operator_may_end_a_packet_early(placement: Placement) -> None:
    packet, operator = make_packet(), make_user(is_staff=True)
    grabbed = grabbed_by(packet, 2)

    assert packet_end(packet, operator=operator) == 1_000 - sum(grabbed)
    assert packet_end(packet, operator=operator) == 0

    assert refused(lambda: grab(packet)) == "ended"
    assert [(entry.user_id, words_of(entry)) for entry in LogEntry.objects.all()] == [
        (operator.pk, "Expired early")
    ]
    assert audit().broken == {}


# --- what fails of an error of ours


@pytest.fixture
def given_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> tuple[Packet, list[User]]:
    """A packet whose second of three grabs could not be settled, time and again."""
    settings.RED_PACKET_PLACEMENT = "queued"
    settings.DRAIN_ATTEMPTS = 2
    packet, crowd = make_packet(), users(3)
    for user in crowd:
        grab(packet, user)
    real = settlement.disabled_among

    def cursed(user_ids: Sequence[int]) -> set[int]:
        if crowd[1].pk in user_ids:
            raise ZeroDivisionError
        return real(user_ids)

    monkeypatch.setattr(settlement, "disabled_among", cursed)
    for _ in range(2):
        drain(packet.queue_id)
    monkeypatch.undo()
    return packet, crowd


def test_a_grab_that_can_not_be_settled_is_given_up_and_holds_up_nobody(
    given_up: tuple[Packet, list[User]],
) -> None:
    packet, crowd = given_up

    assert fates(packet, crowd) == ["confirmed", "internal", "confirmed"]
    assert refused(lambda: grab(packet, crowd[1])) == "unavailable"
    assert counters(packet.pool) == (8, 2)
    assert audit().broken == {}


def test_an_operator_may_try_it_again(given_up: tuple[Packet, list[User]]) -> None:
    packet, crowd = given_up
    failed, operator = Grab.objects.get(failure="internal"), make_user()

    services.grab_retry(failed, operator=operator)

    assert fates(packet, crowd) == ["confirmed", "pending", "confirmed"]
    settle(packet)
    assert Counter(fates(packet, crowd)) == {"confirmed": 3}
    assert balance(crowd[1]) == packet_terms(packet.pk).amounts[2]
    assert words_of(LogEntry.objects.get()) == "Tried again"
    assert audit().broken == {}


def test_only_what_failed_of_an_error_of_ours_is_tried_again(settings: Settings) -> None:
    settings.RED_PACKET_PLACEMENT = "queued"
    packet, crowd = make_packet(slots=1), users(2)
    for user in crowd:
        grab(packet, user)
    settle(packet)

    for row in Grab.objects.all():
        for step in (services.grab_retry, services.grab_drop):
            with pytest.raises(Invalid):
                step(row, operator=crowd[0])

    assert fates(packet, crowd) == ["confirmed", "sold_out"]
    assert not LogEntry.objects.exists()


def test_of_a_packet_that_is_over_nothing_is_tried_again(
    given_up: tuple[Packet, list[User]],
) -> None:
    packet, crowd = given_up
    expire(packet)
    packets_sweep()

    with pytest.raises(Ended):
        services.grab_retry(Grab.objects.get(failure="internal"), operator=make_user())

    assert fates(packet, crowd)[1] == "internal"
    assert not LogEntry.objects.exists()


# --- many packets, each with a queue of its own


def test_how_many_wait_is_kept_in_mind_of_so_many_queues(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RED_PACKET_PLACEMENT = "queued"
    monkeypatch.setattr(waiting, "MOST_COUNTED", 2)

    for _ in range(5):
        grab(make_packet())

    assert len(waiting._counts) <= 2
