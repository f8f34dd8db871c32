"""Red packets as people see them: one packet with who got how much, and what a user sent and got.

Reads only. Amounts that nobody has taken are in none of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.db.models import Count, F, FilteredRelation, Q, Sum
from django.db.models.functions import Now

from lottery.packets.models import Grab, Packet, Slot
from shop.errors import NotFound

if TYPE_CHECKING:
    from shop.accounts.models import User

# Of what a user has sent, and of what they got, so many are listed.
NEWEST = 20


class Status(StrEnum):
    """A packet to those who look at it."""

    OPEN = "open"
    FINISHED = "finished"  # no slot is left
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class ShownGrab:
    """What one user got, to whoever may see the packet."""

    nickname: str
    amount_fen: int
    at: datetime
    is_best: bool


@dataclass(frozen=True, slots=True)
class MyGrab:
    """A user's own grab. `amount_fen`: None unless it is confirmed; `failure`: "" unless it
    failed."""

    status: str
    amount_fen: int | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class ShownPacket:
    """A packet as one user sees it at `read_at`; `grabs` in the order of taking, which are bounded
    as its slots are."""

    packet: Packet
    status: Status
    grabs: Sequence[ShownGrab]
    mine: MyGrab | None
    read_at: datetime

    @property
    def grabbed_count(self) -> int:
        """Slots that were taken."""
        return len(self.grabs)

    @property
    def grabbed_fen(self) -> int:
        """All that was taken."""
        return sum(grab.amount_fen for grab in self.grabs)


def packet_shown(*, public_id: str, user_id: int) -> ShownPacket:
    """The packet of that id, to anybody who knows it. Raises NotFound."""
    packet: Any = (
        Packet.objects.select_related("pool", "user")
        .annotate(
            db_now=Now(),
            own=FilteredRelation("grabs", condition=Q(grabs__user_id=user_id)),
            own_status=F("own__status"),
            own_failure=F("own__failure"),
        )
        .filter(public_id=public_id)
        .first()
    )
    if packet is None:
        raise NotFound
    # Read last, so they are all that the packet's own row tells of, or more.
    slots = list(
        Slot.objects.filter(pool_id=packet.pool_id)
        .order_by("place")
        .values_list("user_id", "user__nickname", "amount_fen", "grab__created_at")
    )
    status = packet_status(packet, taken=len(slots))
    amounts = {owner_id: amount_fen for owner_id, _, amount_fen, _ in slots}
    mine = None
    if user_id in amounts:
        mine = MyGrab(Grab.State.CONFIRMED, amounts[user_id])
    elif packet.own_status is not None:
        mine = MyGrab(packet.own_status, failure=packet.own_failure)
    # While somebody may still get more, nobody is the best; of equals it is the first.
    is_settled = status is Status.FINISHED or not packet.pool.open
    best = max(amounts, key=lambda user: amounts[user], default=None) if is_settled else None
    grabs = [
        ShownGrab(nickname, amount_fen, at, is_best=owner_id == best)
        for owner_id, nickname, amount_fen, at in slots
    ]
    return ShownPacket(packet, status, grabs, mine, packet.db_now)


def packet_status(packet: Any, *, taken: int) -> Status:
    """Of a packet that is annotated with `db_now`, and has so many slots taken."""
    if taken == packet.count:
        return Status.FINISHED
    is_open = packet.pool.open and packet.db_now < packet.expires_at
    return Status.OPEN if is_open else Status.EXPIRED


@dataclass(frozen=True, slots=True)
class Sent:
    """All that a user has sent: how many packets, their sum, and the newest of them."""

    count: int
    sum_fen: int
    newest: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Received:
    """All that a user got out of packets: how many, their sum, and the newest of them."""

    count: int
    sum_fen: int
    newest: Sequence[Slot]


def sent_by(user: "User") -> Sent:
    """Counted and summed in an index that has nothing else."""
    packets = Packet.objects.filter(user=user)
    totals = packets.aggregate(count=Count("pk"), fen=Sum("total_fen"))
    newest: list[Any] = list(
        packets.select_related("pool").annotate(db_now=Now()).order_by("-pk")[:NEWEST]
    )
    for packet in newest:
        packet.status_now = packet_status(packet, taken=packet.pool.taken)
    return Sent(totals["count"], totals["fen"] or 0, newest)


def received_by(user: "User") -> Received:
    """Counted and summed in an index that has nothing else."""
    slots = Slot.objects.filter(user=user)
    totals = slots.aggregate(count=Count("pk"), fen=Sum("amount_fen"))
    newest = slots.select_related("grab__packet__user").order_by("-pk")[:NEWEST]
    return Received(totals["count"], totals["fen"] or 0, list(newest))
