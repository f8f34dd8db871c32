"""The judge: whether the database keeps what the shop promises, and which rows break it.

Each app registers checks (`promise`) and says how it holds units of pools (`holder`) in its
`promises` module; nothing here knows an app. All checks of one audit read one snapshot, through a
connection of its own, so they see no half of anything while the shop goes on selling. Checks are
plain SQL over ranges of ids: each statement reads its part of the indexes, whatever the tables'
size, and a sample is a few of these ranges. Mending what is broken is left to people.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

# Rows named for one promise; whoever breaks more is not helped by a longer list.
NAMED = 20
# Ids of one statement, and statements of a sample.
RANGE = 20_000
SAMPLE_RANGES = 20
LEAST_ID, MOST_ID = -(2**63), 2**63 - 1

_BEGIN = {
    # A read transaction, though the shop's own are IMMEDIATE: it waits for nobody.
    "sqlite": ["PRAGMA query_only = ON", "BEGIN DEFERRED", "SELECT COUNT(*) FROM sqlite_master"],
    # Only under REPEATABLE READ does one snapshot serve the whole transaction.
    "mysql": [
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ],
}
_SECONDS_SINCE = {
    "sqlite": "CAST(ROUND((julianday('now') - julianday({column})) * 86400, 3) AS INTEGER)",
    "mysql": "TIMESTAMPDIFF(SECOND, {column}, UTC_TIMESTAMP(6))",
}


class Snapshot:
    """One state of the database, and the ranges of its rows that are looked at."""

    def __init__(self, database: BaseDatabaseWrapper, *, sample: int | None = None) -> None:
        self.vendor = database.vendor
        self.is_sample = sample is not None
        self._database = database
        self._sample = sample
        self._ranges: dict[str, Sequence[tuple[int, int]]] = {}

    def rows(self, sql: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        """All rows of `sql`, whose parameters are `%(name)s`."""
        with self._database.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())

    def each(self, table: str, sql: str, /) -> Iterator[tuple[Any, ...]]:
        """The rows of `sql`, run for each range of `table`'s ids: `%(low)s` to `%(high)s`."""
        for low, high in self._ranges_of(table):
            yield from self.rows(sql, low=low, high=high)

    def search(self, table: str, sql: str, /) -> list[tuple[Any, ...]]:
        """As `each`, for rows that break a promise: one more than are named, at most."""
        found: list[tuple[Any, ...]] = []
        for low, high in self._ranges_of(table):
            found += self.rows(f"{sql} LIMIT {NAMED + 1}", low=low, high=high)
            if len(found) > NAMED:
                break
        return found

    def totals(self, table: str, sql: str, /) -> list[int]:
        """The sums of `sql`'s columns over all ranges of `table`."""
        columns = zip(*self.each(table, sql), strict=True)
        return [sum(int(value or 0) for value in column) for column in columns]

    def seconds_since(self, column: str) -> str:
        """SQL: whole seconds from `column` to now, by the database's clock."""
        return _SECONDS_SINCE[self.vendor].format(column=column)

    def _ranges_of(self, table: str) -> Sequence[tuple[int, int]]:
        if table not in self._ranges:
            [(low, high)] = self.rows(f"SELECT MIN(id), MAX(id) FROM {table}")  # noqa: S608
            self._ranges[table] = _ranges(low or 0, high or 0, sample=self._sample)
        return self._ranges[table]


