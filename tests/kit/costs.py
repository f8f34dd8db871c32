"""What something costs: statements, and calls to Redis."""

from collections.abc import Callable

from django.db import connection
from django.test.utils import CaptureQueriesContext

from shop.pools import gate


def sent_by(work: Callable[[], object]) -> list[str]:
    """The statements that it sends, their tables' names bare."""
    with CaptureQueriesContext(connection) as captured:
        work()
    statements = (query["sql"].replace("`", "").replace('"', "") for query in captured)
    return [sql for sql in statements if not sql.startswith(("SAVEPOINT", "RELEASE"))]


def redis_calls(work: Callable[[], object]) -> dict[str, int]:
    """The commands that clients sent meanwhile, by name; not those inside of scripts."""
    redis = gate.client()
    redis.config_resetstat()
    work()
    stats = redis.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): seen["calls"] for name, seen in stats.items()}
    return {name: calls[name] for name in ("evalsha", "eval", "get", "set") if name in calls}
