"""From a user who opens a red packet to the money in it.

What is over for good is answered from memory, then the packet's gate (where it has one) turns
away whom nothing is left for, and then a grab is one of two things: direct, the whole of it in one
transaction; queued, one INSERT, which the drain settles with many others. A user has one grab of a
packet: a repeat is told what became of the first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db import IntegrityError
from django.utils import timezone

from lottery.packets import over
from lottery.packets.models import Grab
from lottery.packets.pending import GATE_KEY
from lottery.packets.selectors import (
    PacketTerms,
    Standing,
    grabbed_at,
    packet_standing,
    packet_terms_by,
)
from lottery.packets.settlement import settle
from shop import transactions
from shop.errors import AlreadyGrabbed, Ended, PermissionDenied, Refusal, SoldOut, Unavailable
from shop.numbers import new_number
from shop.pools import gate
from shop.pools import services as pools
from shop.pools.models import Placement
from shop.pools.passage import Stored, passage
from shop.pools.refusals import No, refusal_of
from shop.pools.waiting import Queued, wait_in
from shop.transactions import is_duplicate

# What a repeat is told of a grab that failed; of one that failed of us, to come back later.
FAILED: Mapping[str, type[Refusal]] = {
    refusal.code: refusal for refusal in (SoldOut, Ended, PermissionDenied)
}


@dataclass(frozen=True, slots=True)
class Grabbed:
    """What a grab got (fen); None: it waits to be settled."""

    amount_fen: int | None


PENDING = Grabbed(None)


def packet_grab(*, user_id: int, public_id: str, client_address: str = "") -> Grabbed:
    """One grab of a packet by a user, whose access token may have outlived the user.

    `client_address`: whom the gate counts requests for. Raises NotFound, AlreadyGrabbed, SoldOut,
    Ended, PermissionDenied (a disabled user), Busy, Unavailable, RequestInProgress.
    """
    terms = packet_terms_by(public_id)
    if (refusal := over.answer(terms, user_id)) is not None:
        raise refusal
    # Its own, and the same for every try: so it knows itself after a COMMIT without an answer.
    grab_no = new_number(timezone.now())
    if terms.gated:
        attempt = partial(_through_gate, terms, user_id, grab_no, client_address)
    else:
        standing = packet_standing(terms, user_id)
        if (grabbed := _known(terms, user_id, standing, grab_no)) is not None:
            return grabbed
        attempt = partial(_place, terms, user_id, grab_no, standing.read_at)
    try:
        return attempt()
    except (Refusal, IntegrityError) as error:
        if isinstance(error, IntegrityError) and not is_duplicate(error):
            raise
        known = _known(terms, user_id, packet_standing(terms, user_id), grab_no)
        if known is None:
            raise
        return known


def _known(terms: PacketTerms, user_id: int, standing: Standing, grab_no: str) -> Grabbed | None:
    """What there is to say to a user who has a grab already, or of a packet that is over; None:
    nothing. Raises AlreadyGrabbed, SoldOut, Ended, PermissionDenied, Unavailable."""
    if standing.over is not None and standing.is_final:
        over.remember(terms, standing.over)
    match standing.status:
        case Grab.State.PENDING:
            return PENDING
        case Grab.State.CONFIRMED if standing.grab_no == grab_no:
            return Grabbed(standing.amount_fen)
        case Grab.State.CONFIRMED:
            raise AlreadyGrabbed(amount_fen=standing.amount_fen)
        case Grab.State.FAILED:
            raise FAILED.get(standing.failure or "", Unavailable)
    if standing.over is not None:
        raise standing.over
    return None


def _through_gate(terms: PacketTerms, user_id: int, grab_no: str, client_address: str) -> Grabbed:
    request = gate.Request(terms.pool_id, user_id, 1, GATE_KEY, client_address)
    with passage(
        request, stored=partial(_stored, terms, user_id), opens_at=terms.created_at
    ) as passed:
        return _place(terms, user_id, grab_no, passed.at)


def _stored(terms: PacketTerms, user_id: int) -> Stored | None:
    at = grabbed_at(terms, user_id)
    return None if at is None else Stored(at, 1)


def _place(terms: PacketTerms, user_id: int, grab_no: str, now: datetime) -> Grabbed:
    grab = Grab(
        grab_no=grab_no, packet_id=terms.packet_id, user_id=user_id, failure="", created_at=now
    )
    if terms.placement == Placement.QUEUED:
        grab.status = Grab.State.PENDING
        wait_in(grab, Queued(terms.queue_id))
        return PENDING
    grab.status = Grab.State.CONFIRMED
    try:
        with pools.admitted([terms.pool_id]):
            return Grabbed(transactions.run(partial(settle, grab, terms)))
    except No as no:
        raise refusal_of(no) from no
