"""Empty tables after a test that commits: those in which something is.

Django deletes from every table and has every content type and permission made anew, which takes
longer than most tests here. What its own way leaves behind is left alone, as long as it is as it
was; where a test has changed that, Django's way is gone again.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from django.apps import apps
from django.core.management.color import no_style
from django.db import connections
from django.test import TransactionTestCase

# For each table that has rows: how many, and the highest key.
Filled = Mapping[str, tuple[int, Any]]

# By database: what is there before a test.
_standing: dict[str, Filled] = {}


def emptied_quickly() -> None:
    """From now on, for all tests of this process."""
    flush = TransactionTestCase._fixture_teardown

    def empty(case: TransactionTestCase) -> None:
        [alias] = case._databases_names(include_mirrors=False)
        _empty(alias, flush=lambda: flush(case))

    TransactionTestCase._fixture_teardown = empty


def _empty(alias: str, *, flush: Callable[[], None]) -> None:
    filled, standing = _filled(alias), _standing.get(alias)
    if standing is None or {table: filled.get(table) for table in standing} != standing:
        flush()
        _standing[alias] = _filled(alias)
        return
    if written := sorted(filled.keys() - standing.keys()):
        operations = connections[alias].ops
        operations.execute_sql_flush(
            operations.sql_flush(no_style(), written, reset_sequences=False, allow_cascade=False)
        )


def _filled(alias: str) -> Filled:
    tables = sorted(_keys())
    with connections[alias].cursor() as cursor:
        cursor.execute(_counting(connections[alias].ops.quote_name))
        row = cursor.fetchone()
    pairs = zip(tables, zip(row[::2], row[1::2], strict=True), strict=True)
    return {table: (count, highest) for table, (count, highest) in pairs if count}


@cache
def _keys() -> Mapping[str, str | None]:
    """The key's column of every table that has a model; None where a key is of several."""
    models = [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]
    return {model._meta.db_table: model._meta.pk.column for model in models}


@cache
def _counting(quoted: Callable[[str], str]) -> str:
    """One statement: of each table, in the order of their names, how many rows and the highest
    key."""
    looks = []
    for table, key in sorted(_keys().items()):
        highest = f"MAX({quoted(key)})" if key else "NULL"
        looks += [f"(SELECT {one} FROM {quoted(table)} LIMIT 1)" for one in ("COUNT(*)", highest)]  # noqa: S608
    return f"SELECT {', '.join(looks)}"
