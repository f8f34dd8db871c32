"""`embedded`, or `stack` where TEST_DATABASE=mariadb, with throw-away data and cheap passwords."""

import json
import os
from pathlib import Path

# Where tests run side by side, each side has files of its own, which the processes that it starts
# share: messages among them, ...
SIDE = os.environ.get("PYTEST_XDIST_WORKER", "")
if SIDE and (files := Path(os.environ.get("SCARCE_VAR", "var/test/files"))).name != SIDE:
    os.environ["SCARCE_VAR"] = str(files.resolve() / SIDE)
# ... and servers: a list, in the order of sides, which none but the sides themselves choose from.
if servers := json.loads(os.environ.get("TEST_SERVERS", "[]")):
    os.environ |= servers[int(SIDE.removeprefix("gw") or 0) % len(servers)]
    if SIDE or len(servers) == 1:
        del os.environ["TEST_SERVERS"]

if os.environ.get("TEST_DATABASE") == "mariadb":
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
