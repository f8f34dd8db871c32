"""What the doctor asks of the database: whether it keeps and locks rows as the shop relies on."""

from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from shop.health import database as ask_clock
from shop.ops.examining import (
    MIGRATIONS,
    Asks,
    Line,
    examination,
    is_production,
    ok,
    problem,
    warning,
)

SKEW_MS, WRONG_CLOCK_MS = 1_000, 60_000
SHOWN = 5


@examination(MIGRATIONS, asks=Asks.DATABASE)
def migrations() -> Iterator[Line]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        yield ok(MIGRATIONS, "Every migration is applied.")
        return
    names = [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    says = f"Not applied: {', '.join(names[:SHOWN])}{more}. What needs their columns fails."
    yield problem(MIGRATIONS, says, "Run `manage.py migrate`.")


@examination("database.clock", asks=Asks.DATABASE)
def clock() -> Iterator[Line]:
    skew = ask_clock()["clock_skew_ms"]
    says = f"Its clock is {abs(skew):.0f} ms {'ahead of' if skew >= 0 else 'behind'} this machine's"
    if abs(skew) <= SKEW_MS:
        yield ok("database.clock", f"{says}.")
        return
    verdict = problem if abs(skew) > WRONG_CLOCK_MS else warning
    means = "deadlines are the database's, tokens and logs this machine's"
    yield verdict("database.clock", f"{says}: {means}.", "Run NTP (chrony) on both machines.")


@examination("database.storage", asks=Asks.DATABASE)
def storage() -> Iterator[Line]:
    """Whether what was answered is on the disk, and locked while it is decided."""
    if connection.vendor == "sqlite":
        yield from _sqlite()
    else:
        yield from _engine()
        yield from _durability()


@examination("database.mode", asks=Asks.DATABASE)
def mode() -> Iterator[Line]:
    """How a session of ours sees and stores rows."""
    if connection.vendor == "sqlite":
        return
    isolation = _variable("transaction_isolation") or _variable("tx_isolation")
    if isolation == "READ-COMMITTED":
        yield ok("database.isolation", "Isolation is READ COMMITTED.")
    else:
        says = f"Isolation is {isolation}: what is read after a lock may be stale."
        do = "Set `isolation_level` to `read committed` in DATABASES."
        yield problem("database.isolation", says, do)
    modes = str(_variable("sql_mode"))
    if "STRICT_TRANS_TABLES" in modes or "STRICT_ALL_TABLES" in modes:
        yield ok("database.sql_mode", "What does not fit is refused (strict mode).")
    else:
        says = "sql_mode is not strict: what does not fit is cut off or made 0, silently."
        yield problem("database.sql_mode", says, "Add STRICT_TRANS_TABLES to sql_mode.")


@examination("database.abilities", asks=Asks.DATABASE)
def abilities() -> Iterator[Line]:
    if connection.features.can_return_columns_from_insert:
        yield ok("database.returning", "It tells the rows that it stored (RETURNING).")
    else:
        says = "It has no RETURNING: the shop reads what it stored once more, which costs time."
        yield warning("database.returning", says, "MariaDB 10.5 and later have it.")
    if connection.features.has_zoneinfo_database:
        yield ok("database.zones", "It knows the time zones by name.")
    else:
        says = "It has no table of time zones: the shop needs none, reports by local days do."
        do = "Run `mysql_tzinfo_to_sql /usr/share/zoneinfo | mysql mysql` on its server."
        yield warning("database.zones", says, do)


def _sqlite() -> Iterator[Line]:
    if is_production():
        says = "SQLite is for one machine and one writer at a time."
        yield problem("database.engine", says, "Use MariaDB: docs/deployment.md.")
    with connection.cursor() as cursor:
        journal = cursor.execute("PRAGMA journal_mode").fetchone()[0]
        synchronous = cursor.execute("PRAGMA synchronous").fetchone()[0]
    if str(journal).lower() == "wal":
        yield ok("database.journal", "SQLite writes ahead (WAL): readers don't wait.")
    else:
        says = f"SQLite's journal is {journal}: readers and writers wait for each other."
        yield warning("database.journal", says, "Add `PRAGMA journal_mode=WAL` to init_command.")
    if int(synchronous) >= 2:
        yield ok("database.durability", "What is answered is on the disk (synchronous FULL).")
    else:
        says = "SQLite does not wait for the disk: a loss of power loses answered orders."
        yield warning("database.durability", says, "Set `PRAGMA synchronous=FULL`.")


def _engine() -> Iterator[Line]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, engine FROM information_schema.tables WHERE table_schema ="
            " DATABASE() AND table_type = 'BASE TABLE' AND engine <> 'InnoDB' ORDER BY table_name"
        )
        others = cursor.fetchall()
    if not others:
        yield ok("database.engine", "All tables are InnoDB.")
        return
    names = ", ".join(f"{table} ({engine})" for table, engine in others[:SHOWN])
    says = f"Not InnoDB, so without transactions and row locks: {names}."
    do = "Run `ALTER TABLE ... ENGINE=InnoDB` for each, and set default_storage_engine."
    yield problem("database.engine", says, do)


def _durability() -> Iterator[Line]:
    lax = []
    if str(_variable("innodb_flush_log_at_trx_commit")) != "1":
        lax.append("innodb_flush_log_at_trx_commit")
    if str(_variable("log_bin")) in ("1", "ON") and str(_variable("sync_binlog")) != "1":
        lax.append("sync_binlog")
    if lax:
        says = "A loss of power loses the orders of the last second, which were answered."
        yield warning("database.durability", says, f"Set {' and '.join(lax)} to 1.")
    else:
        yield ok("database.durability", "What is answered is on the disk.")


def _variable(name: str) -> Any:
    """This session's value; None where there is no such variable."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION VARIABLES WHERE Variable_name = %s", [name])
        row = cursor.fetchone()
    return row[1] if row else None
