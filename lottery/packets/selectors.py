"""Red packets as they stand now. Whether one is open is a predicate: on its pool, which has slots
left and gives them, and on time by the database's clock, whatever beat has done about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from django.db.models import FilteredRelation, Q, Sum
from django.db.models.functions import Now

from lottery.packets.models import Grab, Packet, Slot
from lottery.packets.split import How, split
from shop.errors import Ended, NotFound, Refusal, SoldOut
from shop.pools.kinds import GateTerms
from shop.statements import Select

# Packets whose terms a process keeps in mind.
MOST_KNOWN = 1_000
# A packet is open from the moment it exists, however far Redis's clock is behind the database's.
EARLIER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PacketTerms:
    """What stands of a packet from the moment it is sent. `amounts`: by the order of taking, and
    nobody's to see before they are taken."""

    packet_id: int
    public_id: str
    pool_id: int
    queue_id: int
    placement: str
    strategy: str
    gated: bool
    created_at: datetime
    amounts: Sequence[int]


def packet_terms(packet_id: int) -> PacketTerms:
    """By its row's id."""
    return _terms(Packet.objects.select_related("pool").get(pk=packet_id))


@lru_cache(maxsize=MOST_KNOWN)
def packet_terms_by(public_id: str) -> PacketTerms:
    """By the id that clients know; read once by each process. Raises NotFound."""
    packet = Packet.objects.select_related("pool").filter(public_id=public_id).first()
    if packet is None:
        raise NotFound
    return _terms(packet)


def _terms(packet: Packet) -> PacketTerms:
    return PacketTerms(
        packet_id=packet.pk,
        public_id=packet.public_id,
        pool_id=packet.pool_id,
        queue_id=packet.queue_id,
        placement=packet.placement,
        strategy=packet.pool.strategy,
        gated=packet.pool.gated,
        created_at=packet.created_at,
        amounts=_amounts(packet.total_fen, packet.count, packet.split, packet.seed),
    )


@lru_cache(maxsize=MOST_KNOWN)
def _amounts(total_fen: int, count: int, how: str, seed: str) -> Sequence[int]:
    return tuple(split(total_fen=total_fen, count=count, how=How(how), seed=bytes.fromhex(seed)))


@dataclass(frozen=True, slots=True)
class Standing:
    """A packet, and one user's grab of it, as one read showed them at `read_at`."""

    available: int
    pool_open: bool
    expires_at: datetime
    read_at: datetime
    grab_no: str | None
    status: str | None
    failure: str | None
    amount_fen: int | None

    @property
    def over(self) -> type[Refusal] | None:
        """What a grab is told that comes now; None: there is something left for it."""
        if not self.available:
            return SoldOut
        return None if self.pool_open and self.read_at < self.expires_at else Ended

    @property
    def is_final(self) -> bool:
        """Whether nobody will get anything of it any more, also of those who wait."""
        return not self.available or not self.pool_open


_standing = Select(
    lambda packet_id, user_id: (
        Packet.objects.filter(pk=packet_id)
        .annotate(mine=FilteredRelation("grabs", condition=Q(grabs__user_id=user_id)))
        .values_list(
            "pool__available",
            "pool__open",
            "expires_at",
            Now(),
            "mine__grab_no",
            "mine__status",
            "mine__failure",
            "mine__slot__amount_fen",
        )
    )
)


def packet_standing(terms: PacketTerms, user_id: int) -> Standing:
    """The packet to this user, now."""
    [row] = _standing.rows(terms.packet_id, user_id)
    return Standing(*row)


def grabbed_at(terms: PacketTerms, user_id: int) -> datetime | None:
    """When the user has grabbed the packet, whatever became of it; None: not yet."""
    grabs = Grab.objects.filter(packet_id=terms.packet_id, user_id=user_id)
    return grabs.values_list("created_at", flat=True).first()


def grabbed_fen(packet: Packet) -> int:
    """The sum of what was taken of it."""
    slots = Slot.objects.filter(pool_id=packet.pool_id)
    return slots.aggregate(fen=Sum("amount_fen"))["fen"] or 0


def gate_terms(pool_id: int) -> GateTerms:
    """The terms of the packet that has this pool, as its gate needs them. One grab for each user is
    no limit here: the key says it."""
    packet = Packet.objects.get(pool_id=pool_id)
    return GateTerms(
        opens_at=packet.created_at - EARLIER,
        closes_at=packet.expires_at,
        paused=False,
        per_user_limit=None,
    )
