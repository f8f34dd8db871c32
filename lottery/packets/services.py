"""Sending red packets, and ending them: money moves between a wallet and the house, once each way.

Sending takes the money and loads the slots in one transaction. Ending settles what waits, then
closes the pool and gives what is left back, in the order of locks that holds everywhere: queue,
packet, wallet, pool. Whoever repeats either finds it done.
"""

import logging
import random
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.contrib.admin.models import CHANGE
from django.db.models.functions import Now
from django.utils.translation import gettext

from lottery.packets.models import POOL_KIND, QUEUE_KIND, Grab, Packet
from lottery.packets.selectors import grabbed_fen
from lottery.packets.split import SEED_BYTES, How
from shop.accounts.models import User
from shop.api.idempotency import Answer, RequestKey, insert, once
from shop.errors import Ended, Invalid, Refusal
from shop.operators_log import changed, log
from shop.pools import gate, gatekeeping
from shop.pools import services as pools
from shop.pools.ending import end
from shop.pools.models import Movement, Placement, Pool, Queue
from shop.pools.tasks import drain_bell
from shop.pools.waiting import INTERNAL, drop_given_up
from shop.transactions import run
from shop.wallet import services as wallet
from shop.wallet.models import Currency, House

logger = logging.getLogger(__name__)

CREATED = 201
# What the wallet's ledger calls money that is sent, and money that comes back.
SENT, BACK = "packet", "packet_back"
# Packets that one sweep looks at, and seconds after which it yields.
MOST_DUE = 1_000
SWEEP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class PacketPlan:
    """What a user wants to send: `total_fen` for `count` others. Without a greeting, the shop's."""

    total_fen: int
    count: int
    how: How = How.RANDOM
    greeting: str = ""


def packet_send(*, key: RequestKey, plan: PacketPlan) -> Answer[Packet]:
    """Sends a packet from the user's wallet, or finds the one that an earlier request with `key`
    sent. Raises Invalid, InsufficientBalance, Busy, Unavailable, RequestInProgress,
    IdempotencyKeyReused. Then nothing of it is stored, and no money has moved.
    """
    return once(key, Packet.objects.select_related("pool"), lambda key: _send(key, plan))


def _send(key: RequestKey, plan: PacketPlan) -> Packet:
    _check(plan)
    public_id, seed = secrets.token_urlsafe(16), secrets.token_hex(SEED_BYTES)
    gated = gate.configured() and plan.count >= settings.RED_PACKET_GATED_FROM
    [now] = User.objects.filter(pk=key.user_id).values_list(Now(), flat=True)

    def write() -> Packet:
        pool = Pool.objects.create(kind=POOL_KIND, gated=gated)
        packet = Packet(
            **key.columns(),
            first_status=CREATED,
            public_id=public_id,
            pool=pool,
            queue=Queue.objects.create(kind=QUEUE_KIND, name=f"{POOL_KIND}:{public_id}"),
            placement=Placement(settings.RED_PACKET_PLACEMENT),
            total_fen=plan.total_fen,
            count=plan.count,
            split=plan.how.value,
            greeting=plan.greeting,
            seed=seed,
            created_at=now,
            expires_at=now + timedelta(seconds=settings.RED_PACKET_SECONDS),
        )
        insert(packet)
        wallet.pay(
            user_id=key.user_id,
            currency=Currency.CNY,
            amount=plan.total_fen,
            house=House.PACKETS,
            reference=packet.reference,
            kind=SENT,
            what=public_id,
        )
        pools.adjust({pool.pk: plan.count}, kind=Movement.LOAD, reference=packet.reference)
        return packet

    packet = run(write)
    gatekeeping.quietly(gatekeeping.reopen, packet.pool)
    return packet


def _check(plan: PacketPlan) -> None:
    """Raises Invalid, with the field."""
    for field, number, most in (
        ("count", plan.count, settings.RED_PACKET_MOST_COUNT),
        ("total_fen", plan.total_fen, settings.RED_PACKET_MOST_FEN),
    ):
        if not 1 <= number <= most:
            raise Invalid.field(field, gettext("From 1 to %(most)d.") % {"most": most})
    if plan.total_fen < plan.count:
        raise Invalid.field("total_fen", gettext("At least 1 fen for each slot."))


def packet_end(packet: Packet, *, operator: User | None = None) -> int:
    """Ends a packet that is over, or (by an operator) before its time: what waits is settled, then
    what is left goes back to the sender. Harmless to repeat; returns the fen that went back now.

    Raises Busy, Unavailable.
    """
    if operator is not None:
        run(partial(_close_window, packet, operator))
        gatekeeping.quietly(gatekeeping.apply_terms, packet.pool)
    back = end(packet.queue_id, partial(_close, packet))
    if packet.pool.gated:
        gate.fade(packet.pool_id)
    return back