def _ranges(low: int, high: int, *, sample: int | None) -> Sequence[tuple[int, int]]:
    if sample is not None and sample < high - low + 1:
        length = -(-sample // SAMPLE_RANGES)
        starts = range(low, high + 1, length)
        chosen = random.sample(starts, min(-(-sample // length), len(starts)))
        return [(start, start + length - 1) for start in sorted(chosen)]
    starts = range(low, high + 1, RANGE)
    ranges = [(start, start + RANGE - 1) for start in starts]
    # Open at both ends: what points at a row that does not exist is looked at too.
    ranges[0] = (LEAST_ID, ranges[0][1])
    ranges[-1] = (ranges[-1][0], MOST_ID)
    return ranges


@contextmanager
def snapshot(*, sample: int | None = None) -> Iterator[Snapshot]:
    """The database as it is committed now, through a connection of its own.

    `sample`: look at about as many rows of each table only, picked at random.
    """
    own = connections[DEFAULT_DB_ALIAS].copy()
    # Of a huge table, the sum may take longer than a request may wait.
    own.settings_dict["OPTIONS"].pop("read_timeout", None)
    try:
        with own.cursor() as cursor:
            for statement in _BEGIN[own.vendor]:
                cursor.execute(statement)
        yield Snapshot(own, sample=sample)
    finally:
        # Django's own close() keeps a SQLite database in memory, and its read locks, open.
        if own.connection is not None:
            own.connection.close()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check saw: its figures, and a line for each row that breaks the promise."""

    figures: Mapping[str, int]
    broken: Sequence[str]


@dataclass(slots=True)
class Promise:
    """One promise as kept or broken, by all of its checks."""

    number: int
    name: str
    ok: bool = True
    figures: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        self.figures |= finding.figures
        self.broken += finding.broken
        if len(self.broken) > NAMED:
            self.broken[NAMED:] = ["and more"]
        self.ok = not self.broken


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict on each promise, by number."""

    promises: Sequence[Promise]

    @property
    def ok(self) -> bool:
        return all(promise.ok for promise in self.promises)

    @property
    def broken(self) -> dict[int, list[str]]:
        """The broken promises: number -> the rows that break it."""
        return {promise.number: promise.broken for promise in self.promises if not promise.ok}

    def figures(self, number: int) -> dict[str, int]:
        """The figures of promise `number`."""
        return next(one.figures for one in self.promises if one.number == number)

    def as_dict(self) -> dict[str, Any]:
        """What `manage.py audit --json` prints."""
        return {"ok": self.ok, "promises": [asdict(promise) for promise in self.promises]}


def repeated_keys(seen: Snapshot, *, table: str, number: str) -> list[str]:
    """A line for each row of a keyed table (`shop.api.idempotency.Keyed`) whose key an earlier row
    has; `number`: the column that the rows are known by."""
    return [
        f'{number} {name}: the key of user {user_id} at "{route}" is used again'
        for name, user_id, route in seen.search(
            table,
            f"""
            SELECT o.{number}, o.user_id, o.idempotency_route FROM {table} o
            WHERE o.id BETWEEN %(low)s AND %(high)s AND EXISTS (
                SELECT 1 FROM {table} first
                WHERE first.user_id = o.user_id AND first.id < o.id
                  AND first.idempotency_route = o.idempotency_route
                  AND first.idempotency_key = o.idempotency_key)
            """,  # noqa: S608
        )
    ]


Check = Callable[[Snapshot], Finding]
_checks: list[tuple[int, str, Check]] = []


def promise(number: int, name: str) -> Callable[[Check], Check]:
    """Registers a check of promise `number`; several checks of one promise are judged as one."""

    def register(check: Check) -> Check:
        _checks.append((number, name, check))
        return check

    return register


@dataclass(frozen=True, slots=True)
class Holder:
    """One way in which units of pools are held.

    `sql` selects `row_id, pool_id, user_id, took, returned, taken, given_back` from all of `table`,
    whose id `row_id` is: plain joins on indexes, so that one reference or a range of ids is read
    without the rest. `took` and `returned` are the references under which `shop.pools.services`
    took `taken` units and gave back `given_back` of them. `is_part`: a row gives back some of what
    another holder's row took, in a movement of its own; that they are not more than that row took
    is for its app to check.
    """

    table: str
    sql: str
    is_part: bool = False


# Registered by each app that takes units.
holders: list[Holder] = []


def audit(sample: int | None = None) -> Report:
    """Judges every promise by what is committed now.

    Called inside a transaction, as tests may, it judges what that transaction sees instead.
    """
    here = connections[DEFAULT_DB_ALIAS]
    if here.in_atomic_block:
        return examine(Snapshot(here, sample=sample))
    with snapshot(sample=sample) as seen:
        return examine(seen)


def examine(seen: Snapshot) -> Report:
    """Judges every promise by one snapshot."""
    names: dict[int, list[str]] = {}
    for number, name, _ in _checks:
        names.setdefault(number, []).append(name)
    promises = {number: Promise(number, "; ".join(names[number])) for number in sorted(names)}
    for number, _, check in _checks:
        promises[number].add(check(seen))
    return Report(list(promises.values()))
