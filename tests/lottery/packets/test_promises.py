"""What red packets promise: silent about packets in order, exact about the row that breaks it."""

from dataclasses import dataclass

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from lottery.packets.models import Grab, Packet, Slot
from lottery.packets.services import packets_sweep
from shop.accounts.models import User
from shop.pools.audit import audit
from shop.wallet.models import Account, Transaction
from tests.factories import make_user
from tests.kit.controls import checks_off
from tests.kit.packets import amounts, expire, grab, make_packet, settle
from tests.pools.planting import ago

pytestmark = pytest.mark.django_db


@dataclass(frozen=True, slots=True)
class Packets:
    """Three packets of 1,000 fen for 4: of one a user has a slot, taken direct; of one that is
    queued two have, by one batch, and a third waits; one was ended with one slot taken."""

    direct: Packet
    queued: Packet
    ended: Packet
    other: User

    def columns(self) -> dict[str, object]:
        """What the planted SQL, and what is said of it, may name."""
        columns: dict[str, object] = {"other": self.other.pk}
        for name in ("direct", "queued", "ended"):
            packet: Packet = getattr(self, name)
            slot = Slot.objects.filter(pool_id=packet.pool_id).order_by("place")[0]
            columns |= {
                name: packet.pk,
                f"{name}_id": packet.public_id,
                f"{name}_pool": packet.pool_id,
                f"{name}_slot": slot.pk,
                f"{name}_grab": slot.grab_id,
                f"{name}_grab_no": slot.grab.grab_no,
                f"{name}_took": slot.reference,
                f"{name}_user": slot.user_id,
                f"{name}_account": Account.objects.get(user_id=slot.user_id).pk,
                f"{name}_fen": slot.amount_fen,
                f"{name}_more": slot.amount_fen + 1,
                f"{name}_paid": Transaction.objects.get(reference=packet.reference).pk,
                f"{name}_payment": Transaction.objects.get(reference=slot.reference).pk,
                f"{name}_grabbed": sum(amounts(packet)),
            }
        rest = 1_000 - sum(amounts(self.ended))
        pending = Grab.objects.get(status="pending")
        return columns | {
            "rest": rest,
            "rest_more": rest + 1,
            "left": 2_000 - sum(amounts(self.direct)) - sum(amounts(self.queued)),
            "house": Account.objects.get(house="packets").pk,
            "pending": pending.pk,
            "pending_no": pending.grab_no,
            "ended_grabbed_more": sum(amounts(self.ended)) + 1,
        }


@pytest.fixture
def packets(settings: Settings) -> Packets:
    direct, ended = (make_packet(total_fen=1_000, slots=4) for _ in range(2))
    settings.RED_PACKET_PLACEMENT = "queued"
    queued = make_packet(total_fen=1_000, slots=4)
    for packet in (direct, ended, queued, queued):
        grab(packet)
    settle(queued)
    grab(queued)
    expire(ended)
    assert packets_sweep() == 1
    return Packets(direct, queued, ended, make_user())


def plant(*statements: str, columns: dict[str, object]) -> None:
    with checks_off(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.format(**columns))


def test_packets_in_order_keep_every_promise(packets: Packets) -> None:
    report = audit()

    assert report.broken == {}
    assert report.figures(2)["pending_grabs"] == 1
    back = 1_000 - sum(amounts(packets.ended))
    assert report.figures(5) == {
        "packets": 3,
        "packets_fen": 3_000,
        "packets_back_fen": back,
    }


def test_a_sample_keeps_them_too(packets: Packets) -> None:
    assert audit(sample=1).broken == {}


