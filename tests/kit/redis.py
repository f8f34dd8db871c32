"""A gate's Redis for tests: the shop's own, emptied, or one of the test's that may be harmed."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.test import override_settings

from deploy.local.servers import Redis
from settings.redis import redis_caches
from shop.pools import gate


def forget_connections() -> None:
    """Lets this process look anew where the gates are, and whether they answer."""
    gate._client.cache_clear()
    gate.script.cache_clear()
    gate._lines = gate._Lines()
    gate._down.until = 0.0


@contextmanager
def gates_in(server: Redis) -> Iterator[None]:
    """Inside, gates are in `server`, with the shop's own time-outs."""
    url = server.env()["GATE_REDIS_URL"]
    with override_settings(CACHES=redis_caches(gates=url, cache=settings.REDIS_URL)):
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
def stopped(server: Redis) -> Iterator[None]:
    """Inside, it takes connections and requests, and answers none: SIGSTOP."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)
