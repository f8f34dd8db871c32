"""Real threads released at one moment, and a watcher that looks on while they run.

Each thread has a database connection of its own, opened before the start and closed at the end. A
thread that does not come back is a failure that shows where it hangs, never a test run that hangs.
"""

import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db import connection, connections

T = TypeVar("T")

WATCH_SECONDS = 0.05
# Whoever is not back by then hangs, however crowded the machine is. Nobody waits for it who is.
LONG_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What a runner returned, or what it raised."""

    value: T | None = None
    error: BaseException | None = None

    def result(self) -> T:
        """The value. Raises what the runner raised."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


class Hung(AssertionError):
    """Runners that did not come back in time, with their stacks."""


def race(runners: Sequence[Callable[[], T]], *, seconds: float = LONG_SECONDS) -> list[Outcome[T]]:
    """Runs all of `runners` at once; their outcomes in the same order.

    Raises Hung when one of them is not back after `seconds`.
    """
    outcomes: list[Outcome[T]] = [Outcome() for _ in runners]
    start = threading.Barrier(len(runners))

    def run(index: int) -> None:
        try:
            try:
                connection.ensure_connection()
            except BaseException:
                start.abort()  # nobody waits for one that can't start
                raise
            start.wait(seconds)
            outcomes[index] = Outcome(value=runners[index]())
        except BaseException as error:  # noqa: BLE001 -- the test decides what it means
            outcomes[index] = Outcome(error=error)
        finally:
            connections.close_all()

    threads = [
        threading.Thread(target=run, args=(index,), name=f"runner-{index}", daemon=True)
        for index in range(len(runners))
    ]
    for thread in threads:
        thread.start()
    _join(threads, seconds=seconds)
    return outcomes


@contextmanager
def watching(look: Callable[[], T], *, every: float = WATCH_SECONDS) -> Iterator[list[T]]:
    """Calls `look` in a thread of its own each `every` seconds, and once more at the end.

    Yields the growing list of what it saw. An exception of `look` ends the watch and is raised
    where the block ends.
    """
    seen: list[T] = []
    failure: list[BaseException] = []
    over = threading.Event()

    def watch() -> None:
        try:
            while not over.wait(every):
                seen.append(look())
            seen.append(look())
        except BaseException as error:  # noqa: BLE001 -- raised by the test's own thread
            failure.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=watch, name="watcher", daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        _join([thread], seconds=LONG_SECONDS)
    if failure:
        raise failure[0]


def _join(threads: Sequence[threading.Thread], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    hung = [thread for thread in threads if thread.is_alive()]
    if hung:
        frames = sys._current_frames()
        stacks = [
            f"--- {thread.name}\n" + "".join(traceback.format_stack(frames[thread.ident]))
            for thread in hung[:5]
            if thread.ident in frames
        ]
        raise Hung(f"{len(hung)} of {len(threads)} threads hang\n" + "\n".join(stacks))