GRAB = (
    "INSERT INTO packets_grab"
    " (grab_no, packet_id, user_id, status, failure, attempts, created_at)"
    " VALUES ('hand', {direct}, {other}, '%s', '', 0, '2026-01-01 00:00:00')"
)
HOUSE = "house account packets: holds {left} fen"
BREACHES: dict[str, tuple[list[str], dict[int, str]]] = {
    "a slot that nobody has any more": (
        [
            "DELETE FROM packets_slot WHERE id = {direct_slot}",
            "DELETE FROM packets_grab WHERE id = {direct_grab}",
        ],
        {
            1: "pool {direct_pool}, {direct_took}: take of 1, held as 0",
            5: "packet {direct_id}: 1000 fen for 4; 0 grabs of 0 fen, 0 fen went back;"
            " its pool has 3 slots left and 1 taken",
            6: HOUSE,
        },
    ),
    "a slot that was never taken": (
        [
            "UPDATE pools_pool SET available = available + 1, taken = taken - 1"
            " WHERE id = {direct_pool}",
            "DELETE FROM pools_poolmovement WHERE reference = '{direct_took}'",
        ],
        {
            1: "pool {direct_pool}, {direct_took}: packets_slot holds 1 taken",
            5: "packet {direct_id}: 1000 fen for 4; 1 grabs of {direct_fen} fen, 0 fen went back;"
            " its pool has 4 slots left and 0 taken",
        },
    ),
    "a slot of a batch that is worth a fen more": (
        ["UPDATE packets_slot SET amount_fen = amount_fen + 1 WHERE id = {queued_slot}"],
        {
            6: "packet {queued_id}, place 0: user {queued_user} got {queued_fen} of"
            " {queued_more} fen"
        },
    ),
    "a slot of an ended packet that is worth a fen more": (
        ["UPDATE packets_slot SET amount_fen = amount_fen + 1 WHERE id = {ended_slot}"],
        {
            5: "packet {ended_id}: 1000 fen for 4; 1 grabs of {ended_grabbed_more} fen, {rest} fen"
            " went back; its pool has 3 slots left and 1 taken; it has ended",
            6: "packet {ended_id}, place 0: user {ended_user} got {ended_fen} of {ended_more} fen",
        },
    ),
    "a slot worth nothing": (
        ["UPDATE packets_slot SET amount_fen = 0 WHERE id = {direct_slot}"],
        {5: "packet {direct_id}: 1000 fen for 4; 1 grabs of 0 fen", 6: HOUSE},
    ),
    "slots that do not follow one another": (
        ["UPDATE packets_slot SET place = 2 WHERE id = {direct_slot}"],
        {5: "packet {direct_id}: 1000 fen for 4; 1 grabs of {direct_fen} fen"},
    ),
    "more slots than it was sent for": (
        ["UPDATE packets_packet SET count = 3 WHERE id = {direct}"],
        {5: "packet {direct_id}: 1000 fen for 3"},
    ),
    "an open packet with less than a fen for each slot": (
        ["UPDATE packets_packet SET total_fen = {direct_fen} + 2 WHERE id = {direct}"],
        {
            5: "1 grabs of {direct_fen} fen",
            6: "packet {direct_id}: its sender gave 1000 of",
        },
    ),
    "another user's slot": (
        ["UPDATE packets_slot SET user_id = {other} WHERE id = {direct_slot}"],
        {
            5: "grab {direct_grab_no} of user {direct_user}: is confirmed, and has one of user"
            " {other} in pool {direct_pool}",
            6: "packet {direct_id}, place 0: user {other} got 0 of {direct_fen} fen",
        },
    ),
    "a confirmed grab that got nothing": (
        [GRAB % "confirmed"],
        {5: "grab hand of user {other}: is confirmed, and has no slot"},
    ),
    "a failed grab that got something": (
        ["UPDATE packets_grab SET status = 'failed' WHERE id = {direct_grab}"],
        {5: "grab {direct_grab_no} of user {direct_user}: is failed, and has one of user"},
    ),
    "an ended packet that gives on": (
        ["UPDATE pools_pool SET open = {true} WHERE id = {ended_pool}"],
        {5: "packet {ended_id}: 1000 fen for 4"},
    ),
    "a packet that ended and gave nothing back": (
        [
            "UPDATE packets_packet SET ended_at = created_at WHERE id = {direct}",
            "UPDATE pools_pool SET open = {false} WHERE id = {direct_pool}",
        ],
        {5: "packet {direct_id}: 1000 fen for 4; 1 grabs of {direct_fen} fen, 0 fen went back"},
    ),
    "a refund that is more than was left": (
        ["UPDATE packets_packet SET refunded_fen = refunded_fen + 1 WHERE id = {ended}"],
        {
            5: "1 grabs of {ended_fen} fen, {rest_more} fen went back",
            6: "packet {ended_id}: its sender gave 1000 of 1000 fen, and got {rest} of {rest_more}"
            " fen back",
        },
    ),
    "a packet that its sender never paid": (
        ["UPDATE wallet_transaction SET reference = 'hand' WHERE id = {direct_paid}"],
        {6: "packet {direct_id}: its sender gave 0 of 1000 fen, and got 0 of 0 fen back"},
    ),
    "a grab that was paid to nobody": (
        ["UPDATE wallet_transaction SET reference = 'hand' WHERE id = {queued_payment}"],
        {6: "packet {queued_id}, place 0: user {queued_user} got 0 of {queued_fen} fen"},
    ),
    "money of packets that went elsewhere": (
        [
            "INSERT INTO wallet_posting (transaction_id, account_id, amount, reference)"
            " VALUES ({direct_payment}, {house}, -5, 'hand'),"
            " ({direct_payment}, {direct_account}, 5, 'hand')",
            "UPDATE wallet_account SET balance = balance + 5 WHERE id = {direct_account}",
        ],
        {6: "are left"},
    ),
    "a packet without its key": (
        ["UPDATE packets_packet SET idempotency_key = '' WHERE id = {direct}"],
        {2: "packet {direct_id}: has no idempotency key"},
    ),
    "a grab that waits for ever": (
        ["UPDATE packets_grab SET created_at = {long_ago} WHERE id = {pending}"],
        {2: "grab {pending_no}: is pending since 9"},
    ),
    "a packet that nobody ends": (
        ["UPDATE packets_packet SET expires_at = {long_ago} WHERE id = {direct}"],
        {2: "packet {direct_id}: has not ended 9"},
    ),
}


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_breaks_just_its_promises_and_names_the_row(name: str, packets: Packets) -> None:
    statements, rows = BREACHES[name]
    columns = packets.columns() | {"true": 1, "false": 0, "long_ago": ago(90)}

    plant(*statements, columns=columns)

    broken = audit().broken
    assert sorted(broken) == sorted(rows), broken
    for number, row in rows.items():
        assert any(row.format(**columns) in line for line in broken[number]), broken
