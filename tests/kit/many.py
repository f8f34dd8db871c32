"""Tables as large as a shop's after years: copies of one row, made by the database itself; and how
many rows it reads to answer."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.models import Model

# Copies made by one statement.
STEP = 50_000


def multiply(row: Model, copies: int, **columns: str) -> None:
    """Copies a stored row so often. `columns`: SQL for those that differ; `n` is the copy's number,
    from 1 on, and `o` the row."""
    fields = [field.column for field in row._meta.concrete_fields if not field.primary_key]
    quote = connection.ops.quote_name
    values = ", ".join(columns.get(name, f"o.{quote(name)}") for name in fields)
    names = ", ".join(quote(name) for name in fields)
    table = quote(row._meta.db_table)
    for start in range(1, copies + 1, STEP):
        end = min(copies, start + STEP - 1)
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table} ({names}) SELECT {values}"  # noqa: S608
                f" FROM ({_numbers(start, end)}) numbers, {table} o WHERE o.id = {row.pk}"
            )


def _numbers(start: int, end: int) -> str:
    if connection.vendor == "mysql":
        return f"SELECT seq AS n FROM seq_{start}_to_{end}"  # noqa: S608
    return (
        f"WITH RECURSIVE s(n) AS (SELECT {start} UNION ALL SELECT n + 1 FROM s WHERE n < {end})"  # noqa: S608
        " SELECT n FROM s"
    )


def numbered(prefix: str, width: int = 24) -> str:
    """SQL for `multiply`: `prefix` and the copy's number, so wide in all."""
    zeros = width - len(prefix)
    if connection.vendor == "mysql":
        return f"CONCAT('{prefix}', LPAD(n, {zeros}, '0'))"
    return f"'{prefix}' || printf('%0{zeros}d', n)"


@contextmanager
def rows_read() -> Iterator[list[int]]:
    """Counts into the list what MariaDB reads for this connection inside: rows and entries of
    indexes alike."""
    before = _reads()
    read: list[int] = []
    yield read
    read.append(_reads() - before)


def _reads() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler\\_read%'")
        return sum(int(count) for _name, count in cursor.fetchall())


def analyze(*models: type[Model]) -> None:
    """Lets MariaDB know how large the tables have become, as it does by itself after a while."""
    with connection.cursor() as cursor:
        for model in models:
            cursor.execute(f"ANALYZE TABLE {model._meta.db_table}")
            cursor.fetchall()


def truncate(*models: type[Model]) -> None:
    """Empties the tables, whoever points at them: to delete a million rows takes longer than any
    statement may."""
    with connection.cursor() as cursor:
        cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
        for model in models:
            cursor.execute(f"TRUNCATE TABLE {model._meta.db_table}")
        cursor.execute("SET FOREIGN_KEY_CHECKS = 1")
