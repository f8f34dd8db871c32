"""Red packets for tests: sent as their senders would, grabbed, settled, and looked into."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import count

from django.db.models.functions import Now

from lottery.packets.grabbing import Grabbed, packet_grab
from lottery.packets.models import Grab, Packet, Slot
from lottery.packets.services import PacketPlan, packet_send
from lottery.packets.split import How
from shop.accounts.models import User
from tests.factories import make_user, request_key_of
from tests.kit.hows import drain_all
from tests.kit.wallets import fund

_serial = count(1)


def make_packet(
    sender: User | None = None,
    *,
    total_fen: int = 1_000,
    slots: int = 10,
    how: How = How.RANDOM,
    greeting: str = "",
    key: str = "",
) -> Packet:
    """A packet that is open; without a sender, of somebody who has just so much money."""
    sender = sender or make_user()
    fund(sender, total_fen)
    plan = PacketPlan(total_fen, slots, how, greeting)
    return packet_send(key=request_key_of(sender, key, route="red-packets"), plan=plan).row


def grab(packet: Packet, user: User | None = None) -> Grabbed:
    """A grab by the user, or by somebody new, as the view does it. Raises the refusal."""
    return packet_grab(user_id=(user or make_user()).pk, public_id=packet.public_id)


def settle(packet: Packet) -> None:
    """Does what a worker does a moment later; nothing where grabs are settled at once."""
    drain_all(packet)


def expire(packet: Packet) -> None:
    """Lets its time be up, as far as the database's clock can tell."""
    Packet.objects.filter(pk=packet.pk).update(expires_at=Now() - timedelta(seconds=1))


def amounts(packet: Packet) -> list[int]:
    """What was grabbed (fen), in the order of taking."""
    slots = Slot.objects.filter(pool_id=packet.pool_id).order_by("place")
    return list(slots.values_list("amount_fen", flat=True))


def got(packet: Packet, user: User) -> int:
    """What the user's grab has, 0 for nothing."""
    slot = Slot.objects.filter(pool_id=packet.pool_id, user=user).first()
    return slot.amount_fen if slot else 0


def fates(packet: Packet, users: Iterable[User]) -> list[str]:
    """What became of each user's grab: its failure, or its state; "" where there is none."""
    rows = {one.user_id: one for one in Grab.objects.filter(packet=packet)}
    return [
        (rows[user.pk].failure or rows[user.pk].status) if user.pk in rows else "" for user in users
    ]
