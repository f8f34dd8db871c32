"""Files of operators into lines of text: CSV in UTF-8 or GB18030 (Excel in Chinese writes either),
and XLSX. What can't be read whole is refused whole, with words that say what to do.

A line holds what its cells say, by the names of `goods.exports.CatalogueColumns`. An empty cell
says nothing. No column is skipped in silence: one that nobody knows is a fault, and so is one of
a counter, because stock has its own page and its own commands.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from io import BytesIO, StringIO
from typing import Any
from zipfile import ZipFile

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _
from openpyxl import load_workbook

from goods.exports import CatalogueColumns
from shop.errors import Invalid
from shop.transfers.cells import unguarded

MOST_BYTES = 2 * 1024 * 1024
# Lines of one import: they are carried out in one transaction, which holds the SKUs' rows.
MOST_LINES = 2_000
# Of an XLSX file, empty ones as well.
MOST_ROWS = 20_000
MOST_COLUMNS = 50
# Of an XLSX file when it is unpacked: a small one may unfold to anything.
MOST_UNPACKED_BYTES = 40 * 1024 * 1024
ZIP = b"PK\x03\x04"
OLD_EXCEL = b"\xd0\xcf\x11\xe0"
DELIMITERS = ",;\t"
PRICE_FEN = "price_fen"
# How counters are headed in files of ours, and what people call them.
COUNTERS = ("stock", "sold", "available", "taken", "quantity", "inventory", "库存", "已售", "可售")
COUNTER_HEADINGS: tuple["str | Promise", ...] = (_("stock"), _("sold"))


@dataclass(frozen=True, slots=True)
class Line:
    """What one row of the file says: the row's number in it, and its cells that are not empty."""

    row: int
    said: dict[str, str]


def lines_of(content: bytes) -> list[Line]:
    """The lines of a file. Raises Invalid."""
    if len(content) > MOST_BYTES:
        raise _refused(gettext("The file is larger than %(most)d bytes.") % {"most": MOST_BYTES})
    if content.startswith(OLD_EXCEL):
        raise _refused(gettext("Files of old Excel can't be read: save it as XLSX or CSV."))
    rows = _xlsx_rows(content) if content.startswith(ZIP) else _csv_rows(content)
    numbered = ((number, row) for number, row in enumerate(rows, start=1) if any(row))
    first = next(numbered, None)
    if first is None:
        raise _refused(gettext("The file is empty."))
    columns = _columns(first[1])
    lines = [Line(number, _said(columns, row, number)) for number, row in numbered]
    if len(lines) > MOST_LINES:
        raise _refused(gettext("More than %(most)d lines: split the file.") % {"most": MOST_LINES})
    return lines


def format_of(content: bytes) -> str:
    """How the file is written, for the log."""
    return "xlsx" if content.startswith(ZIP) else "csv"


def _refused(message: str) -> Invalid:
    return Invalid.field("file", message)


def _csv_rows(content: bytes) -> Iterator[list[str]]:
    text = _decoded(content)
    first_line = text[: text.find("\n") + 1] or text
    delimiter = max(DELIMITERS, key=first_line.count)
    try:
        for row in csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True):
            yield [cell.strip() for cell in row]
    except csv.Error as error:
        message = gettext("The file is no whole CSV file: %(problem)s.")
        raise _refused(message % {"problem": error}) from error


def _decoded(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise _refused(gettext("The file is neither XLSX nor text in UTF-8 or GB18030."))


def _xlsx_rows(content: bytes) -> Iterator[list[str]]:
    try:
        with ZipFile(BytesIO(content)) as packed:
            if sum(part.file_size for part in packed.infolist()) > MOST_UNPACKED_BYTES:
                raise _refused(gettext("The file is too large when it is unpacked."))
        book = load_workbook(BytesIO(content), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # what the file says of its size need not be so
        limits = {"max_row": MOST_ROWS + 1, "max_col": MOST_COLUMNS + 1}
        rows = [
            [_cell_text(cell) for cell in row]
            for row in sheet.iter_rows(**limits, values_only=True)
        ]
        if len(rows) > MOST_ROWS or any(len(row) > MOST_COLUMNS and row[-1] for row in rows):
            message = gettext("More than %(rows)d rows or %(columns)d columns.")
            raise _refused(message % {"rows": MOST_ROWS, "columns": MOST_COLUMNS})
    except Invalid:
        raise
    except Exception as error:  # its parsers raise whatever they like
        raise _refused(gettext("The file can't be read as XLSX: save it anew.")) from error
    yield from rows


def _cell_text(cell: Any) -> str:
    """What the spreadsheet shows in a cell, or nearly; only text and numbers matter to us."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(int(cell))
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    return str(cell).strip()


def _columns(headings: Sequence[str]) -> list[str]:
    """The names of the columns under these headings; "" where there is none."""
    known, counters = _known_headings()
    columns = []
    for heading in headings:
        wanted = _folded(unguarded(heading))
        if wanted in counters:
            message = gettext(
                "Column “%(heading)s”: stock changes on its own page, “adjust stock”, or with the"
                " command seed_stock, never by an import. Leave the column out."
            )
            raise _refused(message % {"heading": heading})
        if wanted and wanted not in known:
            message = gettext("Nobody knows a column “%(heading)s”. Known are: %(known)s.")
            names = ", ".join([*CatalogueColumns().fields, PRICE_FEN])
            raise _refused(message % {"heading": heading, "known": names})
        columns.append(known.get(wanted, ""))
    named = [name for name in columns if name]
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice:
        raise _refused(gettext("Column “%(name)s” is there twice.") % {"name": twice})
    if {"price_yuan", PRICE_FEN} <= set(named):
        raise _refused(gettext("Two columns of the price, in yuan and in fen: leave one out."))
    return columns


def _known_headings() -> tuple[dict[str, str], set[str]]:
    """Heading -> column, in each language of the shop, and the headings of counters."""
    names = list(CatalogueColumns().fields)
    known = {name: name for name in [*names, PRICE_FEN]}
    counters = set(COUNTERS)
    for language, _name in settings.LANGUAGES:
        with override(language):
            headings = map(_folded, CatalogueColumns().get_export_headers())
            known |= dict(zip(headings, names, strict=True))
            known[_folded(gettext("price (fen)"))] = PRICE_FEN
            counters |= {_folded(str(heading)) for heading in COUNTER_HEADINGS}
    return known, counters


def _folded(heading: str) -> str:
    return " ".join(heading.casefold().split())


def _said(columns: Sequence[str], row: Iterable[str], number: int) -> dict[str, str]:
    said = {}
    for place, cell in enumerate(row):
        name = columns[place] if place < len(columns) else ""
        if cell and not name:
            message = gettext("Row %(row)d has a cell under no heading: “%(cell)s”.")
            raise _refused(message % {"row": number, "cell": cell[:40]})
        if cell:
            said[name] = unguarded(cell).replace("\r\n", "\n").replace("\r", "\n").strip()
    return said
