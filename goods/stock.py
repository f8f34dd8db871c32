"""Stock that comes in from outside: by an operator for one SKU, by a file for many.

Each is a whole transaction, named by a reference and harmless when it is repeated. Counters are
changed by `shop.pools.services`, which this module only calls.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

from django.contrib.admin.models import CHANGE
from django.db import IntegrityError
from django.utils.translation import gettext

from goods.models import Sku
from shop.accounts.models import User
from shop.errors import Invalid
from shop.operators_log import log
from shop.pools import services as pools
from shop.pools.models import Movement, Pool, PoolMovement
from shop.pools.refusals import Shortage
from shop.transactions import is_duplicate, run

# Units of one change of stock; far below what the counter's column holds.
MAX_UNITS = 1_000_000_000
# Codes of one statement, and pools of one step of a long load.
BATCH = 500
STEP = 2_000


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What the ledger holds under a reference: `delta` units. `repeated`: since an earlier call,
    whose delta it is; this one changed nothing."""

    delta: int
    repeated: bool


def adjust_stock(
    *, sku: Sku, delta: int, reason: str, operator: User, reference: str
) -> Adjustment:
    """Adds `delta` units (negative: removes) for an operator, once per `reference`.

    Leaves a movement and an entry in the operator's log, both in the same transaction. Raises
    Invalid for a delta of 0 or beyond MAX_UNITS or a missing reason, Shortage when fewer are
    available than to be removed, Busy, Unavailable.
    """
    if not 0 < abs(delta) <= MAX_UNITS:
        message = gettext("A whole number from 1 to %(most)d, or the same below zero.")
        raise Invalid.field("delta", message % {"most": MAX_UNITS})
    if not reason.strip():
        raise Invalid.field("reason", gettext("Say why."))

    def work() -> None:
        pools.adjust({sku.pool_id: delta}, reference=reference, reason=reason, operator=operator)
        # Its row is ours until we commit, so this is what we made of it.
        after = Pool.objects.values_list("available", flat=True).get(pk=sku.pool_id)
        said = f"Stock {delta:+d}: {reason} ({reference})"
        log(operator, [sku], CHANGE, said, changes={"stock": (after - delta, after)})

    try:
        run(work)
    except IntegrityError as error:
        earlier = _earlier(error, pool_id=sku.pool_id, kind=Movement.ADJUST, reference=reference)
        if earlier is None:
            raise
        return Adjustment(delta=earlier.delta, repeated=True)
    return Adjustment(delta=delta, repeated=False)


class LoadMode(StrEnum):
    """What the quantities of a load mean."""

    ADD = "add"  # units that come in (negative: go out)
    SET = "set"  # units that shall be available afterwards


@dataclass(frozen=True, slots=True)
class StockRow:
    """One line of a load: line number, SKU code, units."""

    line: int
    code: str
    quantity: int


@dataclass(frozen=True, slots=True)
class BadRow:
    line: int
    problem: str


class BadRows(Exception):
    """Rows that can't be loaded, by line. Nothing was changed."""

    def __init__(self, rows: Iterable[BadRow]) -> None:
        super().__init__("bad rows")
        self.rows = sorted(rows, key=lambda row: row.line)


