"""What the shop itself stands on, as checks of `shop.ops.health`: database, broker, Redis."""

import tempfile
import time

from django.conf import settings
from django.db import connection
from kombu import Connection

from shop.celery import app
from shop.ops.health import Figures, register

CONNECT_SECONDS = 1.0
# Not every shop has one.
REDIS_URL: str = getattr(settings, "REDIS_URL", "")
# Seconds since 1970 by the database's own clock.
CLOCK = {
    "mysql": "SELECT UNIX_TIMESTAMP(CURRENT_TIMESTAMP(6))",
    "sqlite": "SELECT (julianday('now') - 2440587.5) * 86400",
}


def database() -> Figures:
    """`clock_skew_ms`: how far the database's clock is ahead of this process's."""
    with connection.cursor() as cursor:
        asked = time.time()
        cursor.execute(CLOCK[connection.vendor])
        told = float(cursor.fetchone()[0])
        answered = time.time()
    return {"clock_skew_ms": round((told - (asked + answered) / 2) * 1000)}


def broker() -> Figures:
    """Whether a message could be sent: connected, or the folder of messages written to."""
    server = app.connection_for_write(connect_timeout=CONNECT_SECONDS)
    if server.transport.driver_type == "filesystem":
        with tempfile.TemporaryFile(dir=server.transport_options["data_folder_out"]) as file:
            file.write(b"ring")
    else:
        _connect(server)
    return {}


def redis() -> Figures:
    """Whether Redis answers a PING, which is how kombu connects to one."""
    _connect(Connection(REDIS_URL, connect_timeout=CONNECT_SECONDS))
    return {}


def _connect(server: Connection) -> None:
    with server:
        server.ensure_connection(max_retries=1, interval_start=0, interval_step=0)


register("database", database)
register("broker", broker)
if REDIS_URL:
    register("redis", redis)
