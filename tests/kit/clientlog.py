"""What clients know, written down by them before their next step, to be held against the database.

A client logs what it is about to send and then what it learned: acknowledged, refused, or nothing,
which is *unknown* (a time-out, a cut connection, its own death), never a failure. One line is one
write to a file opened for appending, so any number of threads and processes may share a log, and a
client that is killed leaves whole lines.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self


class ClientLog:
    """An append-only log of attempts, each known by the key under which it may be repeated."""

    def __init__(self, path: Path) -> None:
        self._path = path
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
        """The client is about to send the request with this key, for the first time or again."""
        self._write(key=key)

    def learns_stored(self, key: str, number: str) -> None:
        """The shop answered that it stored `number`."""
        self._write(key=key, number=number)

    def learns_refused(self, key: str, code: str) -> None:
        """The shop answered that it stored nothing."""
        self._write(key=key, code=code)

    def _write(self, **entry: str) -> None:
        os.write(self._file, json.dumps(entry).encode() + b"\n")

    def disagreements(self, stored: Iterable[tuple[str, str]]) -> list[str]:
        """Where the clients' knowledge and the rows contradict each other.

        `stored`: (key, number) of each row in the database.
        """
        rows: dict[str, list[str]] = defaultdict(list)
        for key, number in stored:
            rows[key].append(number)
        known = self._known()
        wrong = [f"{key}: stored as {rows[key]}, nobody sent it" for key in rows.keys() - known]
        for key, entries in known.items():
            wrong += _judge(key, entries, rows.get(key, []))
        return sorted(wrong)

    def _known(self) -> Mapping[str, list[dict[str, str]]]:
        known: dict[str, list[dict[str, str]]] = defaultdict(list)
        for line in self._path.read_bytes().splitlines():
            entry = json.loads(line)
            known[entry.pop("key")].append(entry)
        return known


def _judge(key: str, entries: list[dict[str, str]], rows: list[str]) -> Iterable[str]:
    numbers = {entry["number"] for entry in entries if "number" in entry}
    sent = sum(not entry for entry in entries)
    learned = len(entries) - sent
    if learned > sent:
        yield f"{key}: {learned} answers to {sent} requests"
    if len(rows) > 1:
        yield f"{key}: stored {len(rows)} times, {rows}"
    if numbers and numbers != set(rows):
        yield f"{key}: answered {sorted(numbers)}, stored {rows}"
    # Every request was answered, always by a refusal: then nothing may be there.
    if rows and not numbers and learned == sent:
        yield f"{key}: refused each time, stored {rows}"
