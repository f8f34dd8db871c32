"""A rehearsal from the opening to the last settled order: who comes when, who watches, who waits.

The steps are called one after the other by the command; each is bounded in time. The database may
be away for any part of it, as it may be for the shop: then nothing is sampled, and it is asked
again.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from django.db import connection
from django.utils.dateparse import parse_datetime
from tqdm import tqdm

from orders.rehearsal.clients import Crowd, Server, Visit
from orders.rehearsal.figures import Sample, Seen
from orders.rehearsal.inside import Books, Sale, Shopper, asked, prefix, sale_token
from orders.rehearsal.journal import Journal

# Into each second, when the database is asked how the sale stands.
SAMPLED_AT = 0.9
# Between two looks at what is still pending, and two of the progress bar, in seconds.
LOOK_SECONDS, BAR_SECONDS = 0.5, 0.2
# Between the moment when all is ready and the first visit.
BREATH = 0.2
CANCEL_SECONDS = 60.0


class UnfitError(Exception):
    """Why there can be no rehearsal, in words for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The sale as the server shows it. It starts, or started, at `opens` by our monotonic clock."""

    title: str
    status: str
    remaining: int
    opens: float


@dataclass(frozen=True, slots=True)
class Plan:
    """`shoppers` come to the sale at `base` in turn, `rate` a second for `seconds`; after the last
    visit they wait at most `wait` seconds for their answers."""

    base: str
    sale: Sale
    run: str
    shoppers: int
    rate: float
    seconds: float
    wait: float

    @property
    def visits(self) -> int:
        return max(1, round(self.rate * self.seconds))

    def schedule(self, shoppers: Sequence[Shopper]) -> list[Visit]:
        """Who comes when; after the last shopper the first comes again, with a new key."""
        return [
            Visit(
                user=shoppers[number % len(shoppers)].user,
                access=shoppers[number % len(shoppers)].access,
                key=f"{prefix(self.run)}{number}",
                due=number / self.rate,
            )
            for number in range(self.visits)
        ]


def look(base: str, sale_id: int) -> Shown:
    """The sale by the server at `base`. Raises UnfitError where it does not show one."""
    body = _get(base, f"flash-sales/{sale_id}")
    try:
        starts, now = parse_datetime(body["starts_at"]), parse_datetime(body["server_time"])
        if starts is None or now is None:
            raise ValueError("it has no times")
        return Shown(
            title=str(body["goods_title"]),
            status=str(body["status"]),
            remaining=int(body["remaining"]),
            opens=time.monotonic() + (starts - now).total_seconds(),
        )
    except (LookupError, TypeError, ValueError) as error:
        raise UnfitError(f"{base} shows no flash sale {sale_id}: {error!r}") from error


def check_same_shop(base: str, shopper: Shopper) -> None:
    """Raises UnfitError unless the server knows a shopper that this process has just made."""
    name = _get(base, "me", access=shopper.access).get("username")
    if name != shopper.username:
        raise UnfitError(f"{base} uses another database: it takes {shopper.username} for {name}.")


def _get(base: str, path: str, *, access: str = "") -> Mapping[str, Any]:
    async def ask() -> Mapping[str, Any]:
        async with Server(base) as server:
            answer = await server.ask("GET", path, access=access)
        if not answer.status:
            raise UnfitError(f"{base} does not answer ({answer.code}). Does the shop run there?")
        if answer.code:
            raise UnfitError(f"{base} answers {path} with {answer.status} {answer.code}.")
        return answer.body or {}

    return asyncio.run(ask())


@dataclass(slots=True)
class Play:
    """One rehearsal on its way: what the clients and, meanwhile, the database said."""

    plan: Plan
    journal: Journal
    visits: Sequence[Visit]
    seen: Seen
    samples: list[Sample]
    began: float = 0.0

    def play(self, books: Books, *, opens: float) -> None:
        """All visits, from `opens` (by the monotonic clock) or as soon as all is ready."""
        self.began = max(opens, time.monotonic() + BREATH)
        deadline = self.visits[-1].due + self.plan.wait
        with Sampler(books, self.samples, began=self.began):
            asyncio.run(self._with_bar(lambda crowd: crowd.play(self.visits), deadline, "visits"))

    def cancel(self) -> None:
        """Gives back, through the API, what the rehearsal bought."""
        deadline = time.monotonic() - self.began + CANCEL_SECONDS
        asyncio.run(self._with_bar(lambda crowd: crowd.cancel(self.visits), deadline, "cancelled"))

    async def _with_bar(
        self, work: Callable[[Crowd], Awaitable[None]], deadline: float, what: str
    ) -> None:
        async with Server(self.plan.base) as server:
            sale = self.plan.sale
            crowd = Crowd(
                server,
                self.journal,
                self.seen,
                sale_id=sale.pk,
                rate=self.plan.rate,
                began=self.began,
                deadline=deadline,
                protected=sale.protected,
                token=sale_token(sale.pk) if sale.by_picture else None,
            )
            bar = asyncio.create_task(self._show(crowd, what))
            try:
                await work(crowd)
            finally:
                bar.cancel()

    async def _show(self, crowd: Crowd, what: str) -> None:
        with progress(what, total=None) as bar:
            try:
                while True:
                    bar.total = crowd.total
                    bar.update(crowd.done - bar.n)
                    pending = self.samples[-1].pending if self.samples else None
                    bar.set_postfix(waiting=crowd.waiting, pending=pending, refresh=False)
                    await asyncio.sleep(BAR_SECONDS)
            finally:
                bar.update(crowd.done - bar.n)


class Sampler:
    """Asks the database once a second, from a thread of its own, how the sale stands."""

    def __init__(self, books: Books, samples: list[Sample], *, began: float) -> None:
        self._books = books
        self._samples = samples
        self._began = began
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="sampler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        try:
            second = 0
            while not self._over.wait(max(0.0, second + SAMPLED_AT - self._now())):
                self._sample()
                second = max(second + 1, int(self._now()))
            self._sample()
        finally:
            connection.close()

    def _sample(self) -> None:
        at = self._now()
        self._samples.append(Sample(at, asked(self._books.pending), asked(self._books.settled)))

    def _now(self) -> float:
        return time.monotonic() - self._began


def settle(books: Books, *, seconds: float) -> int:
    """Waits until no order of the sale is pending; returns how many still are.

    Raises UnfitError where the database does not answer for so long.
    """
    deadline = time.monotonic() + seconds
    with progress("settling", total=None) as bar:
        while (pending := asked(books.pending)) != 0 and time.monotonic() < deadline:
            bar.set_postfix(pending="unknown" if pending is None else pending)
            time.sleep(LOOK_SECONDS)
    if pending is None:
        raise UnfitError(f"The database did not answer for {seconds:.0f} s.")
    return pending


@contextmanager
def progress(what: str, *, total: int | None) -> Iterator[Any]:
    """A bar for people, silence for pipes."""
    with tqdm(total=total, desc=what, file=sys.stderr, disable=None) as bar:
        yield bar
