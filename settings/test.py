"""`embedded`, or `stack` where TEST_DATABASE=mariadb, with throw-away data and cheap passwords."""

import os

from settings.base import env

if env.str("TEST_DATABASE", default="sqlite") == "mariadb":
    # Where tests run side by side each side has servers of its own: a list, in the order of sides.
    if servers := env.json("TEST_SERVERS", default=[]):
        side = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
        os.environ |= servers[int(side) % len(servers)]

    from settings.redis import redis_caches
    from settings.stack import *  # noqa: F403
    from settings.stack import GATE_REDIS_URL, REDIS_URL

    # However crowded the machine is, a Redis that answers is heard: what a gate was not told leaves
    # it out of step. Tests of just that have a Redis of their own, with the shop's own time-out.
    CACHES = redis_caches(gates=GATE_REDIS_URL, cache=REDIS_URL, gate_timeout=30)
else:
    from settings.embedded import *  # noqa: F403
    from settings.embedded import DATABASES, VAR_DIR

    # A file, not memory, so that threads share it as they would in the shop; one for each run. What
    # it holds need not outlive the machine.
    DATABASES["default"]["TEST"] = {"NAME": str(VAR_DIR / f"test-{os.getpid()}.sqlite3")}
    DATABASES["default"]["OPTIONS"]["init_command"] = (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
    )

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
