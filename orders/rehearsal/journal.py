"""What the clients of a rehearsal know, written down by them before their next step.

A client logs that it is about to send a purchase and then what it learned: stored, refused, or
nothing, which is *unknown* (a time-out, a cut connection, its own death), never a failure. One line
is one write to a file opened for appending, so a client that is killed leaves whole lines. Held
against the rows at the end: whatever the clients were told must be so, once.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

from orders.states import MOVES, State

Entry = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """What the database says of one order; `failure` is the code of a failed one."""

    key: str
    number: str
    status: str
    failure: str


class Journal:
    """An append-only log of purchases, each known by its idempotency key."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._file)

    def sends(self, key: str) -> None:
        """The client is about to send this purchase, for the first time or again."""
        self._write(key=key)

    def learns_stored(self, key: str, *, number: str, status: str, failure: str = "") -> None:
        """The shop answered the purchase: it stored `number`, which is `status` now."""
        self._write(key=key, number=number, status=status, failure=failure, of="purchase")

    def learns_status(self, key: str, *, number: str, status: str, failure: str = "") -> None:
        """The shop was asked about `number`, or told to cancel it: it is `status` now."""
        self._write(key=key, number=number, status=status, failure=failure, of="question")

    def learns_refused(self, key: str, *, code: str) -> None:
        """The shop answered the purchase: nothing was stored."""
        self._write(key=key, code=code, of="purchase")

    def disagreements(self, stored: Iterable[StoredOrder]) -> list[str]:
        """Where the clients' knowledge and the rows contradict each other, a line for each."""
        rows: dict[str, list[StoredOrder]] = defaultdict(list)
        for row in stored:
            rows[row.key].append(row)
        known = self._known()
        wrong = [
            f"{key}: stored as {_numbers(rows[key])}, nobody sent it"
            for key in rows.keys() - known.keys()
        ]
        for key, entries in known.items():
            wrong += _judge(key, entries, rows.get(key, []))
        return sorted(wrong)

    def _write(self, **entry: str) -> None:
        os.write(self._file, json.dumps(entry).encode() + b"\n")

    def _known(self) -> Mapping[str, list[dict[str, str]]]:
        known: dict[str, list[dict[str, str]]] = defaultdict(list)
        with self.path.open("rb") as lines:
            for line in lines:
                entry = json.loads(line)
                known[entry.pop("key")].append(entry)
        return known


def _judge(key: str, entries: Sequence[Entry], rows: Sequence[StoredOrder]) -> Iterator[str]:
    told = {entry["number"] for entry in entries if "number" in entry}
    sent = sum(not entry for entry in entries)
    answered = sum(entry.get("of") == "purchase" for entry in entries)
    if answered > sent:
        yield f"{key}: {answered} answers to {sent} requests"
    if len(rows) > 1:
        yield f"{key}: stored {len(rows)} times, {_numbers(rows)}"
    if told and told != {row.number for row in rows}:
        yield f"{key}: answered {sorted(told)}, stored {_numbers(rows)}"
    # Every request was answered, always by a refusal: then nothing may be there.
    if rows and not told and answered == sent:
        yield f"{key}: refused each time, stored as {_numbers(rows)}"
    if len(rows) == 1 and told == {rows[0].number}:
        yield from _judge_states(key, [entry for entry in entries if "number" in entry], rows[0])


def _judge_states(key: str, told: Sequence[Entry], row: StoredOrder) -> Iterator[str]:
    """An order may be further than its client has seen, never anywhere else."""
    seen = [(entry["status"], entry["failure"]) for entry in told]
    for (before, first), (after, second) in pairwise([*seen, (row.status, row.failure)]):
        if after not in _reachable(before):
            yield f"{key}: {row.number} went from {before} to {after}"
        elif before == after and first != second:
            yield f"{key}: {row.number} failed with {first!r}, then with {second!r}"


@cache
def _reachable(state: str) -> frozenset[str]:
    """`state` and wherever an order may still go from there; nothing, where that is no state."""
    if state not in MOVES:
        return frozenset()
    found: set[State] = {State(state)}
    new = set(found)
    while new:
        new = {target for source in new for target in MOVES[source]} - found
        found |= new
    return frozenset(found)


def _numbers(rows: Iterable[StoredOrder]) -> list[str]:
    return [row.number for row in rows]
