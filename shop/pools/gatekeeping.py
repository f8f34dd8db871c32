"""Keeping gates right: rebuilt from the database when they are cold, corrected when they drift.

A request is at the gate first and in the database a moment later, so the two are never quite equal
while a sale runs. That is why a drift counts only when two looks some seconds apart agree on its
sign; then the smaller of the two is corrected, up or down, per-user counts too.

Keys are not corrected. A request that died on its way has left its units off and its key known;
once the units are corrected, a repeat passes by its key and is counted by the next two looks.
"""

import json
import logging
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext
from redis import RedisError

from shop.errors import Ended, Invalid, Unavailable
from shop.failpoints import failpoint
from shop.pools import gate
from shop.pools.kinds import GateTerms, PoolKind, Rate, pool_kinds
from shop.pools.models import Pool, PoolUser
from shop.transactions import snapshot

logger = logging.getLogger(__name__)

# Keys and users sent in one command.
STEP = 5_000
# What is prepared beside a gate is forgotten after this long (seconds), should we die over it.
PREPARED_SECONDS = 120
# Two looks must be this far apart (seconds) to agree on a drift.
LOOK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Books:
    """What the database says a gate should hold: units that remain, and units by user (empty where
    no limit holds)."""

    remaining: int
    users: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Look:
    """How far a gate was from its books at `at` (seconds, Redis's clock): units too few (negative:
    too many). `since`: the first look that saw it like this."""

    at: float
    since: float
    remaining: int
    users: Mapping[int, int] = field(default_factory=dict)

    @property
    def drifts(self) -> bool:
        return bool(self.remaining or self.users)


def rebuild(pool_id: int, *, force: bool = False) -> bool:
    """Opens the gate of an open, gated pool as the database says it should be; a warm one by
    `force`.

    Requests and drains may go on meanwhile. Returns whether it was rebuilt. Raises RedisError,
    Unavailable, Pool.DoesNotExist.
    """
    redis = gate.client()
    counters, users, keys, look = gate.names(pool_id, "users", "keys", "look")
    if not force and redis.exists(counters):
        return False
    prepared = uuid.uuid4().hex
    _, new_users, new_keys = gate.names(pool_id, f"users:{prepared}", f"keys:{prepared}")
    with snapshot():
        pool = Pool.objects.get(pk=pool_id)
        if not (pool.open and pool.gated):
            return False
        kind = pool_kinds[pool.kind]
        terms = kind.gate_terms(pool_id)
        books = _books(pool, kind, terms)
        for step in _steps(books.users.items()):
            redis.hset(new_users, mapping=dict(step))
            redis.expire(new_users, PREPARED_SECONDS)
        for step in _steps(kind.keys(pool_id)):
            redis.sadd(new_keys, *(gate.fingerprint(user_id, key) for user_id, key in step))
            redis.expire(new_keys, PREPARED_SECONDS)
    failpoint("gate.rebuild")
    opened = gate.script("open")(
        [counters, users, keys, look, new_users, new_keys],
        [int(force), "remaining", books.remaining, *_fields(terms)],
    )
    # Other terms while we read: whoever set them has told the gate that was there before.
    if opened:
        apply_terms(pool_id)
    # Closed, or its gate switched off, while we read: whoever did that has let the gate fade that
    # was there before.
    if not Pool.objects.filter(pk=pool_id, open=True, gated=True).exists():
        gate.fade(pool_id)
    return bool(opened)


def reopen(pool_id: int) -> bool:
    """Rebuilds a gate whatever it says now. Returns and raises as `rebuild`."""
    return rebuild(pool_id, force=True)


def reopen_by_hand(pool: Pool) -> None:
    """As `reopen`, for somebody who wants to know. Raises Invalid for a pool without a gate, Ended
    for one that is closed, Unavailable."""
    if not pool.gated:
        raise Invalid.field("gated", gettext("There is no gate to rebuild."))
    try:
        rebuilt = reopen(pool.pk)
    except RedisError as error:
        raise Unavailable from error
    if not rebuilt:
        raise Ended


def quietly(keep: Callable[[int], object], pool: Pool) -> None:
    """Keeps the gate of a pool that has one by now. What is committed stands, whether or not Redis
    hears of it; the correction tells it again."""
    if not Pool.objects.filter(pk=pool.pk, gated=True).exists():
        return
    try:
        keep(pool.pk)
    except (RedisError, Unavailable) as error:
        logger.warning("gate of pool %s was not told: %s", pool.pk, type(error).__name__)


def apply_terms(pool_id: int) -> None:
    """Tells an open gate its terms as they stand now. Raises RedisError, Unavailable."""
    kind, told = _kind(pool_id), None
    # Read again after telling: of several that tell at once, the last one tells the latest.
    while (terms := kind.gate_terms(pool_id)) != told:
        gate.client()
        gate.script("terms")(gate.names(pool_id), _fields(terms))
        told = terms