def _close_window(packet: Packet, operator: User) -> None:
    open_ = Packet.objects.filter(pk=packet.pk, ended_at=None, expires_at__gt=Now())
    if open_.update(expires_at=Now()):
        log(operator, [packet], CHANGE, "Expired early")


def _close(packet: Packet) -> int:
    """Closes the pool, and gives back what nobody got."""
    locked = Packet.objects.select_for_update().filter(pk=packet.pk, ended_at=None)
    if not list(locked.values_list("pk")):
        return 0  # somebody else has
    wallet.lock(user_id=packet.user_id, currency=Currency.CNY)
    list(Pool.objects.locked([packet.pool_id]))
    Pool.objects.filter(pk=packet.pool_id).update(open=False)
    # Nobody takes a slot any more, and who took one has committed: the pool's lock says so.
    left_fen = packet.total_fen - grabbed_fen(packet)
    if left_fen:
        wallet.credit(
            user_id=packet.user_id,
            currency=Currency.CNY,
            amount=left_fen,
            house=House.PACKETS,
            reference=packet.refund_reference,
            kind=BACK,
            what=packet.public_id,
        )
    Packet.objects.filter(pk=packet.pk).update(ended_at=Now(), refunded_fen=left_fen)
    return left_fen


def packets_sweep(*, seconds: float = SWEEP_SECONDS) -> int:
    """Ends packets whose time is up, and those without a slot left that still have a gate; returns
    how many it ended. Beat calls it. One that can't be ended now waits for the next call.

    Any number of these may run at once: in an order of its own each, so that they rarely meet.
    """
    deadline = time.monotonic() + seconds
    overdue = Packet.objects.filter(ended_at=None, expires_at__lte=Now()).order_by("expires_at")
    finished = Pool.objects.filter(gated=True, open=True, kind=POOL_KIND, available=0)
    due = [
        *overdue.values_list("pk", flat=True)[:MOST_DUE],
        *finished.values_list("packet__pk", flat=True)[:MOST_DUE],
    ]
    random.shuffle(due)
    ended = 0
    for packet_id in due:
        if time.monotonic() >= deadline:
            break
        ended += _ended(packet_id)
    return ended


def _ended(packet_id: int) -> bool:
    """Whether this call has ended the packet."""
    packet = Packet.objects.select_related("pool").filter(pk=packet_id, ended_at=None).first()
    if packet is None:
        return False
    try:
        packet_end(packet)
    except Refusal as refusal:
        logger.warning("packet %s: not ended: %s, beat rings again", packet_id, refusal.code)
    except Exception:
        # It stays due, which the audit tells of; the others go on.
        logger.exception("packet %s can't be ended", packet_id)
    else:
        return True
    return False


def grab_retry(grab: Grab, *, operator: User) -> None:
    """Lets a given-up grab wait once more, as a new one. Raises Invalid (it did not fail of an
    error of ours), Ended (its packet is over), Busy, Unavailable."""

    def work() -> int:
        given_up = _given_up(grab)
        packet = given_up.packet
        if not Pool.objects.filter(pk=packet.pool_id, open=True).exists():
            raise Ended
        Grab.objects.filter(pk=grab.pk).update(
            status=Grab.State.PENDING,
            queue_id=packet.queue_id,
            failure="",
            attempts=0,
            created_at=Now(),
        )
        changed(
            operator, given_up, "Tried again", status=Grab.State.PENDING, failure="", attempts=0
        )
        # Its slot can't be had by others while it waits.
        gate.hold_after_commit({(packet.pool_id, given_up.user_id): 1})
        return packet.queue_id

    drain_bell.ring(run(work))


def grab_drop(grab: Grab, *, operator: User) -> None:
    """Leaves a given-up grab as it is, and those to look after without it; dropping a dropped one
    changes nothing. Raises Invalid, Busy, Unavailable."""
    run(lambda: drop_given_up(_given_up(grab), operator=operator))


def _given_up(grab: Grab) -> Grab:
    """The grab, locked. Raises Invalid unless it failed of an error of ours."""
    locked = Grab.objects.select_for_update().get(pk=grab.pk)
    if (locked.status, locked.failure) != (Grab.State.FAILED, INTERNAL):
        raise Invalid.field("", gettext("This did not fail of an error of ours."))
    return locked
