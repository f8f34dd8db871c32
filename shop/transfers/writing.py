"""Cells into files: CSV as a stream, XLSX as a file on disk that is given away when it is whole."""

import csv
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from decimal import Decimal
from io import StringIO
from tempfile import TemporaryFile
from typing import IO, Any

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from shop.transfers.cells import Number

# Without it Excel takes UTF-8 for whatever the machine's own encoding is.
MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
# Rows of an XLSX file: it can't be streamed, and whoever asks waits for all of it.
MOST_XLSX_ROWS = 100_000
# What Excel itself can hold in a cell; openpyxl would cut the rest off.
MOST_XLSX_CHARACTERS = 32_767
# Digits that a number of Excel can hold; beyond it would be another number.
MOST_XLSX_DIGITS = 15

# Cells of rows of pages. Whoever takes no more of them says so, that it may be logged.
Pages = Generator[Sequence[Sequence[str]], None, None]


class TooManyRows(Exception):
    """More than MOST_XLSX_ROWS."""


class TooLongText(Exception):
    """A cell of more than MOST_XLSX_CHARACTERS."""


def csv_stream(headings: Sequence[str], pages: Pages) -> Iterator[str]:
    """A CSV file in pieces, one for each page."""
    with closing(pages):
        yield MARK + _lines([headings])
        for page in pages:
            yield _lines(page)


def _lines(rows: Iterable[Sequence[str]]) -> str:
    written = StringIO(newline="")
    csv.writer(written).writerows(rows)
    return written.getvalue()


def xlsx_file(headings: Sequence[str], pages: Pages) -> IO[bytes]:
    """An XLSX file that is gone when it is closed. Raises TooManyRows, TooLongText."""
    book = Workbook(write_only=True)
    with ExitStack() as unless_whole:
        file = unless_whole.enter_context(TemporaryFile())
        try:
            _fill(book.create_sheet(), headings, pages)
        finally:
            book.save(file)  # in any case: openpyxl puts its own files away only then
        file.seek(0)
        unless_whole.pop_all()
    return file


def _fill(sheet: Any, headings: Sequence[str], pages: Pages) -> None:
    sheet.append(headings)
    rows = 0
    with closing(pages):
        for page in pages:
            rows += len(page)
            if rows > MOST_XLSX_ROWS:
                raise TooManyRows
            for row in page:
                sheet.append([_xlsx_cell(cell) for cell in row])


def _xlsx_cell(cell: str) -> str | Decimal:
    if isinstance(cell, Number) and len(cell) <= MOST_XLSX_DIGITS:
        return Decimal(cell)  # only so that it is written as a number, with these very digits
    if len(cell) > MOST_XLSX_CHARACTERS:
        raise TooLongText
    return str(ILLEGAL_CHARACTERS_RE.sub("", cell))
