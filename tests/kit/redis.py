"""A gate's Redis for tests: the shop's own, emptied, or one of the test's that may be harmed."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.test import override_settings

from deploy.local.servers import Redis
from settings.redis import GATE_TIMEOUT_SECONDS, redis_caches
from shop.pools import gate

# Seconds: however crowded the machine is, a Redis that answers is heard.
PATIENT = 30.0


def forget_connections() -> None:
    """Lets this process look anew where the gates are, and whether they answer."""
    gate._client.cache_clear()
    gate.script.cache_clear()
    gate._lines = gate._Lines()
    gate._down.until = 0.0


@contextmanager
def gates_in(server: Redis, *, timeout: float = PATIENT) -> Iterator[None]:
    """Inside, gates are in `server`, which is waited for so many seconds."""
    # Connections are kept by address: one for each time-out.
    url = f"{server.env()['GATE_REDIS_URL']}?socket_timeout={timeout}"
    caches = redis_caches(gates=url, cache=settings.REDIS_URL, gate_timeout=timeout)
    with override_settings(CACHES=caches):
        forget_connections()
        try:
            yield
        finally:
            forget_connections()


@contextmanager
def own_redis(folder: Path) -> Iterator[Redis]:
    """Inside, gates are in a Redis that nobody else uses; empty after `kill` and `start`."""
    with Redis(folder) as server, gates_in(server):
        yield server


@contextmanager
def hung(server: Redis) -> Iterator[None]:
    """Inside, gates are in a Redis that is `stopped`, with the shop's own time-outs."""
    with gates_in(server, timeout=GATE_TIMEOUT_SECONDS), stopped(server):
        yield


@contextmanager
def stopped(server: Redis) -> Iterator[None]:
    """Inside, it takes connections and requests, and answers none: SIGSTOP."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)
