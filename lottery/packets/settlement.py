"""The only code that turns grabs into slots and money.

A direct grab is settled in its request's transaction, those that wait by the drain, many at a time
and in the order they came. Either way the k-th slot that is taken pays the k-th amount of the
packet's split into a wallet, in the transaction that takes it. Wallets are locked before the pool,
since only the pool's counter says how much it will be.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists

from lottery.packets.models import Grab, Slot
from lottery.packets.selectors import PacketTerms, packet_terms
from shop.accounts.models import User
from shop.accounts.selectors import disabled_among
from shop.api.idempotency import insert
from shop.errors import PermissionDenied, Refusal
from shop.numbers import new_number
from shop.pools import gate
from shop.pools import services as pools
from shop.pools.batch import Grant, Verdict, take_batch
from shop.pools.models import Pool
from shop.pools.refusals import Closed, Shortage, failure_of
from shop.pools.services import Claim, Terms
from shop.pools.strategies import Take
from shop.statements import Select, insert_values
from shop.wallet import services as wallet
from shop.wallet.models import Currency, House

# What the wallet's ledger calls it.
KIND = "grab"
SLOT = ("grab_id", "pool_id", "user_id", "place", "amount_fen", "reference")

# In the transaction that has just taken a slot: its number, and whether its user still may have it.
_taken = Select(
    lambda pool_id, user_id: Pool.objects.filter(pk=pool_id).values_list(
        "taken", Exists(User.objects.filter(pk=user_id, is_active=True))
    )
)


@dataclass(frozen=True, slots=True)
class PendingGrab:
    """What settling needs of a grab that waits, its row locked. `now`: the database's clock."""

    pk: int
    grab_no: str
    packet_id: int
    user_id: int
    now: datetime


def settle(grab: Grab, terms: PacketTerms) -> int:
    """Stores one new grab with the slot that it gets, and pays it; returns the amount (fen).

    Raises Shortage, Closed, PermissionDenied (a disabled user), Busy, RequestInProgress, or
    IntegrityError for a second grab of one user; the caller rolls back.
    """
    insert(grab)
    credit = wallet.Credit(
        user_id=grab.user_id,
        currency=Currency.CNY,
        house=House.PACKETS,
        reference=grab.grab_no,
        kind=KIND,
    )
    claim = Claim(grab.grab_no, grab.user_id, [Take(terms.pool_id, 1)])
    pools.take(claim, terms={terms.pool_id: Terms(terms.strategy)})
    [(taken, may_have_it)] = _taken.rows(terms.pool_id, grab.user_id)
    if not may_have_it:
        raise PermissionDenied
    place = int(taken) - 1
    amount_fen = terms.amounts[place]
    insert_values(Slot, SLOT, [_slot(grab, terms, place=place, reference=claim.reference)])
    credit.write(amount_fen, terms.public_id)
    return amount_fen


def settle_pending(grabs: Sequence[PendingGrab]) -> None:
    """Settles grabs that wait for one packet: each is `confirmed` with its slot and its money, or
    `failed` without."""
    terms = packet_terms(grabs[0].packet_id)
    disabled = disabled_among({grab.user_id for grab in grabs})
    failures = {grab.pk: PermissionDenied.code for grab in grabs if grab.user_id in disabled}
    candidates = [grab for grab in grabs if grab.pk not in failures]
    reference = f"grabs-{new_number(grabs[0].now)}"
    slots = []
    for grab, verdict in zip(candidates, _verdicts(candidates, terms, reference), strict=True):
        if isinstance(verdict, Grant):
            [units] = verdict.units
            slots.append(_slot(grab, terms, place=units.first, reference=reference))
        else:
            failures[grab.pk] = failure_of(verdict)
    if slots:
        insert_values(Slot, SLOT, slots)
        settled = Grab.objects.filter(pk__in=[grab_id for grab_id, *_ in slots])
        settled.update(status=Grab.State.CONFIRMED, queue=None)
    write_failed([grab for grab in grabs if grab.pk in failures], failures, terms=terms)


def _slot(
    grab: Grab | PendingGrab, terms: PacketTerms, *, place: int, reference: str
) -> tuple[object, ...]:
    """A row of SLOT."""
    return grab.pk, terms.pool_id, grab.user_id, place, terms.amounts[place], reference


def _verdicts(
    grabs: Sequence[PendingGrab], terms: PacketTerms, reference: str
) -> Sequence[Verdict]:
    """What each grab gets. Of a crowd only as many as there are slots have their wallets locked, or
    made: the queue's lock is held, and nobody else takes slots of a queued packet."""
    [(available, is_open)] = Pool.objects.filter(pk=terms.pool_id).values_list("available", "open")
    first = grabs[:available]
    late = Shortage(terms.pool_id, 0) if is_open else Closed(terms.pool_id)
    claims = [Claim(grab.grab_no, grab.user_id, [Take(terms.pool_id, 1)]) for grab in first]
    verdicts = take_batch(claims, reference=reference, condition=_Payments(terms)) if claims else []
    return [*verdicts, *[late] * (len(grabs) - len(first))]


class _Payments:
    """`shop.pools.batch.Condition`: every slot is paid as it is taken."""

    def __init__(self, terms: PacketTerms) -> None:
        self._terms = terms
        self._book = wallet.Book(Currency.CNY, House.PACKETS, KIND)

    def lock(self, claims: Sequence[Claim]) -> None:
        self._book.lock({claim.user_id for claim in claims})

    def decide(self, claim: Claim, grant: Grant) -> Refusal | None:
        [units] = grant.units
        amount_fen = self._terms.amounts[units.first]
        self._book.credit(claim.user_id, amount_fen, self._terms.public_id)
        return None

    def write(self, reference: str) -> None:
        self._book.write(reference)


def write_failed(
    grabs: Sequence[PendingGrab], failures: Mapping[int, str], *, terms: PacketTerms
) -> None:
    """Moves pending `grabs` to `failed`, each with the code that `failures` (grab id -> code) has
    for it; their packet's gate hears of it."""
    by_code: dict[str, list[int]] = defaultdict(list)
    for grab in grabs:
        by_code[failures[grab.pk]].append(grab.pk)
    for code, ids in by_code.items():
        failed = Grab.objects.filter(pk__in=ids)
        failed.update(status=Grab.State.FAILED, failure=code, queue=None)
    gate.give_back_after_commit({(terms.pool_id, grab.user_id): 1 for grab in grabs})
