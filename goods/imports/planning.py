"""What a file would change: compared with the database, nothing written.

A line is a SKU, by its code, with its goods beside it; one without a code is goods alone. Which
goods: those of the SKU; else those whose id the line names; else the ones of this title, in the
shop or in the file; else new ones, the same for all lines of that title. What several lines say of
one goods must agree. A faulty line has reasons, and as long as there is one the file changes
nothing.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from goods.exports import heading_of
from goods.imports.reading import Line
from goods.imports.values import GOODS_FIELDS, SKU_FIELDS, is_same, told, value_of
from goods.models import Category, Goods, Sku


@dataclass(frozen=True, slots=True)
class Change:
    """A column, and what it says before and after, as in a file; before "" where it is new."""

    column: str
    before: str
    after: str


@dataclass(slots=True)
class Target:
    """Goods that lines are about: stored ones, or a draft; `fields` are those that change."""

    goods: Goods
    is_new: bool = False
    said: dict[str, Any] = field(default_factory=dict)
    fields: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Row:
    """What becomes of one line."""

    line: Line
    values: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    target: Target | None = None
    goods_changes: list[Change] = field(default_factory=list)
    makes_goods: bool = False
    sku: Sku | None = None
    sku_changes: list[Change] = field(default_factory=list)
    makes_sku: bool = False
    # Those of the SKU's fields that change.
    fields: list[str] = field(default_factory=list)

    @property
    def is_new(self) -> bool:
        return self.makes_goods or self.makes_sku

    @property
    def changes(self) -> list[Change]:
        return [*self.goods_changes, *self.sku_changes]

    @property
    def code(self) -> str:
        return str(self.values.get("code", ""))

    @property
    def title(self) -> str:
        """What its goods are called."""
        return self.target.goods.title if self.target else self.line.said.get("title", "")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a file would change, line by line, and what is to be written for that."""

    rows: Sequence[Row]
    targets: Sequence[Target]

    @property
    def faulty(self) -> list[Row]:
        return [row for row in self.rows if row.faults]

    @property
    def new(self) -> list[Row]:
        return [row for row in self.rows if row.is_new and not row.faults]

    @property
    def changed(self) -> list[Row]:
        return [row for row in self.rows if row.changes and not row.is_new and not row.faults]

    @property
    def unchanged(self) -> int:
        return len(self.rows) - len(self.faulty) - len(self.new) - len(self.changed)

    @property
    def is_nothing(self) -> bool:
        """Whether the shop is already what the file says."""
        return self.unchanged == len(self.rows)

    def digest(self) -> str:
        """Names all of it that is shown, what is there before included: another digest is another
        plan."""
        shown = [
            [
                row.line.row,
                row.code,
                row.title,
                row.target and row.target.goods.pk,
                row.sku and row.sku.pk,
                row.is_new,
                [[change.column, change.before, change.after] for change in row.changes],
                row.faults,
            ]
            for row in self.rows
        ]
        return hashlib.sha256(json.dumps(shown).encode()).hexdigest()


def plan_of(lines: Sequence[Line]) -> Plan:
    """Compares the lines with the database: as many queries however many lines there are."""
    rows = [_parsed(line) for line in lines]
    told_once = _find_skus(rows)
    targets = _find_goods(told_once)
    _compare_goods(told_once)
    _compare_skus(told_once)
    return Plan(rows, targets)


def _parsed(line: Line) -> Row:
    row = Row(line)
    for column, text in line.said.items():
        try:
            row.values[column] = value_of(column, text)
        except ValidationError as error:
            row.faults += [f"{heading_of(column)}: {message}" for message in error.messages]
    return row


def _find_skus(rows: Sequence[Row]) -> list[Row]:
    """Gives each row its SKU, if there is one; returns the rows whose code none before them has."""
    codes = {row.code for row in rows if row.code}
    stored = {sku.code: sku for sku in Sku.objects.filter(code__in=codes).select_related("goods")}
    first: dict[str, int] = {}
    told_once = []
    for row in rows:
        if row.code and row.code in first:
            message = gettext("This code is in row %(row)d as well.")
            row.faults.append(message % {"row": first[row.code]})
            continue
        told_once.append(row)
        if row.code:
            first[row.code] = row.line.row
            row.sku = stored.get(row.code)
        elif any(column in row.line.said for column in SKU_FIELDS):
            row.faults.append(gettext("A SKU needs a code."))
    return told_once


