"""Red packets under a crowd: every slot once, one for each user, and no fen lost or made, whoever
grabs, repeats, ends or dies meanwhile."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from lottery.packets.grabbing import packet_grab
from lottery.packets.models import Grab, Packet, Slot
from lottery.packets.selectors import packet_terms
from lottery.packets.services import PacketPlan, packet_end, packet_send, packets_sweep
from shop import failpoints
from shop.accounts.models import User
from shop.errors import AlreadyGrabbed, Refusal
from shop.pools import gatekeeping
from shop.pools.audit import audit
from shop.wallet.models import Account
from tests.factories import make_user, request_key_of
from tests.faults.deaths import Died, mortal
from tests.kit.barrier import Outcome, race, watching
from tests.kit.hows import SEED, How, drained, hows, make_users
from tests.kit.marks import on_mariadb
from tests.kit.packets import amounts, expire, got, grab, make_packet, settle
from tests.kit.proxy import Proxy, database_through
from tests.kit.units import counters
from tests.kit.wallets import balance, fund

pytestmark = on_mariadb

NEVER = 10**9
# What a client repeats.
FOR_NOW = {"busy", "unavailable", "request_in_progress"}
TRIES = 50
# Points of a grab, a drain and an end.
DEADLY = {"commit.before", "commit.after", "gate.admitted", "drain.settled", "pool.end"}


@pytest.fixture(autouse=True)
def _seed_shown() -> None:
    print(f"RACE_SEED={SEED}")


@pytest.fixture
def dice() -> random.Random:
    return random.Random(SEED)


@pytest.fixture
def packet_of(settings: Settings) -> Callable[..., Packet]:
    """Sends packets that are grabbed in this way from now on."""

    def send(how: How, **plan: Any) -> Packet:
        wanted = {
            "RED_PACKET_PLACEMENT": how.placement,
            "STOCK_STRATEGY": how.strategy,
            "RED_PACKET_GATED_FROM": 1 if how.gated else NEVER,
        }
        for name, value in wanted.items():
            # Each change is one layer more that a look at a setting goes through.
            if getattr(settings, name) != value:
                setattr(settings, name, value)
        packet = make_packet(**plan)
        assert packet.pool.gated == how.gated
        return packet

    return send


# What a user was told, once or more often: an amount, or a code.
Told = int | str


def patient(user: User, packet: Packet) -> Told:
    """Grabs until there is an answer that stands: the amount, or why there is none."""
    told: Told = ""
    for _ in range(TRIES):
        try:
            grabbed = packet_grab(user_id=user.pk, public_id=packet.public_id)
            told = "pending" if grabbed.amount_fen is None else grabbed.amount_fen
        except AlreadyGrabbed as refusal:
            told = int(refusal.data["amount_fen"])
        except Refusal as refusal:
            told = refusal.code
        if told not in FOR_NOW:
            break
    return told


def again_and_again(user: User, packet: Packet, times: int) -> list[Told]:
    return [patient(user, packet) for _ in range(times)]


def in_step(packet: Packet) -> bool:
    """Whether its gate, if it has one, is warm and equals the database."""
    if not packet.pool.gated:
        return True
    look = gatekeeping.look(packet.pool_id)
    return look is not None and not look.drifts


def assert_whole(packet: Packet, *, taken: int) -> None:
    """So many slots are taken, worth the first amounts of the split, and paid."""
    assert amounts(packet) == list(packet_terms(packet.pk).amounts[:taken])
    assert counters(packet.pool) == (packet.count - taken, taken)
    slots = Slot.objects.filter(pool_id=packet.pool_id)
    assert slots.values("user_id").distinct().count() == taken
    assert audit().broken == {}


# --- a crowd


@hows("packet of ten", short=3)
def test_of_500_users_ten_get_a_slot_and_some_ask_50_times(
    how: How, packet_of: Callable[..., Packet]
) -> None:
    packet, users = packet_of(how, total_fen=1_000, slots=10), make_users(500)
    # Ten ask 50 times each, in five threads; the others once, four after another in a thread.
    impatient, others = users[:10], users[10:]
    crowd = [others[n : n + 4] for n in range(0, len(others), 4)]

    def each(some: list[User]) -> dict[int, list[Told]]:
        return {user.pk: [patient(user, packet)] for user in some}

    def one(user: User) -> dict[int, list[Told]]:
        return {user.pk: again_and_again(user, packet, 10)}

    with watching(audit) as seen, drained(packet):
        outcomes = race(
            [
                *(partial(one, user) for user in impatient for _ in range(5)),
                *(partial(each, some) for some in crowd),
            ]
        )

    told: dict[int, list[Told]] = {}
    for outcome in outcomes:
        for user_id, answers in outcome.result().items():
            told.setdefault(user_id, []).extend(answers)
    assert len(told) == 500
    assert sum(map(len, told.values())) == 10 * 50 + 490
    assert [report.broken for report in seen] == [{}] * len(seen)
    assert_whole(packet, taken=10)
    assert sum(amounts(packet)) == 1_000
    for user in users:
        # Whoever got something was told that and nothing else, and no other was told of an amount.
        own = got(packet, user)
        assert set(told[user.pk]) <= ({own, "pending"} if own else {"sold_out", "pending"})
        if not how.queued:
            assert "pending" not in told[user.pk]
    in_wallets = Account.objects.filter(user__in=users).values_list("balance", flat=True)
    assert sum(balance or 0 for balance in in_wallets) == 1_000
    assert in_step(packet)


@hows("one user", short=4)
def test_50_grabs_of_one_user_at_once_are_one(how: How, packet_of: Callable[..., Packet]) -> None:
    packet, [user] = packet_of(how, slots=10), make_users(1)

    with drained(packet):
        outcomes = race([partial(patient, user, packet) for _ in range(50)])

    told = {outcome.result() for outcome in outcomes}
    assert told <= {got(packet, user), "pending"}
    assert Grab.objects.count() == 1
    assert balance(user) == got(packet, user) > 0
    assert_whole(packet, taken=1)
    assert in_step(packet)


@hows("two drains", short=1, only=lambda how: how.queued)
def test_any_number_of_drains_settle_each_grab_once(
    how: How, packet_of: Callable[..., Packet], settings: Settings
) -> None:
    settings.DRAIN_BATCH = 3
    packet, users = packet_of(how, slots=20), make_users(30)
    for user in users:
        # A gate turns away whom nothing is left for.
        assert patient(user, packet) in {"pending", "sold_out"}

    with watching(audit) as seen, drained(packet, drains=6):
        pass

    assert [report.broken for report in seen] == [{}] * len(seen)
    assert [got(packet, user) > 0 for user in users] == [True] * 20 + [False] * 10
    assert_whole(packet, taken=20)


@hows("crossed", short=2)
def test_users_who_grab_each_others_packets_lock_nobody_out(
    how: How, packet_of: Callable[..., Packet]
) -> None:
    """Everybody sends a packet and grabs all of them, their own too, in an order of their own."""
    users = make_users(6)
    packets = [packet_of(how, sender=user, total_fen=100, slots=6) for user in users]

    def grabs(user: User, first: int) -> list[Told]:
        order = packets[first:] + packets[:first]
        return [patient(user, packet) for packet in order]

    with watching(audit) as seen, drained(*packets):
        outcomes = race([partial(grabs, user, n) for n, user in enumerate(users)])

    assert not {told for outcome in outcomes for told in outcome.result()} & FOR_NOW
    assert [report.broken for report in seen] == [{}] * len(seen)
    for packet in packets:
        assert_whole(packet, taken=6)
    assert sum(balance(user) for user in users) == 600


# --- a grab against the end


class _AnyTime(Mapping[str, str]):
    """Fail points that kill, now and then, whoever passes them."""

    def __init__(self, dice: random.Random, *, one_in: int) -> None:
        self._dice = dice
        self._one_in = one_in

    def __getitem__(self, name: str) -> str:
        if name in DEADLY and self._dice.randrange(self._one_in) == 0:
            return "kill"
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(DEADLY)

    def __len__(self) -> int:
        return len(DEADLY)


@pytest.fixture
def deaths(monkeypatch: pytest.MonkeyPatch, dice: random.Random) -> Callable[[bool], None]:
    """Lets whoever passes a fail point die there, now and then, or no more."""
    mortal(monkeypatch)

    def switch(on: bool) -> None:
        armed = _AnyTime(dice, one_in=12) if on else {}
        monkeypatch.setattr(failpoints, "_armed", armed)

    return switch


def survivors(outcomes: list[Outcome[Any]]) -> list[Any]:
    """What those returned who did not die; nobody may have failed of anything else."""
    for outcome in outcomes:
        assert outcome.error is None or isinstance(outcome.error, Died), outcome.error
    return [outcome.value for outcome in outcomes if outcome.error is None]


def last_grab_against_the_end(
    packets: list[Packet], deaths: Callable[[bool], None], *, at_once: int
) -> Counter[str]:
    """Of each packet one slot of two is taken. The last one is grabbed, by two users or by one and
    the sender, while two sweeps and an operator end the packet, and some of them die."""
    operator = make_user(is_staff=True)
    fates: Counter[str] = Counter()
    for start in range(0, len(packets), at_once):
        some = packets[start : start + at_once]
        grabbers = {packet.pk: [packet.user, *make_users(1)] for packet in some}
        deaths(True)
        outcomes = race(
            [
                *(
                    partial(patient, user, packet)
                    for packet in some
                    for user in grabbers[packet.pk]
                ),
                *(partial(packet_end, packet, operator=operator) for packet in some),
                *(partial(expire_and_sweep, packet) for packet in some[: len(some) // 2]),
            ]
        )
        deaths(False)
        fates += Counter(type(outcome.error).__name__ for outcome in outcomes)
        survivors(outcomes)
        for packet in some:
            packet_end(packet, operator=operator)
            settle(packet)
    packets_sweep(seconds=60)
    return fates


def expire_and_sweep(packet: Packet) -> int:
    expire(packet)
    return packets_sweep()


def assert_nothing_is_lost(packets: list[Packet]) -> None:
    """Of each packet what was grabbed and what went back is its total."""
    for packet in packets:
        packet.refresh_from_db()
        assert packet.ended_at is not None
        assert sum(amounts(packet)) + packet.refunded_fen == packet.total_fen
        assert amounts(packet) == list(packet_terms(packet.pk).amounts[: len(amounts(packet))])
    assert not Grab.objects.filter(status="pending").exists()
    assert audit().broken == {}


@hows("last grab", short=2)
def test_the_last_grab_against_the_end_with_deaths_in_the_middle(
    how: How, packet_of: Callable[..., Packet], deaths: Callable[[bool], None]
) -> None:
    packets = [packet_of(how, total_fen=50, slots=2) for _ in range(500 if how.soak else 16)]
    for packet in packets:
        grab(packet)
        settle(packet)

    with watching(audit, every=0.2) as seen:
        fates = last_grab_against_the_end(packets, deaths, at_once=16)

    print(f"fates: {dict(fates)}")
    assert fates["Died"]
    assert [report.broken for report in seen] == [{}] * len(seen)
    assert_nothing_is_lost(packets)


@hows("end in the rush", short=2)
def test_whoever_was_accepted_before_the_end_has_a_slot(
    how: How, packet_of: Callable[..., Packet]
) -> None:
    packet, users = packet_of(how, total_fen=5_000, slots=100), make_users(60)
    operator = make_user(is_staff=True)

    with watching(audit) as seen, drained(packet):
        outcomes: list[Outcome[Told | None]] = race(
            [
                *(partial(patient, user, packet) for user in users),
                *[partial(packet_end, packet, operator=operator)] * 2,
            ]
        )

    told = [outcome.result() for outcome in outcomes[: len(users)]]
    for user, answer in zip(users, told, strict=True):
        if isinstance(answer, int):
            assert got(packet, user) == answer
        else:
            assert answer in {"ended", "pending"}
    # Two ends gave back once; what surfaced after them failed, and only that.
    packet.refresh_from_db()
    assert sorted(outcome.result() for outcome in outcomes[-2:]) == [0, packet.refunded_fen]
    assert [report.broken for report in seen] == [{}] * len(seen)
    assert_nothing_is_lost([packet])


# --- sending


def test_one_key_50_times_at_once_with_deaths_sends_one_packet(
    deaths: Callable[[bool], None],
) -> None:
    sender = make_user()
    fund(sender, 10_000)

    def sends() -> str:
        key = request_key_of(sender, "k", route="red-packets")
        for _ in range(TRIES):
            try:
                return packet_send(key=key, plan=PacketPlan(1_000, 5)).row.public_id
            except Refusal as refusal:
                assert refusal.code in FOR_NOW
        return "never"

    deaths(True)
    ids = set(survivors(race([sends] * 50)))
    deaths(False)

    assert ids | {sends()} == {Packet.objects.get().public_id}
    assert balance(sender) == 9_000
    assert audit().broken == {}


def test_what_a_wallet_can_pay_is_sent_and_no_more() -> None:
    sender = make_user()
    fund(sender, 1_050)

    def sends() -> str:
        try:
            packet_send(key=request_key_of(sender, route="red-packets"), plan=PacketPlan(100, 5))
        except Refusal as refusal:
            return refusal.code
        return ""

    codes = Counter(outcome.result() for outcome in race([sends] * 30))

    assert codes == {"": 10, "insufficient_balance": 20}
    assert balance(sender) == 50
    assert audit().broken == {}


# --- a lost answer


@pytest.mark.parametrize("how", [How("direct", "optimistic", gated) for gated in (True, False)])
def test_a_commit_whose_answer_is_lost_is_one_slot_and_tells_its_amount(
    how: How, packet_of: Callable[..., Packet]
) -> None:
    packet, [user] = packet_of(how, slots=5), make_users(1)
    packet_terms(packet.pk)
    settings = connection.settings_dict
    with Proxy(host=settings["HOST"], port=int(settings["PORT"])) as proxy:
        with database_through(proxy):
            proxy.swallow_commit_answers()
            grabbed = grab(packet, user)
        assert proxy.commits_to_swallow == 0

    assert grabbed.amount_fen == got(packet, user) == balance(user)
    assert_whole(packet, taken=1)
    assert in_step(packet)
