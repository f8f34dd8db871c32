"""Fresh Python processes of the shop: what depends on start-up can't be shown inside the test's."""

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without the shop's own variables, but with `variables`."""
    own = ("MYSQL_", "REDIS_", "CELERY_", "PROMETHEUS_", "TEST_", "FAILPOINT", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    shop = {"DJANGO_SETTINGS_MODULE": "settings.embedded", "PYTHONPATH": str(ROOT)}
    return kept | shop | variables


def run_python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs `code` to its end, with Django set up; raises when it fails."""
    return subprocess.run(
        [sys.executable, "-c", f"import django; django.setup()\n{code}"],
        env=environment(**variables),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )


# Bound as long as this process lives, so that nobody else is given their ports.
_deaf: list[socket.socket] = []


def closed_port() -> int:
    """A port of this machine where nobody listens, or will."""
    deaf = socket.socket()
    deaf.bind(("127.0.0.1", 0))
    _deaf.append(deaf)
    return int(deaf.getsockname()[1])
