"""Pools with gates: of tests, with no app behind them, and of sales; and hands that spoil them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.utils import timezone

from goods.sales.models import FlashSale
from shop.accounts.models import User
from shop.pools import gate, gatekeeping
from shop.pools.gate import Answer, Request, Verdict
from shop.pools.kinds import GateTerms, pool_kinds
from shop.pools.models import Pool
from tests.factories import make_sale
from tests.kit.doors import Door, Reply
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


def in_step(pool: Pool) -> bool:
    """Whether the gate is warm and equals the database."""
    seen = gatekeeping.look(pool.pk)
    return seen is not None and not seen.drifts


def spoil(pool: Pool, *, by: int = 0, users: Mapping[int, int] | None = None) -> None:
    """Somebody changes what the gate counts: what remains, and what users hold."""
    counters, held = gate.names(pool.pk, "users")
    gate.client().hincrby(counters, "remaining", by)
    for user, units in (users or {}).items():
        if gate.client().hincrby(held, user, units) == 0:
            gate.client().hdel(held, user)


def stored_look(pool: Pool) -> list[Any] | None:
    """The last look of the corrector: [at, since, remaining, users]."""
    *_, key = gate.names(pool.pk, "look")
    text = gate.client().get(key)
    return json.loads(text) if text else None


def let_pass(pool: Pool, seconds: float = gatekeeping.LOOK_SECONDS) -> None:
    """Moves the corrector's last look back in time, as waiting would."""
    *_, key = gate.names(pool.pk, "look")
    at, since, left, users = stored_look(pool) or pytest.fail("nobody has looked")
    gate.client().set(key, json.dumps([at - seconds, since - seconds, left, users]), ex=60)


def let_correct(pool: Pool) -> None:
    """What beat does in half a minute: opens a cold gate, corrects what two looks agree on."""
    for _ in range(2):
        gatekeeping.correct(pool.pk)
        if stored_look(pool):
            let_pass(pool)


# --- sales behind gates

DOOR = Door(front=True)


def gated_sale(total: int = 10, **terms: Any) -> FlashSale:
    return make_sale(total=total, gated=True, **{"per_user_limit": 2} | terms)


def buys(sale: FlashSale, user: User, *, key: str = "", count: int = 1) -> Reply:
    return DOOR.post(user, sale.pk, {"count": count}, key=key)
