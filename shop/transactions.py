"""The one way the shop writes: a whole outermost transaction, retried when the database says so.

MariaDB's lock wait timeout (1205) rolls back only the statement and a deadlock (1213) the whole
transaction behind Django's back, so neither may be caught inside: whoever catches there commits
half of the work. `run` retries outside, bounded and jittered, and then answers `Busy`.

A connection lost during COMMIT is a third outcome, neither success nor failure. The work is run
again: everything that is written through here is keyed by a unique column or moves a state on a
condition, so a second run finds what the first one left, and tells the truth.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)
from prometheus_client import Counter

from shop.errors import Busy, Refusal, Unavailable
from shop.failpoints import failpoint

T = TypeVar("T")

ATTEMPTS = 6
LOCK_WAIT_TIMEOUT = 1205
# Record has changed, lock wait timeout, deadlock, NOWAIT refused (MySQL 8).
CONTENTION = frozenset({1020, LOCK_WAIT_TIMEOUT, 1213, 3572})
# Gone away, lost during query, killed, server shutting down, can't connect (socket, TCP), lost
# (extended), too many connections.
LOST = frozenset({2002, 2003, 2006, 2013, 2055, 1927, 1053, 1040, 4031})
DUPLICATE = 1062

RETRIES = Counter("shop_transaction_retries", "Transactions run again, by why.", ["reason"])


def error_number(error: DatabaseError | InterfaceError) -> int | None:
    """The server's error number, None where the driver gives none (SQLite)."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, int) else None


def is_contention(error: Exception) -> bool:
    """Whether another transaction was in the way, so that the same work may succeed later."""
    if not isinstance(error, OperationalError):
        return False
    number = error_number(error)
    if number is None:
        return "locked" in str(error) or "busy" in str(error)
    return number in CONTENTION


def is_lost(error: Exception) -> bool:
    """Whether the connection is gone, so that nobody knows what became of the statement."""
    if isinstance(error, InterfaceError):
        return True
    return isinstance(error, OperationalError) and error_number(error) in LOST


def is_duplicate(error: IntegrityError) -> bool:
    """Whether a unique index refused (a CHECK and a foreign key are IntegrityErrors too)."""
    number = error_number(error)
    return number == DUPLICATE if number is not None else "UNIQUE constraint" in str(error)


def run(work: Callable[[], T]) -> T:
    """Runs `work` in a transaction of its own and commits; again, if contention undid it.

    `work` must start from the database alone (nothing carried over from a failed attempt) and
    must be safe to run again after a COMMIT whose answer was lost.

    Raises Busy when contention outlasted the attempts, Unavailable when the database is gone,
    RuntimeError when called inside a transaction, and whatever `work` raises.
    """

    def attempt() -> T:
        with transaction.atomic(durable=True):
            result = work()
            failpoint("commit.before")
        return result

    return _retried(attempt)


def run_statement(work: Callable[[], T]) -> T:
    """As `run`, for work that is a single statement: it is its own transaction and commits itself,
    which spares three round trips."""
    return _retried(work)


@contextmanager
def snapshot() -> Iterator[None]:
    """Reads only: all of them see one state of the database. Inside a transaction, that one's."""
    if connection.vendor == "mysql" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    with transaction.atomic():
        yield


def _retried(work: Callable[[], T]) -> T:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            result = work()
            failpoint("commit.after")
            return result
        except (OperationalError, InterfaceError) as error:
            refusal: Refusal
            if is_contention(error):
                refusal, reason = Busy(), "contention"
            elif is_lost(error):
                refusal, reason = Unavailable(), "lost"
                connection.close()
            else:
                raise
            if attempt == ATTEMPTS:
                raise refusal from error
            RETRIES.labels(reason).inc()
            # Full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015): 4 to 128 ms.
            time.sleep(random.uniform(0, 0.004 * 2**attempt))  # noqa: S311
    raise AssertionError("unreachable")
