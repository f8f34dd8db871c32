"""How whatever is scarce is sold, and hands that drain it, wipe its gate and spoil it: for tests of
races and faults of sales, periods and packets alike.

A `How` is one combination of the switches; `hows` gives the short form a sample of them, by a seed
that is printed, and the long one (`make soak`) all.
"""

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import product, zip_longest
from threading import Event, Thread
from typing import Protocol
from uuid import uuid4

import pytest
from django.db import connections

from shop.accounts.models import User
from shop.errors import Refusal
from shop.pools import drain, gate, gatekeeping
from shop.pools.models import Pool

SEED = int(os.environ.get("RACE_SEED") or random.randrange(10**9))
# What a client repeats with the same key, and so often.
FOR_NOW = {"busy", "unavailable", "request_in_progress"}
TRIES = 50


class Sold(Protocol):
    """A sale, a period, a packet: what is taken from a pool, and waits in a queue of its own."""

    pool: Pool
    pool_id: int
    queue_id: int


@dataclass(frozen=True, slots=True)
class How:
    """How it is sold; `soak`: in the long form."""

    placement: str
    strategy: str
    gated: bool
    soak: bool = False

    @property
    def queued(self) -> bool:
        return self.placement == "queued"

    def __str__(self) -> str:
        gate = "gate" if self.gated else "no gate"
        return f"{self.placement}, {self.strategy}, {gate}{', soak' if self.soak else ''}"


EVERY = [
    How(placement, strategy, gated)
    for placement, strategy, gated in product(
        ("direct", "queued"), ("optimistic", "pessimistic"), (True, False)
    )
]


def hows(
    test: str, *, short: int, only: Callable[[How], bool] = lambda how: True
) -> "pytest.MarkDecorator":
    """Parametrizes `how`: `short` of the combinations, both placements where there are two, for
    `make test`; all of them for `make soak`. `test` makes each test's sample its own."""
    fitting = [how for how in EVERY if only(how)]
    dice = random.Random(f"{SEED} {test}")
    halves = [[how for how in fitting if how.queued is queued] for queued in (True, False)]
    for half in halves:
        dice.shuffle(half)
    dice.shuffle(halves)
    sample = [how for pair in zip_longest(*halves) for how in pair if how][:short]
    soak = [pytest.param(replace(how, soak=True), marks=pytest.mark.soak) for how in fitting]
    return pytest.mark.parametrize("how", [*sample, *soak], ids=str)


def make_users(count: int) -> list[User]:
    """Shoppers who can't log in, which costs nothing."""
    run = uuid4().hex[:10]
    User.objects.bulk_create(User(username=f"buyer-{run}-{n}") for n in range(count))
    return list(User.objects.filter(username__startswith=f"buyer-{run}-").order_by("pk"))


def code_of(attempt: Callable[[], object]) -> str:
    """The code of its refusal, "" when there is none."""
    try:
        attempt()
    except Refusal as refusal:
        return refusal.code
    return ""


def patient(attempt: Callable[[], object]) -> str:
    """Tries, as with one key, until there is an answer: its code, "" when there is no refusal."""
    code = ""
    for _ in range(TRIES):
        code = code_of(attempt)
        if code not in FOR_NOW:
            break
    return code


@contextmanager
def drained(*sold: Sold, others: Sequence[int] = (), drains: int = 2) -> Iterator[None]:
    """Inside, so many drains of each queue run all the time; at the end nothing waits. `others`:
    ids of further queues."""
    queues = [*(one.queue_id for one in sold), *others]
    over = Event()
    failures: list[BaseException] = []

    def run(queue_id: int) -> None:
        try:
            while not over.is_set():
                # As the task does: what waits is left to the next bell.
                with suppress(Refusal):
                    drain.drain(queue_id)
                over.wait(0.005)
        except BaseException as error:  # noqa: BLE001 -- raised where the block ends
            failures.append(error)
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=(one,), daemon=True) for one in queues * drains]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(600)
    assert not failures, failures
    for queue_id in queues:
        empty(queue_id)


def drain_all(sold: Sold) -> None:
    """Settles what waits."""
    empty(sold.queue_id)


def empty(queue_id: int) -> None:
    """Settles what waits in the queue."""
    while drain.drain(queue_id):
        pass
    assert queue_id not in drain.waiting()


def in_step(sold: Sold) -> bool:
    """Whether its gate, if it has one, is warm and equals the database."""
    if not sold.pool.gated:
        return True
    look = gatekeeping.look(sold.pool_id)
    return look is not None and not look.drifts


def spoil_gate(sold: Sold, *, by: int) -> None:
    """Somebody changes what the gate thinks that remains."""
    [counter] = gate.names(sold.pool_id)
    gate.client().hincrby(counter, "remaining", by)


def wipe(sold: Sold) -> None:
    """Redis loses all that its gate knows."""
    if left := gate.client().keys(f"{{pool:{sold.pool_id}}}:*"):
        gate.client().delete(*left)


def forget_shoppers(sold: Sold) -> None:
    """Somebody deletes what the gate knows of shoppers and their keys."""
    _, users, keys = gate.names(sold.pool_id, "users", "keys")
    gate.client().delete(users, keys)
