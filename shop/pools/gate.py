"""The gate: Redis in front of a pool, which says no before the database hears of a request.

It is a shield and never decides a sale: whoever passes still takes in the database. What it counts
may be lost or wrong at any moment; `shop.pools.gatekeeping` rebuilds and corrects it. All keys of a
pool share one hash tag, and each call is one script, so it works the same on a Redis Cluster.

Where Redis is slow, gone, full or wiped, `admit` raises Unavailable, and for a moment further
requests of this process do not even ask. Giving back is best effort: the correction does the rest.
"""

import hashlib
import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django_redis import get_redis_connection
from prometheus_client import Counter
from redis import RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError

from shop.errors import Unavailable
from shop.pools.models import Pool

logger = logging.getLogger(__name__)

ALIAS = "gates"
SCRIPTS = Path(__file__).with_name("scripts")
# Seconds that this process does not ask a Redis that has just failed it.
DOWN_SECONDS = 0.5
# How long (seconds) the gate of a closed pool still answers.
FADE_SECONDS = 60

REFUSALS = Counter("shop_gate_refusals", "Requests that gates did not admit, by why.", ["verdict"])


class Verdict(StrEnum):
    """What a gate says to one request."""

    ADMITTED = "admitted"  # units are taken off, the key is remembered
    KNOWN = "known"  # a repeat of a request that was admitted before
    COLD = "cold"  # it knows nothing until it is rebuilt
    PAUSED = "paused"
    NOT_STARTED = "not_started"
    ENDED = "ended"
    RATE_LIMITED = "rate_limited"
    PURCHASE_LIMIT = "purchase_limit"
    SOLD_OUT = "sold_out"  # fewer remain than are wanted


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict, Redis's clock (seconds since 1970), and a figure: what remains, the limit, or the
    microseconds until a rate window has room again."""

    verdict: Verdict
    at: float
    figure: int


@dataclass(frozen=True, slots=True)
class Request:
    """Who is at the gate of which pool, for how many units, with which idempotency key.

    `told`: how many others this process has told from memory, since it asked last, that nothing is
    left; the gate tallies them with its own."""

    pool_id: int
    user_id: int
    count: int
    key: str
    address: str = ""
    told: int = 0

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.user_id, self.key)


def fingerprint(user_id: int, key: str) -> str:
    """What the gate remembers of a user's key: 64 bits. A collision would let one request pass
    without being counted, which the database then decides."""
    return hashlib.blake2b(f"{user_id}:{key}".encode(), digest_size=8).hexdigest()


def names(pool_id: int, *parts: str) -> list[str]:
    """The Redis keys of a pool's gate: its counters first."""
    return [f"{{pool:{pool_id}}}:{part}" for part in ("gate", *parts)]


def configured() -> bool:
    """Whether this shop has a Redis for gates."""
    return ALIAS in settings.CACHES


def client() -> Any:
    """The connection pool of this process. Raises Unavailable while Redis is known to be down."""
    if time.monotonic() < _down.until:
        raise Unavailable
    return _client()


@cache
def _client() -> Any:
    return get_redis_connection(ALIAS)


@cache
def script(name: str) -> Any:
    """A script of `scripts/`: called by its hash, loaded where the server does not know it."""
    return _client().register_script((SCRIPTS / f"{name}.lua").read_text())


class _Lines(threading.local):
    """This thread's own connection to a single Redis.

    The client's way of running a command (pool, hooks, retries, statistics) costs several times
    the command itself, on the path of every shopper. A cluster's client knows which node to ask,
    so there the usual way is taken.
    """

    def __init__(self) -> None:
        self._connection: Any = None
        self._pid = 0

    def call(self, code: Any, keys: list[str], arguments: list[Any]) -> Any:
        """Runs a script; once more on a new connection where the old one is of a server that is
        gone. Raises RedisError."""
        pool = getattr(_client(), "connection_pool", None)
        if pool is None:
            return code(keys, arguments)
        if self._pid != os.getpid():  # a child must not speak on its parent's connection
            # Not one of the pool's, which are counted: threads come and go, and no dead one gives
            # its own back.
            self._connection = pool.connection_class(**pool.connection_kwargs)
            self._pid = os.getpid()
        for last in (False, True):
            try:
                return self._ask(code.sha, keys, arguments)
            except NoScriptError:
                return code(keys, arguments)
            except RedisConnectionError:
                if last:
                    raise
        raise AssertionError("unreachable")

    def _ask(self, sha: str, keys: list[str], arguments: list[Any]) -> Any:
        try:
            self._connection.send_command("EVALSHA", sha, len(keys), *keys, *arguments)
            return self._connection.read_response()
        except ResponseError:
            raise
        except BaseException:
            # What is left on the line would be taken for the next answer.
            self._connection.disconnect()
            raise