def correct(pool_id: int) -> Look:
    """Looks at one gate; rebuilds it when it is cold, tells it its terms, which it may not have
    heard, and corrects it by what two looks agree on.

    Returns how far it is off now. Raises RedisError, Unavailable, Pool.DoesNotExist.
    """
    if rebuild(pool_id):
        return Look(_now(), _now(), 0)
    apply_terms(pool_id)
    seen, last, text = _look(pool_id)
    if last is None:
        _change(pool_id, "", seen)
        return seen
    if seen.at - last.at < LOOK_SECONDS:
        return seen
    remaining = _agreed(last.remaining, seen.remaining)
    users = {
        user_id: agreed
        for user_id, drift in seen.users.items()
        if (agreed := _agreed(last.users.get(user_id, 0), drift))
    }
    left = Look(
        seen.at,
        seen.since,
        seen.remaining - remaining,
        {
            user_id: drift - users.get(user_id, 0)
            for user_id, drift in seen.users.items()
            if drift != users.get(user_id, 0)
        },
    )
    _change(pool_id, text, left, remaining=remaining, users=users)
    return left


def look(pool_id: int) -> Look | None:
    """How far a gate is from its books now, with `since` by the corrector's looks; None: cold."""
    if not gate.client().exists(*gate.names(pool_id)):
        return None
    return _look(pool_id)[0]


def last_look(pool_id: int) -> Look | None:
    """What the corrector saw last of a gate, which it looks at every few seconds: one read of
    Redis, none of the database; None: cold. Raises RedisError, Unavailable."""
    text = gate.client().get(gate.names(pool_id, "look")[1])
    return _parsed(text.decode()) if text else None


def figures(pool_id: int) -> Mapping[str, int]:
    """What the gate itself says: `remaining` and `users`; empty when it is cold."""
    counters, users = gate.names(pool_id, "users")
    redis = gate.client()
    remaining = redis.hget(counters, "remaining")
    return {} if remaining is None else {"remaining": int(remaining), "users": redis.hlen(users)}


def _look(pool_id: int) -> tuple[Look, Look | None, str]:
    """This look, the last one, and the text that the last one is stored as."""
    redis = gate.client()
    counters, users, stored = gate.names(pool_id, "users", "look")
    remaining = int(redis.hget(counters, "remaining") or 0)
    held = {int(user): int(units) for user, units in redis.hgetall(users).items()}
    with snapshot():
        pool = Pool.objects.get(pk=pool_id)
        kind = pool_kinds[pool.kind]
        books = _books(pool, kind, kind.gate_terms(pool_id))
    text = (redis.get(stored) or b"").decode()
    last = _parsed(text) if text else None
    drift = books.remaining - remaining
    users_drift = {
        user_id: books.users.get(user_id, 0) - held.get(user_id, 0)
        for user_id in books.users.keys() | held.keys()
        if books.users.get(user_id, 0) != held.get(user_id, 0)
    }
    now = _now()
    same = last is not None and (
        _agreed(last.remaining, drift) or any(user in last.users for user in users_drift)
    )
    return Look(now, last.since if same and last else now, drift, users_drift), last, text


def _books(pool: Pool, kind: PoolKind, terms: GateTerms) -> Books:
    pending = kind.pending(pool.pk)
    users: Counter[int] = Counter()
    if terms.per_user_limit is not None:
        users.update(pending)
        rows = PoolUser.objects.filter(pool_id=pool.pk, taken__gt=0)
        for user_id, taken in rows.values_list("user_id", "taken"):
            users[user_id] += taken
    available = pool.available if pool.open else 0
    return Books(available - sum(pending.values()), users)


def _change(
    pool_id: int,
    last: str,
    new: Look,
    *,
    remaining: int = 0,
    users: Mapping[int, int] | None = None,
) -> None:
    """Corrects by these units, unless somebody else has looked in between."""
    arguments: list[Any] = [last, _text(new), remaining]
    for user_id, units in (users or {}).items():
        arguments += [user_id, units]
    gate.script("change")(gate.names(pool_id, "users", "look"), arguments)


def _agreed(one: int, other: int) -> int:
    """The smaller of two drifts of the same sign, else 0."""
    if one * other <= 0:
        return 0
    return min(one, other, key=abs)


def _fields(terms: GateTerms) -> list[Any]:
    fields: dict[str, Any] = {
        "opens": int(terms.opens_at.timestamp() * 1e6),
        "closes": int(terms.closes_at.timestamp() * 1e6),
        "paused": int(terms.paused),
    }
    if terms.per_user_limit is not None:
        fields["limit"] = terms.per_user_limit
    rates = {"user": terms.user_rate, "address": terms.address_rate, "all": terms.all_rate}
    for name, rate in rates.items():
        if rate is not None:
            fields |= _rate(name, rate)
    return [part for pair in fields.items() for part in pair]


def _rate(name: str, rate: Rate) -> dict[str, int]:
    return {f"{name}_rate": rate.count, f"{name}_window": rate.seconds * 1_000_000}


def _text(look: Look) -> str:
    return json.dumps([look.at, look.since, look.remaining, dict(look.users)])


def _parsed(text: str) -> Look:
    at, since, remaining, users = json.loads(text)
    return Look(at, since, remaining, {int(user): units for user, units in users.items()})


def _kind(pool_id: int) -> PoolKind:
    return pool_kinds[Pool.objects.values_list("kind", flat=True).get(pk=pool_id)]


def _now() -> float:
    seconds, microseconds = gate.client().time()
    return float(seconds + microseconds / 1e6)


def _steps(items: Any) -> Iterator[list[Any]]:
    step: list[Any] = []
    for item in items:
        step.append(item)
        if len(step) == STEP:
            yield step
            step = []
    if step:
        yield step
