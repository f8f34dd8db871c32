"""Takes for many claims at once: all is locked in the stated order, decided in memory, first come
first served, and then only outcomes are written: one movement and one UPDATE per pool.

What a claim needs beside units (money in a wallet, a coupon) is a `Condition`: its rows are locked
after those of limits and before the pools, and it is asked last, when the units are there.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from django.db.models import F

from shop.errors import Refusal
from shop.pools import limits
from shop.pools.models import Movement, Pool
from shop.pools.refusals import Closed, LimitReached, No, Shortage
from shop.pools.services import Claim, merged, movement, record, require_transaction
from shop.pools.strategies import Take


@dataclass(frozen=True, slots=True)
class Granted:
    """`count` units of one pool, of which `first` had been taken before: so the first unit's index
    is `first`, and no two grants of a pool that gives nothing back overlap."""

    pool_id: int
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Grant:
    """What a claim got, by ascending pool id."""

    units: Sequence[Granted]

    @property
    def count(self) -> int:
        """All units of it."""
        return sum(unit.count for unit in self.units)


Verdict = Grant | No | Refusal


class Condition(Protocol):
    """What claims need beside units."""

    def lock(self, claims: Sequence[Claim]) -> None:
        """Locks the rows that `decide` goes by, in ascending order."""

    def decide(self, claim: Claim, grant: Grant) -> Refusal | None:
        """Asked once a claim's units are there, in the order of the claims: None, and it counts
        from now on, or why not."""

    def write(self, reference: str) -> None:
        """Writes what was decided, under the batch's reference."""


class _Nothing:
    """No further condition."""

    def lock(self, claims: Sequence[Claim]) -> None:
        pass

    def decide(self, claim: Claim, grant: Grant) -> Refusal | None:
        return None

    def write(self, reference: str) -> None:
        pass


def take_batch(
    claims: Sequence[Claim], *, reference: str, condition: Condition | None = None
) -> list[Verdict]:
    """For each claim what it got, or why nothing.

    All of a claim or none of it (a partial one: what is left); a later, smaller one may still fit.
    What is taken leaves one movement per pool, under `reference`, the batch's own. A claim that is
    refused touches nothing.
    """
    require_transaction()
    condition = condition or _Nothing()
    pool_ids = {unit.pool_id for claim in claims for unit in claim.takes}
    with_limit = Pool.objects.filter(pk__in=pool_ids, per_user_limit__isnull=False)
    limited = {pk: limit or 0 for pk, limit in with_limit.values_list("pk", "per_user_limit")}
    held = limits.locked(
        [
            (unit.pool_id, claim.user_id)
            for claim in claims
            for unit in claim.takes
            if unit.pool_id in limited
        ]
    )
    condition.lock(claims)
    deciding = _Decision(
        list(Pool.objects.locked(pool_ids)), per_user=limited, held=held, condition=condition
    )
    verdicts = [deciding.claim(claim) for claim in claims]
    taken = [Take(pool_id, count) for pool_id, count in sorted(deciding.taken.items())]
    record(movement(Movement.TAKE, unit, reference) for unit in taken)
    limits.write(deciding.changed)
    condition.write(reference)
    for unit in taken:
        Pool.objects.filter(pk=unit.pool_id).update(
            available=F("available") - unit.count, taken=F("taken") + unit.count
        )
    return verdicts


class _Decision:
    """Which claims fit into locked pools, in the order in which they come. No database."""

    def __init__(
        self,
        pools: Iterable[Pool],
        *,
        per_user: Mapping[int, int],
        held: Mapping[limits.Holding, int],
        condition: Condition,
    ) -> None:
        self._pools = {pool.pk: pool for pool in pools}
        self._per_user = per_user
        self._held = dict(held)
        self._condition = condition
        self.taken: Counter[int] = Counter()
        # What users hold who got something.
        self.changed: dict[limits.Holding, int] = {}

    def claim(self, claim: Claim) -> Verdict:
        takes = [self._what_is_left(claim, unit) for unit in merged(claim.takes)]
        for unit in takes:
            if (refusal := self._refusal(claim.user_id, unit)) is not None:
                return refusal
        grant = Grant(
            [Granted(unit.pool_id, self._index(unit.pool_id), unit.count) for unit in takes]
        )
        if (no := self._condition.decide(claim, grant)) is not None:
            return no
        for unit in takes:
            self.taken[unit.pool_id] += unit.count
            if unit.pool_id in self._per_user:
                holding = unit.pool_id, claim.user_id
                self._held[holding] += unit.count
                self.changed[holding] = self._held[holding]
        return grant

    def _what_is_left(self, claim: Claim, unit: Take) -> Take:
        left = self._left(unit.pool_id)
        return Take(unit.pool_id, left) if claim.partial and 0 < left < unit.count else unit

    def _left(self, pool_id: int) -> int:
        return self._pools[pool_id].available - self.taken[pool_id]

    def _index(self, pool_id: int) -> int:
        return self._pools[pool_id].taken + self.taken[pool_id]

    def _refusal(self, user_id: int, unit: Take) -> No | None:
        pool = self._pools[unit.pool_id]
        if not pool.open:
            return Closed(pool.pk)
        limit = self._per_user.get(pool.pk)
        if limit is not None and self._held[pool.pk, user_id] + unit.count > limit:
            return LimitReached(pool.pk, limit)
        left = self._left(pool.pk)
        return Shortage(pool.pk, left) if left < unit.count else None
