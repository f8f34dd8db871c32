"""What a request sends to the database and to Redis, by their own logs, not by our idea of it."""

import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import redis
from django.conf import settings
from django.db import connection

from goods.models import Sku

# Requests until one is served through a connection that the web processes had before.
CONNECTION_ATTEMPTS = 200
# What a process that places orders sends and no other does.
PLACES_ORDERS = "INSERT INTO `orders_order` "

_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextmanager
def _statement_log() -> Iterator[Callable[[], list[tuple[int, str, str]]]]:
    """Yields what reads the log: (connection, kind, statement) in order, but for our own."""

    def read() -> list[tuple[int, str, str]]:
        cursor.execute("SET GLOBAL general_log = OFF")
        cursor.execute(
            "SELECT thread_id, command_type, CONVERT(argument USING utf8mb4)"
            " FROM mysql.general_log WHERE thread_id <> CONNECTION_ID() ORDER BY event_time"
        )
        return [(int(thread), str(kind), str(text)) for thread, kind, text in cursor.fetchall()]

    with connection.cursor() as cursor:
        cursor.execute("SET GLOBAL log_output = 'TABLE'")
        cursor.execute("TRUNCATE mysql.general_log")
        cursor.execute("SET GLOBAL general_log = ON")
        try:
            yield read
        finally:
            cursor.execute("SET GLOBAL general_log = OFF")


def checkout_statements(base: str, *, shoppers: Path, sku: Sku) -> list[str]:
    """Everything that one checkout sends to the database, in order.

    Asks again while the request is served through a connection made for it.
    """
    token, address = shoppers.read_text().splitlines()[0].split()
    for _ in range(CONNECTION_ATTEMPTS):
        with _statement_log() as read:
            _order(base, token=token, address=int(address), sku_id=sku.pk)
            log = read()
        if "Connect" not in {kind for _, kind, _ in log}:
            return [text for _, _, text in log]
    raise RuntimeError("the web processes made a new connection for every request")


def _order(base: str, *, token: str, address: int, sku_id: int) -> None:
    request = urllib.request.Request(  # noqa: S310
        f"{base}/api/v1/orders",
        data=f'{{"items":[{{"sku":{sku_id},"count":1}}],"address":{address}}}'.encode(),
        headers={
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Idempotency-Key": uuid4().hex,
        },
    )
    with _http.open(request, timeout=10) as answer:
        answer.read()


@dataclass(frozen=True, slots=True)
class Sent:
    """Statements of the connections that placed something, of all others, and calls of Redis."""

    web_statements: int
    other_statements: int
    redis_calls: int


def sent_during(work: Callable[[], None], *, places: str) -> Sent:
    """What everybody but this process sends while `work` is done. `places`: how a statement begins
    that only processes send which place what `work` asks for."""
    with _redis_calls() as calls, _statement_log() as read:
        work()
        log = read()
    web = {thread for thread, _, text in log if text.startswith(places)}
    statements = [thread for thread, kind, _ in log if kind in ("Query", "Execute")]
    from_web = sum(thread in web for thread in statements)
    return Sent(from_web, len(statements) - from_web, calls())


@contextmanager
def _redis_calls() -> Iterator[Callable[[], int]]:
    """Yields what tells how many calls of clients Redis has carried out since; what a script calls
    is part of the script."""
    client = redis.Redis.from_url(settings.CACHES["gates"]["LOCATION"])
    end = uuid4().hex
    seen: list[str] = []

    def watch(monitor: "redis.client.Monitor") -> None:
        for command in monitor.listen():  # type: ignore[no-untyped-call]
            if end in command["command"]:
                return
            if command["client_type"] != "lua":
                seen.append(command["command"])

    with client.monitor() as monitor:  # type: ignore[no-untyped-call]
        watcher = threading.Thread(target=watch, args=(monitor,), daemon=True)
        watcher.start()

        def stop() -> int:
            if watcher.is_alive():
                client.echo(end)
                watcher.join()
            return len(seen)

        try:
            yield stop
        finally:
            stop()
            client.close()
