"""The negative controls: what happens to a red packet when one of its guards is missing. Each time
the fault must be seen, and with the guard must not be."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from lottery.packets import grabbing, services, settlement
from lottery.packets.models import Grab, Packet, Slot
from lottery.packets.selectors import packet_standing, packet_terms_by
from lottery.packets.services import packet_end
from shop.errors import Ended
from shop.numbers import new_number
from shop.pools import drain
from shop.pools.audit import audit
from shop.pools.models import PoolQuerySet, QueueQuerySet
from shop.wallet import services as wallet
from tests.factories import make_user
from tests.kit.barrier import race
from tests.kit.controls import deadlocks
from tests.kit.marks import on_mariadb
from tests.kit.packets import fates, got, grab, make_packet
from tests.kit.wallets import balance

pytestmark = on_mariadb


# --- the unique index over (packet, user)


@pytest.fixture
def no_unique_grab() -> Iterator[None]:
    [once] = [one for one in Grab._meta.constraints if one.name == "grab_once"]
    with connection.schema_editor() as editor:
        editor.remove_constraint(Grab, once)
    yield
    for model in (Slot, Grab):
        model.objects.all().delete()
    with connection.schema_editor() as editor:
        editor.add_constraint(Grab, once)


def grabs_at_once() -> int:
    """One user, 20 times at once; how many grabs that makes."""
    packet, user = make_packet(slots=20), make_user()
    race([partial(grab, packet, user)] * 20)
    return Grab.objects.filter(packet=packet, status="confirmed").count()


def test_with_the_unique_index_grabs_of_one_user_at_once_are_one() -> None:
    assert grabs_at_once() == 1
    assert audit().broken == {}


@pytest.mark.usefixtures("no_unique_grab")
def test_without_the_unique_index_grabs_of_one_user_at_once_are_many() -> None:
    assert grabs_at_once() > 1
    assert list(audit().broken) == [5]


# --- the queue's row lock


@pytest.fixture
def no_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drain that looks at its queue's row, and does not lock it."""
    monkeypatch.setattr(QueueQuerySet, "for_draining", QueueQuerySet.all)


def who_gets_the_last_slot(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> list[str]:
    """Two users wait for one slot, and a second drain comes while the first has the first user's
    grab in hand."""
    settings.RED_PACKET_PLACEMENT, settings.DRAIN_BATCH = "queued", 1
    packet, users = make_packet(slots=1), [make_user() for _ in range(2)]
    for user in users:
        grab(packet, user)
    in_hand, other_is_done = threading.Event(), threading.Event()

    def pause(name: str) -> None:
        if name == "drain.before" and not in_hand.is_set():
            in_hand.set()
            assert other_is_done.wait(120)

    monkeypatch.setattr(drain, "failpoint", pause)

    def second() -> None:
        assert in_hand.wait(120)
        try:
            drain.drain(packet.queue_id)
        finally:
            other_is_done.set()

    for outcome in race([lambda: drain.drain(packet.queue_id), second]):
        outcome.result()
    assert audit().broken == {}
    return fates(packet, users)


def test_with_the_queues_lock_the_first_who_grabbed_gets_the_last_slot(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    assert who_gets_the_last_slot(monkeypatch, settings) == ["confirmed", "sold_out"]


@pytest.mark.usefixtures("no_lease")
def test_without_the_queues_lock_the_second_does(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    assert who_gets_the_last_slot(monkeypatch, settings) == ["sold_out", "confirmed"]


# --- the pool is closed before the rest is counted


@pytest.fixture
def never_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An end that leaves the pool open."""
    update = PoolQuerySet.update
    kept_open: Callable[..., int] = lambda rows, **changes: (  # noqa: E731
        0 if changes == {"open": False} else update(rows, **changes)
    )
    monkeypatch.setattr(PoolQuerySet, "update", kept_open)


def grab_that_has_looked_before_the_end() -> tuple[Packet, Any]:
    """It has seen an open packet; then the packet ends, and then it goes on."""
    packet, user = make_packet(), make_user()
    terms = packet_terms_by(packet.public_id)
    seen = packet_standing(terms, user.pk)
    assert seen.over is None
    packet_end(packet, operator=make_user())
    number = new_number(seen.read_at)
    return packet, partial(grabbing._place, terms, user.pk, number, seen.read_at)


def test_with_a_closed_pool_nobody_grabs_what_went_back() -> None:
    packet, goes_on = grab_that_has_looked_before_the_end()

    with pytest.raises(Ended):
        goes_on()

    assert balance(packet.user) == 1_000
    assert audit().broken == {}


@pytest.mark.usefixtures("never_closed")
def test_with_an_open_one_money_that_went_back_is_grabbed_once_more() -> None:
    packet, goes_on = grab_that_has_looked_before_the_end()

    assert goes_on().amount_fen > 0

    assert balance(packet.user) == 1_000
    assert list(audit().broken) == [5]


# --- wallets are locked before the pool


class LateCredit:
    """As `wallet.Credit`, but no wallet is touched before the amount is known."""

    def __init__(self, **booking: Any) -> None:
        self._booking = booking

    def write(self, amount: int, what: str) -> None:
        wallet.credit(**self._booking, amount=amount, what=what)


def sender_grabs_while_the_packet_ends(
    monkeypatch: pytest.MonkeyPatch, *, credit: type, waits_for: str
) -> Packet:
    """The grab has the pool when the end is about to have the wallet of both, or has it."""
    packet = make_packet(slots=2)
    reached = {"pool": threading.Event(), "before": threading.Event(), "locked": threading.Event()}
    real_take = settlement.pools.take

    def take(*arguments: Any, **options: Any) -> None:
        real_take(*arguments, **options)
        if not reached["pool"].is_set():
            reached["pool"].set()
            assert reached[waits_for].wait(120)

    def lock_for_the_end(**account: Any) -> int:
        reached["before"].set()
        balance = wallet.lock(**account)
        reached["locked"].set()
        return balance

    def ends() -> int:
        assert reached["pool"].wait(120)
        return packet_end(packet, operator=packet.user)

    monkeypatch.setattr(settlement, "pools", SimpleNamespace(take=take))
    monkeypatch.setattr(settlement, "wallet", SimpleNamespace(Credit=credit, Book=wallet.Book))
    monkeypatch.setattr(
        services, "wallet", SimpleNamespace(lock=lock_for_the_end, credit=wallet.credit)
    )
    for outcome in race([partial(grab, packet, packet.user), ends]):
        assert outcome.error is None or isinstance(outcome.error, Ended), outcome.error
    return packet


def test_wallets_before_pools_never_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    before = deadlocks()

    packet = sender_grabs_while_the_packet_ends(
        monkeypatch, credit=wallet.Credit, waits_for="before"
    )

    assert deadlocks() == before
    assert got(packet, packet.user) > 0
    assert balance(packet.user) == 1_000
    assert audit().broken == {}


def test_pools_before_wallets_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it costs is another try: promises hold all the same."""
    before = deadlocks()

    packet = sender_grabs_while_the_packet_ends(monkeypatch, credit=LateCredit, waits_for="locked")

    assert deadlocks() > before
    assert balance(packet.user) == 1_000
    assert audit().broken == {}
