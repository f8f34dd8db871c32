"""How the shop speaks to MariaDB or MySQL, wherever it runs."""

from typing import Any

from settings.base import env

# One second: long enough for a duplicate to wait for its first, short enough to answer `busy`.
# UTC: deadlines are compared with the database's own clock.
INIT_COMMAND = "SET time_zone = '+00:00', innodb_lock_wait_timeout = 1"


def mysql_database() -> dict[str, Any]:
    """The default database from MYSQL_* in the environment."""
    return {
        "ENGINE": "django.db.backends.mysql",
        "NAME": env.str("MYSQL_DATABASE", default="scarce"),
        "USER": env.str("MYSQL_USER", default="scarce"),
        "PASSWORD": env.str("MYSQL_PASSWORD"),
        "HOST": env.str("MYSQL_HOST", default="127.0.0.1"),
        "PORT": env.str("MYSQL_PORT", default="3306"),
        "CONN_MAX_AGE": 600,
        "OPTIONS": {
            "charset": "utf8mb4",
            "isolation_level": "read committed",
            "init_command": INIT_COMMAND,
            "connect_timeout": 5,
            "read_timeout": 30,
            "write_timeout": 30,
        },
        "TEST": {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_unicode_ci"},
    }