def _find_goods(rows: Sequence[Row]) -> list[Target]:
    """Gives each row its goods, those of one goods the same."""
    ids = {row.values["goods"] for row in rows if row.values.get("goods")}
    by_id = Goods.objects.select_related("category").in_bulk(
        ids | {row.sku.goods_id for row in rows if row.sku}
    )
    targets = {pk: Target(goods) for pk, goods in by_id.items()}
    for row in rows:
        if row.sku:
            row.target = targets[row.sku.goods_id]
        elif row.values.get("goods"):
            row.target = targets.get(row.values["goods"])
            if row.target is None:
                row.faults.append(gettext("No goods have this id."))
        if row.sku and row.values.get("goods") not in (None, row.sku.goods_id):
            message = gettext("This SKU belongs to the goods %(goods)d, and stays with them.")
            row.faults.append(message % {"goods": row.sku.goods_id})
    titled = _titled(rows, targets)
    for row in rows:
        if not row.target and "goods" not in row.line.said:
            _find_by_title(row, titled)
    used = {id(row.target): row.target for row in rows if row.target}
    return list(used.values())


def _titled(rows: Sequence[Row], targets: dict[int, Target]) -> defaultdict[str, list[Target]]:
    """Goods by their title: by the one that they have, and by the one that the file gives them."""
    titled: defaultdict[str, list[Target]] = defaultdict(list)
    titles = {row.values["title"] for row in rows if "title" in row.values and not row.target}
    found = Goods.objects.filter(title__in=titles).select_related("category").order_by("pk")
    for goods in found if titles else ():
        # Told apart here: to the database, small and capital letters may be the same.
        titled[goods.title.strip()].append(targets.setdefault(goods.pk, Target(goods)))
    for row in rows:
        alike = titled[row.values.get("title", "")]
        if row.target and row.target not in alike:
            alike.append(row.target)
    return titled


def _find_by_title(row: Row, titled: defaultdict[str, list[Target]]) -> None:
    title = row.values.get("title")
    if not title:
        if "title" not in row.line.said:
            row.faults.append(gettext("New goods need a title."))
        return
    found = titled[title]
    if not found:
        found.append(Target(Goods(title=title), is_new=True))
    if len(found) > 1:
        message = gettext("%(count)d goods have this title: name one by its id.")
        row.faults.append(message % {"count": len(found)})
    else:
        row.target = found[0]


def _compare_goods(rows: Sequence[Row]) -> None:
    categories: defaultdict[str, list[Category]] = defaultdict(list)
    for category in Category.objects.all():
        categories[category.title].append(category)
    first: dict[int, Row] = {}
    for row in rows:
        if row.target is None:
            continue
        first.setdefault(id(row.target), row)
        for column, name in GOODS_FIELDS.items():
            if column in row.values:
                _say(row, row.target, column, name, categories)
    for row in first.values():
        if row.target and row.target.is_new:
            row.makes_goods = True
            if "category" not in row.target.said and "category" not in row.line.said:
                row.faults.append(gettext("New goods need a category."))


def _say(
    row: Row,
    target: Target,
    column: str,
    name: str,
    categories: defaultdict[str, list[Category]],
) -> None:
    """What one cell says of the row's goods; others of the same goods may have said it before."""
    value = row.values[column]
    if column == "category":
        found = categories[value]
        if not target.is_new and target.goods.category.title == value:
            found = [target.goods.category]  # one of several with this title, perhaps
        if len(found) != 1:
            row.faults.append(_category_fault(len(found)))
            return
        value = found[0]
    if name not in target.said:
        target.said[name] = value
        change = _change(target.goods, target.fields, column, name, value, is_new=target.is_new)
        row.goods_changes += change
    elif target.said[name] != value:
        message = gettext("%(column)s: another row says otherwise of the same goods.")
        row.faults.append(message % {"column": heading_of(column)})


def _category_fault(found: int) -> str:
    if found:
        return gettext("%(count)d categories have this title.") % {"count": found}
    return gettext("No category has this title: make it first.")


def _compare_skus(rows: Sequence[Row]) -> None:
    for row in rows:
        if row.target is None or not row.code:
            continue
        if row.sku is None:
            row.makes_sku = True
            row.sku = Sku(code=row.code)
            if not {"price_yuan", "price_fen"} & set(row.line.said):
                row.faults.append(gettext("A new SKU needs a price."))
        for column, name in SKU_FIELDS.items():
            if column in row.values:
                value = row.values[column]
                row.sku_changes += _change(
                    row.sku, row.fields, column, name, value, is_new=row.makes_sku
                )


def _change(
    stored: Any, fields: list[str], column: str, name: str, value: Any, *, is_new: bool
) -> list[Change]:
    """What changes, if anything; it is put into the row as it will be stored."""
    # A draft has defaults that nobody said, and no category to be read.
    before = None if is_new else getattr(stored, name)
    if not is_new and is_same(before, value):
        return []
    fields.append(name)
    setattr(stored, name, value)
    return [Change(column, told(name, before), told(name, value))]


def goods_of(plan: Plan) -> Iterator[Target]:
    """Goods to be written."""
    return (target for target in plan.targets if target.is_new or target.fields)
