"""Sales while each commit waits for a replica that is milliseconds away (`bench.replica`)."""

from django.db import connection

from bench.commits import Commits
from bench.inside import shop
from bench.measuring.bench import Bench
from bench.measuring.sales import cell
from bench.sales import JUDGED_AT, WAYS

WAITED, UNWAITED = "rpl_semi_sync_master_yes_tx", "rpl_semi_sync_master_no_tx"


def measure(bench: Bench) -> Commits:
    """Each way of selling, at one number of clients."""
    before = _waits()
    slow = shop.commit_ms()
    cells = [cell(bench, way, JUDGED_AT, rushes=False) for way in WAYS]
    after = _waits()
    return Commits(
        cells=cells,
        commit_ms=slow,
        alone_ms=_alone(),
        waited=after[WAITED] - before[WAITED],
        unwaited=after[UNWAITED] - before[UNWAITED],
        broken=shop.broken_promises(),
    )


def _waits() -> dict[str, int]:
    """How many commits have waited for the replica, and how many not, since the server's start."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_master_%_tx'")
        return {str(name).lower(): int(value) for name, value in cursor.fetchall()}


def _alone() -> float:
    """A commit's time with the same server and its log, but for the waiting."""
    with connection.cursor() as cursor:
        cursor.execute("SET GLOBAL rpl_semi_sync_master_enabled = OFF")
        try:
            return shop.commit_ms()
        finally:
            cursor.execute("SET GLOBAL rpl_semi_sync_master_enabled = ON")
