"""What is missing or wrong in a set-up, in words: each line says how it stands, what it means, and
what to do about it.

An examination yields lines and is registered under a name; each app has its own in a module named
`doctor`, which only the command imports. One that breaks is a line itself, and so is the database
when it does not answer: then nothing is asked of it again. Lines name errors, never their texts,
which hold hosts and users.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import IntEnum, StrEnum
from typing import Any

from django.conf import settings
from django.db import connection

from shop.ops.health import name_of

REACHABLE, MIGRATIONS = "database.reachable", "database.migrations"


class Verdict(StrEnum):
    """How a line stands. Only a problem fails the command."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Line:
    """`name`: dotted, for programs. `do`: what to do about it, "" where all is well."""

    name: str
    verdict: Verdict
    says: str
    do: str = ""


Look = Callable[[], Iterable[Line]]


def ok(name: str, says: str) -> Line:
    return Line(name, Verdict.OK, says)


def warning(name: str, says: str, do: str) -> Line:
    return Line(name, Verdict.WARNING, says, do)


def problem(name: str, says: str, do: str) -> Line:
    return Line(name, Verdict.PROBLEM, says, do)


class Asks(IntEnum):
    """What an examination can't do without."""

    NOTHING = 0
    DATABASE = 1
    TABLES = 2


@dataclass(frozen=True, slots=True)
class Examination:
    name: str
    look: Look
    asks: Asks


_examinations: dict[str, Examination] = {}


def examination(name: str, *, asks: Asks = Asks.NOTHING) -> Callable[[Look], Look]:
    """Registers what yields the lines about `name`."""

    def register(look: Look) -> Look:
        _examinations[name] = Examination(name, look, asks)
        return look

    return register


def examine() -> list[Line]:
    """Every line there is: first the database, then what asks nothing of it, then what stands in
    its tables."""
    reachable = _database()
    lines = [reachable]
    missing = "the database does not answer" if reachable.verdict == Verdict.PROBLEM else ""
    if not missing:
        lines += _all_of(Asks.DATABASE)
        if any(line.name == MIGRATIONS and line.verdict == Verdict.PROBLEM for line in lines):
            missing = "migrations are missing"
    lines += _all_of(Asks.NOTHING)
    if missing:
        unseen = sorted(one.name for one in _examinations.values() if one.asks == Asks.TABLES)
        says = f"Not looked at, because {missing}: {', '.join(unseen)}."
        return [*lines, warning("database.unseen", says, "Mend that first, then look again.")]
    return [*lines, *_all_of(Asks.TABLES)]


def _all_of(asks: Asks) -> list[Line]:
    """What these examinations find; one that breaks is a line itself."""
    return [line for one in _examinations.values() if one.asks == asks for line in _lines(one)]


def as_document(lines: Iterable[Line]) -> dict[str, Any]:
    """For machines."""
    rows = [asdict(line) for line in lines]
    return {"ok": all(row["verdict"] != Verdict.PROBLEM for row in rows), "lines": rows}


def is_production() -> bool:
    """What only production settings forbid, all others allow."""
    return not settings.FAILPOINTS_ALLOWED


def _lines(one: Examination) -> Iterator[Line]:
    try:
        yield from one.look()
    except Exception as error:  # noqa: BLE001  whatever it is, it is what was found
        says = f"This could not be looked at: {name_of(error)}."
        yield problem(one.name, says, "See whether what it asks is running and may be asked.")


def _database() -> Line:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
        version = ".".join(str(part) for part in connection.get_database_version())
    except Exception as error:  # noqa: BLE001  whatever it is, it does not answer
        says = f"The database does not answer ({name_of(error)}); without it there is no shop."
        do = "Start it, and compare MYSQL_HOST, MYSQL_PORT, MYSQL_USER and MYSQL_PASSWORD."
        return problem(REACHABLE, says, do)
    return ok(REACHABLE, f"{connection.display_name} {version} answers.")
