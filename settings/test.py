"""`embedded`, or `stack` where TEST_DATABASE=mariadb, with throw-away data and cheap passwords."""

import os

from settings.base import env

if env.str("TEST_DATABASE", default="sqlite") == "mariadb":
    from settings.stack import *  # noqa: F403
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
