"""What the doctor asks of Redis, the broker, workers and beat."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django_redis import get_redis_connection
from redis import Redis, RedisError

from shop.celery import app
from shop.health import broker as ask_broker
from shop.ops.examining import Asks, Line, examination, ok, problem, warning
from shop.ops.health import name_of
from shop.ops.rings import queues, silence

# Beat rings each queue every ten seconds.
SILENT_SECONDS = 60
ANSWER_SECONDS = 1.5
CONNECT_SECONDS = 2.0
# What a Redis is here for.
GATES, CACHE, BROKER = "gates", "cache", "broker"


@examination("redis")
def redis() -> Iterator[Line]:
    """Every Redis that the settings name, once, whatever it is for."""
    clients = _clients()
    if not clients:
        yield ok("redis", "There is none, and so no gate: the database refuses by itself.")
        return
    for role, client in clients.items():
        try:
            yield from _examined(role, client)
        except RedisError as error:
            says = f"It does not answer ({name_of(error)}): {_MISSED[role]}."
            # The shop does without a cache.
            found = warning if role == CACHE else problem
            yield found(f"redis.{role}", says, "Start it, and compare REDIS_URL and the like.")
    if {GATES, CACHE} <= clients.keys() and _place(clients[GATES]) == _place(clients[CACHE]):
        says = "Gates and cache are in one database: whoever empties the cache closes every gate."
        yield warning("redis.apart", says, "Give gates their own: GATE_REDIS_URL.")


@examination("broker")
def broker() -> Iterator[Line]:
    try:
        ask_broker()
    except Exception as error:  # noqa: BLE001  every transport has its own
        says = (
            f"It takes no message ({name_of(error)}): what is queued waits for beat, or for ever."
        )
        yield problem("broker", says, "Start it, and compare CELERY_BROKER_URL.")
    else:
        yield ok("broker", "It takes messages.")


@examination("workers")
def workers() -> Iterator[Line]:
    """Who listens to each queue. Where workers can't be asked, what they heard tells of them."""
    if not getattr(settings, "CELERY_WORKER_ENABLE_REMOTE_CONTROL", True):
        return
    try:
        answers = app.control.inspect(timeout=ANSWER_SECONDS).active_queues() or {}
    except Exception as error:  # noqa: BLE001  every transport has its own
        says = f"Workers can't be asked ({name_of(error)})."
        yield warning("workers", says, "Mend the broker first.")
        return
    for queue in queues():
        names = sorted(
            worker for worker, heard in answers.items() if queue in {one["name"] for one in heard}
        )
        if names:
            yield ok(f"workers.{queue}", f"Served by {', '.join(names)}.")
        else:
            says = f"No worker serves the queue `{queue}`: {_UNDONE.get(queue, _UNDONE_ELSE)}."
            do = f"Start one: `celery -A shop.celery worker --queues {queue}`."
            yield problem(f"workers.{queue}", says, do)


@examination("beat", asks=Asks.TABLES)
def beat() -> Iterator[Line]:
    """How long ago each queue last heard beat: beat, the broker and a worker have to do with it."""
    for queue, seconds in silence().items():
        if seconds is not None and seconds <= SILENT_SECONDS:
            yield ok(f"beat.{queue}", f"Rang {seconds:.0f} s ago in `{queue}`, and was heard.")
            continue
        since = "has never been heard" if seconds is None else f"was last heard {seconds:.0f} s ago"
        says = f"Beat {since} in `{queue}`: {_UNDONE.get(queue, _UNDONE_ELSE)}."
        do = f"See that beat (one) and a worker of `{queue}` are running, and look into their logs."
        if seconds is None:
            do = f"If they were started in the last minute, ask again. Else: {do}"
        yield problem(f"beat.{queue}", says, do)


_MISSED = {
    GATES: "sales that have a gate are refused as `unavailable`",
    CACHE: "what it spares the database is asked there",
    BROKER: "nothing is told to workers",
}
_UNDONE = {
    "drains": "queued orders stay pending",
    "sweepers": "nothing expires, is drawn, paid back or told",
}
_UNDONE_ELSE = "what is old is not cleared away"


def _clients() -> dict[str, Redis]:
    clients: dict[str, Redis] = {}
    if "gates" in settings.CACHES:
        clients[GATES] = get_redis_connection("gates")
    if "gates" in settings.CACHES and "default" in settings.CACHES:
        clients[CACHE] = get_redis_connection("default")
    if settings.CELERY_BROKER_URL.startswith(("redis://", "rediss://")):
        clients[BROKER] = Redis.from_url(
            settings.CELERY_BROKER_URL,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=CONNECT_SECONDS,
        )
    return clients


def _examined(role: str, client: Redis) -> Iterator[Line]:
    told: dict[str, Any] = client.info()
    yield ok(f"redis.{role}", f"Redis {told['redis_version']} answers, for the {role}.")
    # A cache may forget; a gate that does is closed until it is rebuilt, a queue loses its bells.
    if role != CACHE:
        yield _eviction(role, str(told.get("maxmemory_policy", "")))
        yield _persistence(role, told)


def _eviction(role: str, policy: str) -> Line:
    if policy == "noeviction":
        return ok(f"redis.{role}.eviction", "It forgets nothing by itself (noeviction).")
    says = f"maxmemory-policy is {policy}: full, it forgets {role} in the middle of a rush."
    return problem(f"redis.{role}.eviction", says, "Set `maxmemory-policy noeviction`.")


def _persistence(role: str, told: dict[str, Any]) -> Line:
    name = f"redis.{role}.persistence"
    if told.get("rdb_last_bgsave_status") == "err" or told.get("aof_last_write_status") == "err":
        says = "It could not save to its disk, and may refuse every write until it can."
        return problem(name, says, "Look at its log and its disk's free space.")
    if told.get("loading"):
        return warning(name, "It is still loading from its disk.", "Wait.")
    kept = "appends to a file" if told.get("aof_enabled") else "keeps what snapshots it takes"
    return ok(name, f"It {kept}; whatever it loses, the database has.")


def _place(client: Redis) -> tuple[Any, ...]:
    at = client.connection_pool.connection_kwargs
    return at.get("host"), at.get("port"), at.get("path"), at.get("db") or 0