class ReferenceReused(Exception):
    """Another load has used this reference for one of the SKUs. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class StockChange:
    """What a row would do to its pool, which has `available` units now."""

    row: StockRow
    pool_id: int
    available: int
    delta: int


def plan_stock(rows: Sequence[StockRow], *, mode: LoadMode) -> list[StockChange]:
    """What `load_stock` would do, in the order of the pools. Changes nothing.

    Raises BadRows for codes that are unknown or come twice, quantities beyond MAX_UNITS, and stock
    that would fall below zero.
    """
    bad: list[BadRow] = []
    first_line: dict[str, int] = {}
    for row in rows:
        line = first_line.setdefault(row.code, row.line)
        if line != row.line:
            bad.append(BadRow(row.line, f"{row.code}: already on line {line}"))
    stock = _stock_by_code(first_line)
    plan: list[StockChange] = []
    for row in rows:
        if row.code not in stock:
            bad.append(BadRow(row.line, f"{row.code}: no SKU has this code"))
        elif abs(row.quantity) > MAX_UNITS:
            bad.append(BadRow(row.line, f"{row.code}: {row.quantity} is beyond {MAX_UNITS}"))
        else:
            pool_id, available = stock[row.code]
            delta = row.quantity - (available if mode is LoadMode.SET else 0)
            if available + delta < 0:
                bad.append(BadRow(row.line, _below_zero(row, available=available, mode=mode)))
            plan.append(StockChange(row, pool_id, available, delta))
    if bad:
        raise BadRows(bad)
    return sorted(plan, key=lambda change: change.pool_id)


def load_stock(
    rows: Sequence[StockRow],
    *,
    mode: LoadMode,
    reference: str,
    progress: Callable[[int], None] = lambda done: None,
) -> int | None:
    """Loads all rows in one transaction, or none; once per `reference`.

    Returns the sum of all changes in units, or None when this very load was done before. Every
    row leaves a movement, also one that changes nothing, so that a repeat finds all of them.
    `progress` is told how many rows are done; it may go back when contention undid them.

    Orders of these SKUs wait from the moment that their pool is reached until the end. Raises
    BadRows, ReferenceReused, Busy, Unavailable.
    """
    by_pool = {change.pool_id: change.row for change in plan_stock(rows, mode=mode)}
    if not by_pool:
        return 0
    reason = _load_reason(rows, mode=mode)

    def work() -> int:
        done = units = 0
        for pool_ids in _steps(by_pool):
            deltas = {pool_id: by_pool[pool_id].quantity for pool_id in pool_ids}
            if mode is LoadMode.SET:
                locked = Pool.objects.locked(pool_ids).values_list("pk", "available")
                deltas = {pool_id: deltas[pool_id] - available for pool_id, available in locked}
            pools.adjust(deltas, kind=Movement.LOAD, reference=reference, reason=reason)
            units += sum(deltas.values())
            done += len(deltas)
            progress(done)
        return units

    try:
        return run(work)
    except Shortage as error:
        row = by_pool[error.pool_id]
        problem = _below_zero(row, available=error.available, mode=mode)
        raise BadRows([BadRow(row.line, problem)]) from error
    except IntegrityError as error:
        earlier = _earlier(error, pool_id=min(by_pool), kind=Movement.LOAD, reference=reference)
        if earlier is not None and earlier.reason == reason:
            return None
        if is_duplicate(error):
            raise ReferenceReused from error
        raise


def _earlier(
    error: IntegrityError, *, pool_id: int, kind: Movement, reference: str
) -> PoolMovement | None:
    """The movement that refused a second one with its reference, if that is what happened."""
    if not is_duplicate(error):
        return None
    return PoolMovement.objects.filter(pool_id=pool_id, kind=kind, reference=reference).first()


def _stock_by_code(codes: Iterable[str]) -> dict[str, tuple[int, int]]:
    """code -> (pool id, units available), for the codes that exist."""
    found: dict[str, tuple[int, int]] = {}
    for step in _steps(codes, size=BATCH):
        skus = Sku.objects.filter(code__in=step)
        for code, pool_id, available in skus.values_list("code", "pool_id", "pool__available"):
            found[code] = (pool_id, available)
    return found


def _below_zero(row: StockRow, *, available: int, mode: LoadMode) -> str:
    if mode is LoadMode.SET:
        return f"{row.code}: {row.quantity} is below zero"
    return f"{row.code}: {row.quantity:+d} would leave fewer than none of {available}"


def _load_reason(rows: Iterable[StockRow], *, mode: LoadMode) -> str:
    """Names the mode and the content, so that a repeat is told from another load."""
    digest = hashlib.sha256()
    for code, quantity in sorted((row.code, row.quantity) for row in rows):
        digest.update(f"{code},{quantity}\n".encode())
    return f"{mode} {digest.hexdigest()}"


def _steps(items: Iterable[Any], *, size: int = STEP) -> Iterator[list[Any]]:
    rest = iter(items)
    while step := list(islice(rest, size)):
        yield step