_lines = _Lines()


class _Down:
    until = 0.0


_down = _Down()


def failed(error: RedisError) -> None:
    """Notes that Redis did not answer, so that the next requests do not wait for it."""
    if time.monotonic() >= _down.until:
        logger.warning("gate: Redis failed: %s", type(error).__name__)
    _down.until = time.monotonic() + DOWN_SECONDS


def admit(request: Request) -> Answer:
    """Asks the gate once. Raises Unavailable when Redis does not answer."""
    client()
    keys = names(
        request.pool_id,
        "users",
        "keys",
        f"rate:user:{request.user_id}",
        f"rate:address:{request.address}",
        "rate:all",
    )
    try:
        verdict, at, figure = _lines.call(
            script("admit"),
            keys,
            [request.user_id, request.count, request.fingerprint, request.told],
        )
    except RedisError as error:
        failed(error)
        raise Unavailable from error
    answer = Answer(Verdict(verdict.decode()), at / 1e6, figure)
    if answer.verdict is not Verdict.ADMITTED:
        REFUSALS.labels(answer.verdict).inc()
    return answer


def release(request: Request) -> None:
    """The database said no to an admitted request and stored nothing of it. Best effort; never call
    it when nobody knows what the database did."""
    _try("release", request.pool_id, [request.user_id, request.count, request.fingerprint])


def give_back_after_commit(returned: Mapping[tuple[int, int], int]) -> None:
    """Tells gates, once the transaction is committed, of units that came back: (pool, user) ->
    units. Keys stay known: a repeat of what was returned is still a repeat."""
    _tell_after_commit(returned)


def hold_after_commit(held: Mapping[tuple[int, int], int]) -> None:
    """Tells gates, once the transaction is committed, of units that somebody waits for again:
    (pool, user) -> units. Others can't have them meanwhile."""
    _tell_after_commit({holding: -count for holding, count in held.items()})


def _tell_after_commit(returned: Mapping[tuple[int, int], int]) -> None:
    if not configured():
        return
    by_pool: dict[int, dict[int, int]] = {}
    for (pool_id, user_id), count in returned.items():
        by_pool.setdefault(pool_id, {})[user_id] = count
    gated = Pool.objects.filter(pk__in=by_pool, gated=True).values_list("pk", flat=True)
    for pool_id in gated:
        transaction.on_commit(partial(raise_by, pool_id, users=by_pool[pool_id]), robust=True)


def raise_by(pool_id: int, *, units: int = 0, users: Mapping[int, int] | None = None) -> None:
    """Units that can be had again: `units` that nobody held, and those of `users`. Best effort."""
    arguments: list[Any] = ["", "", units + sum((users or {}).values())]
    for user_id, count in (users or {}).items():
        arguments += [user_id, -count]
    _try("change", pool_id, arguments, "users", "look")


def fade(pool_id: int) -> None:
    """Lets the gate of a closed pool be forgotten, once nobody can be on the way to it. Best
    effort."""
    try:
        for key in names(pool_id, "users", "keys", "look"):
            client().expire(key, FADE_SECONDS)
    except Unavailable:
        pass
    except RedisError as error:
        failed(error)


def _try(name: str, pool_id: int, arguments: list[Any], *parts: str) -> None:
    try:
        client()
        script(name)(names(pool_id, *(parts or ("users", "keys"))), arguments)
    except Unavailable:
        pass
    except RedisError as error:
        failed(error)
