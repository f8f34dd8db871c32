"""What negative controls are made of: two who meet where one should have waited, the last line of
defence switched off, and what the database had to break up."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


# Seconds: both come, however slow this machine is; or one of them can't, and is soon given up.
BOTH_COME, ONE_CANT_COME = 120.0, 0.3


class Appointment:
    """Two who are both there, once. `seconds`: how long the first waits; who waits for the other's
    lock can't come."""

    def __init__(self, *, seconds: float = BOTH_COME) -> None:
        self.seconds = seconds
        self._both = threading.Barrier(2)
        self._is_over = False

    def keep(self) -> None:
        if self._is_over:
            return
        with suppress(threading.BrokenBarrierError):
            self._both.wait(self.seconds)
        self._is_over = True


@contextmanager
def checks_off() -> Iterator[None]:
    """The CHECKs of this session taken away, as a bug in the database or a hand in it would."""
    off, on = {
        "sqlite": ("PRAGMA ignore_check_constraints = ON", "PRAGMA ignore_check_constraints = OFF"),
        "mysql": ("SET check_constraint_checks = 0", "SET check_constraint_checks = 1"),
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(off)
        try:
            yield
        finally:
            cursor.execute(on)


def unchecked(run: Callable[[], T]) -> T:
    """Runs it with the CHECKs of this thread's session switched off."""
    with checks_off():
        return run()


def deadlocks() -> int:
    """How many MariaDB has broken up since it started."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
        [(_, count)] = cursor.fetchall()
    return int(count)
