"""Loads stock from a CSV file: reads it line by line, names every bad line, and leaves the loading
itself to `goods.stock.load_stock`, which does all of it or nothing."""

import csv
import re
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterable, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from goods.stock import (
    BadRow,
    BadRows,
    LoadMode,
    ReferenceReused,
    StockChange,
    StockRow,
    load_stock,
    plan_stock,
)
from shop.errors import Refusal

HELP = """\
Load stock from a CSV file, or from standard input where FILE is "-".

Each line: a SKU's code, a quantity (a whole number of units). UTF-8, with or without BOM; any line
ending; blank lines are skipped, and so is a first line whose second column is "quantity". A SKU
comes once. All lines are loaded, in one transaction, or none: if any is bad, every bad one is named
with its number and the exit status is 1.

  --mode add    the quantity comes in, or below zero goes out (the default)
  --mode set    the quantity is what shall be available afterwards

A load has a reference, which is printed first. After a crash run the same command with
--reference: it loads the file, or finds that it was loaded, and never loads it twice.
Orders of these SKUs wait while a large load is written; do that when the shop is quiet.
"""

INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
HEADER = "quantity"


class Command(BaseCommand):
    help = HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help='a CSV file, or "-"')
        parser.add_argument("--mode", choices=[mode.value for mode in LoadMode], default="add")
        parser.add_argument("--dry-run", action="store_true", help="tell what would change")
        parser.add_argument(
            "--reference", default="", help="1 to 64 characters that name this load for ever"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        mode = LoadMode(options["mode"])
        reference = options["reference"] or f"stock-{timezone.now():%Y%m%dT%H%M%S}-{token_hex(4)}"
        if len(reference) > 64 or not reference.isprintable():
            raise CommandError("--reference is 1 to 64 printable characters.")
        rows, bad = _read(options["file"])
        try:
            if bad or options["dry_run"]:  # bad lines must not hide what is wrong with good ones
                plan = plan_stock(rows, mode=mode)
            else:
                self._load(rows, mode=mode, reference=reference)
        except BadRows as error:
            bad.extend(error.rows)
        if bad:
            self._refuse(bad)
        if options["dry_run"]:
            self._show(plan)

    def _show(self, plan: Sequence[StockChange]) -> None:
        changes = [change for change in plan if change.delta]
        for change in sorted(changes, key=lambda change: change.row.line):
            after = change.available + change.delta
            self.stdout.write(
                f"line {change.row.line}: {change.row.code}: "
                f"{change.available} -> {after} ({change.delta:+d})"
            )
        units = sum(change.delta for change in changes)
        self.stdout.write(
            f"Dry run: {len(changes)} of {len(plan)} SKUs would change, {units:+d} units. "
            "Nothing was changed."
        )

    def _load(self, rows: Sequence[StockRow], *, mode: LoadMode, reference: str) -> None:
        self.stdout.write(f"Loading {len(rows)} SKUs under the reference {reference}")
        try:
            # disable=None: a bar for people, silence for pipes.
            with tqdm(total=len(rows), unit=" SKUs", file=sys.stderr, disable=None) as bar:
                units = load_stock(
                    rows,
                    mode=mode,
                    reference=reference,
                    progress=lambda done: bar.update(done - bar.n),
                )
        except ReferenceReused as error:
            raise CommandError(
                f"Another load has used the reference {reference}. Nothing was changed."
            ) from error
        except Refusal as error:
            raise CommandError(
                f"{error.detail} Run it again with --reference {reference}."
            ) from error
        if units is None:
            self.stdout.write("This load was done before. Nothing was changed.")
        else:
            self.stdout.write(f"Loaded {len(rows)} SKUs, {units:+d} units.")

    def _refuse(self, bad: Iterable[BadRow]) -> None:
        ordered = sorted(bad, key=lambda row: row.line)
        for row in ordered:
            self.stderr.write(f"line {row.line}: {row.problem}")
        raise CommandError(f"{len(ordered)} bad lines. Nothing was changed.")


def _read(name: str) -> tuple[list[StockRow], list[BadRow]]:
    """The file's rows and its unreadable lines. Raises CommandError for no file or no rows."""
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise CommandError(f"Cannot read {name}: {error.strerror}.") from error
    rows: list[StockRow] = []
    bad: list[BadRow] = []
    # Line by line, not as one stream: a stray quote or byte spoils its own line only.
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
        try:
            cells = _cells(line)
            if cells and not (number == 1 and _is_header(cells)):
                rows.append(_row(number, cells))
        except ValueError as error:
            bad.append(BadRow(number, str(error)))
    if not rows and not bad:
        raise CommandError(f"{name} has no rows. Nothing was changed.")
    return rows, bad


def _cells(line: bytes) -> list[str]:
    """The cells of a line, none of a blank one. Raises ValueError."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start + 1}") from error
    if not text.strip():
        return []
    try:
        return [cell.strip() for cell in next(csv.reader([text], strict=True))]
    except csv.Error as error:
        raise ValueError(f"not CSV: {error}") from error


def _is_header(cells: Sequence[str]) -> bool:
    return len(cells) == 2 and cells[1].lower() == HEADER


def _row(number: int, cells: Sequence[str]) -> StockRow:
    """Raises ValueError."""
    if len(cells) != 2:
        raise ValueError(f"{len(cells)} columns, not 2: code, quantity")
    code, quantity = cells
    if not code:
        raise ValueError("no code")
    if not INTEGER.fullmatch(quantity):
        raise ValueError(f"{code}: {quantity!r} is not a whole number")
    return StockRow(number, code, int(quantity))
