"""Statements that the ORM writes once, for the few places where that costs more than running them.

On the path of an order the ORM spends about 250 microseconds on composing a SELECT or an INSERT
that is the same each time, and the database 60 on answering it. `Select` keeps the composed text
and fills in the values; `insert` knows a model's columns by heart. What they send is what the ORM
would send. Everywhere else, use the ORM.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

# Stand-ins for the values while a statement is composed; nothing else looks like them.
FIRST_MARKER = 7_340_000_000_000


@dataclass(frozen=True, slots=True)
class _Composed:
    sql: str
    # For each %s: the place of the caller's value, or the statement's own constant.
    parameters: Sequence[tuple[int | None, Any]]
    compiler: Any
    converters: Any


class Select:
    """A query over integer parameters, composed when first asked for.

    `build(*values)` returns the `values_list` query set; it is called once for each number of
    values, with stand-ins for them, so it must put each value into the query as it is.
    """

    def __init__(self, build: Callable[..., models.QuerySet[Any, Any]]) -> None:
        self._build = build
        self._composed: dict[tuple[str, int], _Composed | None] = {}

    def rows(self, *values: int) -> list[tuple[Any, ...]]:
        """The rows of the query for these values."""
        key = (connection.vendor, len(values))
        if key not in self._composed:
            self._composed[key] = self._compose(len(values))
        composed = self._composed[key]
        if composed is None:
            return []
        parameters = [
            constant if place is None else values[place] for place, constant in composed.parameters
        ]
        with connection.cursor() as cursor:
            cursor.execute(composed.sql, parameters)
            rows = cursor.fetchall()
        if composed.converters:
            rows = composed.compiler.apply_converters(rows, composed.converters)
        return [tuple(row) for row in rows]

    def row(self, *values: int) -> tuple[Any, ...] | None:
        """The first row, or None."""
        return next(iter(self.rows(*values)), None)

    def _compose(self, count: int) -> _Composed | None:
        """None for a query that can have no rows, such as one among no ids."""
        places = {FIRST_MARKER + place: place for place in range(count)}
        compiler = self._build(*places).query.get_compiler(connection=connection)
        try:
            sql, parameters = compiler.as_sql()
        except EmptyResultSet:
            return None
        used = [(places.get(value), value) for value in parameters]
        missing = set(range(count)) - {place for place, _ in used}
        if missing:
            raise ValueError(f"values {sorted(missing)} are not in the query: {sql}")
        converters = compiler.get_converters([column[0] for column in compiler.select])
        return _Composed(sql, used, compiler, converters)


# What drivers take as it is, where a field stores it as it is.
_PLAIN_VALUES = {int, str, bool}
_PLAIN_FIELDS = {
    "BigIntegerField",
    "BooleanField",
    "CharField",
    "ForeignKey",
    "IntegerField",
    "PositiveIntegerField",
    "PositiveSmallIntegerField",
}


@dataclass(frozen=True, slots=True)
class _Column:
    """How one column's value is found on a row."""

    field: "models.Field[Any, Any]"
    is_plain: bool
    # Set by the field itself as it is saved (auto_now_add).
    is_own: bool

    def value(self, row: models.Model, database: BaseDatabaseWrapper) -> Any:
        field = self.field
        value = field.pre_save(row, add=True) if self.is_own else getattr(row, field.attname)
        if value is None or (self.is_plain and type(value) in _PLAIN_VALUES):
            return value
        return field.get_db_prep_save(value, database)


@cache
def _insertion(model: type[models.Model]) -> tuple[str, str, Sequence[_Column]]:
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    quote = connection.ops.quote_name
    names = ", ".join(quote(str(field.column)) for field in fields)
    head = f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES "  # noqa: S608
    columns = [
        _Column(
            field,
            is_plain=field.get_internal_type() in _PLAIN_FIELDS,
            is_own=type(field).pre_save is not models.Field.pre_save,
        )
        for field in fields
    ]
    return head, f"({', '.join(['%s'] * len(fields))})", columns


def insert(rows: Sequence[models.Model]) -> None:
    """Stores new rows of one model in one statement. A single row learns its id; several do not
    (no database says so of all of them, and MySQL of none)."""
    head, slot, columns = _insertion(type(rows[0]))
    # Itself, not the proxy to it: it is asked for each value.
    database = connections[DEFAULT_DB_ALIAS]
    values = [column.value(row, database) for row in rows for column in columns]
    with database.cursor() as cursor:
        cursor.execute(head + ", ".join([slot] * len(rows)), values)
        if len(rows) == 1:
            rows[0].pk = cursor.lastrowid
    for row in rows:
        row._state.adding = False
        row._state.db = database.alias


def insert_values(
    model: type[models.Model], names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Stores many rows of plain values in one statement: for each row one value per name of
    `names`, which are columns. Columns left out must be null or have a default in the database."""
    quote = connection.ops.quote_name
    columns = ", ".join(quote(name) for name in names)
    slots = ", ".join([f"({', '.join(['%s'] * len(names))})"] * len(rows))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES {slots}",  # noqa: S608
            [value for row in rows for value in row],
        )
