"""Process memory of packets that are over for good: the flood that comes too late costs neither
Redis nor the database.

A slot is never given back and a closed pool never opens, so a packet that is closed or has no slot
left stays what it is: who got how much is known, and nobody else ever will. So what is remembered
here is never wrong, and is forgotten only to make room.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from lottery.packets.models import Slot
from lottery.packets.selectors import PacketTerms
from shop.errors import AlreadyGrabbed, Refusal

# Packets remembered at once; some hundred users each, at most.
MOST_PACKETS = 500


@dataclass(frozen=True, slots=True)
class _Over:
    """What everybody is told, and the amounts (fen) of those who got something."""

    refusal: type[Refusal]
    amounts: Mapping[int, int]


_over: OrderedDict[str, _Over] = OrderedDict()


def remember(terms: PacketTerms, refusal: type[Refusal]) -> None:
    """Notes a packet that the database has just shown to be over for good."""
    if terms.public_id in _over:
        return
    got = Slot.objects.filter(pool_id=terms.pool_id).values_list("user_id", "amount_fen")
    _over[terms.public_id] = _Over(refusal, dict(got))
    if len(_over) > MOST_PACKETS:
        _over.popitem(last=False)


def answer(terms: PacketTerms, user_id: int) -> Refusal | None:
    """What a grab of this user is told; None: somebody has to look."""
    over = _over.get(terms.public_id)
    if over is None:
        return None
    amount_fen = over.amounts.get(user_id)
    return over.refusal() if amount_fen is None else AlreadyGrabbed(amount_fen=amount_fen)


def forget() -> None:
    """Remembers nothing."""
    _over.clear()
