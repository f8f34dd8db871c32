"""Pools with gates, and no app behind them: what the gate of any kind of pool does."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from shop.pools import gate, gatekeeping
from shop.pools.gate import Answer, Request, Verdict
from shop.pools.kinds import GateTerms, pool_kinds
from shop.pools.models import Pool
from tests.kit.units import make_pool

_keys = count(1)


@dataclass(slots=True)
class Kind:
    """`shop.pools.kinds.PoolKind` of pools made by tests: what it is asked stands here."""

    terms: dict[int, GateTerms] = field(default_factory=dict)
    waiting: dict[int, Mapping[int, int]] = field(default_factory=dict)
    created: dict[int, list[tuple[int, str]]] = field(default_factory=dict)

    def gate_terms(self, pool_id: int) -> GateTerms:
        return self.terms[pool_id]

    def pending(self, pool_id: int) -> Mapping[int, int]:
        return self.waiting.get(pool_id, {})

    def keys(self, pool_id: int) -> Iterable[tuple[int, str]]:
        return self.created.get(pool_id, [])


@contextmanager
def kind_of_tests() -> Iterator[Kind]:
    """Inside, pools of `make_pool` may have gates."""
    kind = pool_kinds["test"] = Kind()
    try:
        yield kind
    finally:
        del pool_kinds["test"]


def terms_of(**terms: Any) -> GateTerms:
    """Open since an hour ago and for another, to everybody; `terms`: what is different."""
    now = timezone.now()
    hour = timedelta(hours=1)
    return replace(GateTerms(now - hour, now + hour, paused=False, per_user_limit=None), **terms)


def gated_pool(kind: Kind, stock: int, **terms: Any) -> Pool:
    """A pool with a gate that is open."""
    pool = make_pool(stock, per_user_limit=terms.get("per_user_limit"))
    Pool.objects.filter(pk=pool.pk).update(gated=True)
    kind.terms[pool.pk] = terms_of(**terms)
    assert gatekeeping.rebuild(pool.pk)
    return pool


def request_of(
    pool: Pool, user_id: int = 1, *, count: int = 1, key: str = "", address: str = "192.0.2.1"
) -> Request:
    """Somebody at the gate, with a key of their own unless `key` says which."""
    return Request(pool.pk, user_id, count, key or f"key-{next(_keys)}", address)


def admit(pool: Pool, user_id: int = 1, **options: Any) -> Answer:
    return gate.admit(request_of(pool, user_id, **options))


def verdict(pool: Pool, user_id: int = 1, **options: Any) -> Verdict:
    return admit(pool, user_id, **options).verdict


def remaining(pool: Pool) -> int:
    """What the gate says that is left."""
    return gatekeeping.figures(pool.pk)["remaining"]


def users_of(pool: Pool) -> dict[int, int]:
    """What the gate says that users hold."""
    _, users = gate.names(pool.pk, "users")
    return {int(user): int(units) for user, units in gate.client().hgetall(users).items()}


def wipe(pool: Pool) -> None:
    """Redis loses all that it knows of the pool."""
    for key in keys_of(pool):
        gate.client().delete(key)


def keys_of(pool: Pool) -> list[str]:
    """The names of all that Redis keeps of a pool."""
    found = gate.client().keys(f"{{pool:{pool.pk}}}:*")
    return sorted(key.decode() for key in found)
