"""What a file of the shop holds: its columns, and the rows behind a list of the console.

Rows are read in pages by their id, each page a query of its own, so that an export of any size
holds one page in memory and no cursor open. It is therefore no snapshot: a row that changes
meanwhile is told as it was when its page was read.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from django.db.models import QuerySet
from django.utils.functional import Promise
from import_export.resources import Resource

# Rows of one query.
PAGE = 1_000
# Rows are numbered nearly in the order of their moments. Nearly: a transaction that took longer
# than this to commit, or a clock that far off, would put one on the wrong side of a range of days.
DISORDER = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A kind of file. Its columns are those of `columns`, in their order."""

    name: str
    title: "str | Promise"
    columns: type[Resource]
    # What the columns read beside the row itself, a page at a time.
    prefetch: Sequence[Any] = ()
    # Where a file's rows are not the list's own but theirs: those of some of the list's rows, and
    # the column that names the list's row.
    children: Callable[[], QuerySet[Any]] | None = None
    parent: str = ""
    # Where each of the list's rows is some lines of the file: which.
    expand: Callable[[Any], Iterable[Any]] | None = None

    def headings(self) -> list[str]:
        """The columns' names, in the reader's language."""
        headings: list[str] = self.columns().get_export_headers()
        return headings

    def pages(self, rows: QuerySet[Any], *, whole: bool) -> Iterator[list[list[str]]]:
        """The cells of these rows of the list, a page at a time. `whole`: with names, phones and
        addresses."""
        columns = self.columns().get_export_fields()
        for page in self._sources(rows):
            lines = chain.from_iterable(map(self.expand, page)) if self.expand else page
            yield [[column.export(line, whole=whole) for column in columns] for line in lines]

    def _sources(self, rows: QuerySet[Any]) -> Iterator[list[Any]]:
        if self.children is None:
            yield from pages(rows.prefetch_related(*self.prefetch))
            return
        for parents in pages(rows.prefetch_related(None).values_list("pk", flat=True)):
            children = self.children().filter(**{f"{self.parent}__in": parents})
            yield from pages(children.prefetch_related(*self.prefetch))


def pages(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    """Rows, or ids where that is what `rows` gives, by id, PAGE at a time."""
    ordered, last = rows.order_by("pk"), 0
    while page := list(ordered.filter(pk__gt=last)[:PAGE]):
        yield page
        if len(page) < PAGE:
            return
        last = page[-1] if isinstance(page[-1], int) else page[-1].pk


def between(
    rows: QuerySet[Any], *, column: str, since: datetime | None, until: datetime | None
) -> QuerySet[Any]:
    """Those of `rows` whose moment in `column` lies in [since, until).

    No index is over those moments. But ids ascend with them, so the range of ids around them is
    found by halving, in some twenty look-ups; see DISORDER."""
    if since is not None:
        first = _first_id(rows, column, since - DISORDER)
        rows = rows.filter(**{"pk__gte": first, f"{column}__gte": since})
    if until is not None:
        beyond = _first_id(rows, column, until + DISORDER)
        rows = rows.filter(**{"pk__lt": beyond, f"{column}__lt": until})
    return rows


def _first_id(rows: QuerySet[Any], column: str, moment: datetime) -> int:
    """The id from which on no row of the table is older than `moment`, nearly."""
    table = rows.model._default_manager.order_by("pk").values_list("pk", column)
    newest = table.last()
    low, high = 0, newest[0] + 1 if newest else 0
    while low < high:
        middle = (low + high) // 2
        pk, told = table.filter(pk__gte=middle).first() or (high, moment)
        if told < moment:
            low = pk + 1
        else:
            high = middle
    return low
