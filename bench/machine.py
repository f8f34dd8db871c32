"""Where a run was made and with what: figures mean little without it. Nothing that names a host."""

import os
import platform
import subprocess
from importlib import metadata
from typing import Any

from deploy.local.packages import find
from deploy.local.processes import ROOT
from orders.rehearsal.machine import processor

PACKAGES = ("Django", "djangorestframework", "granian", "mysqlclient", "PyJWT", "redis")


def machine() -> dict[str, Any]:
    """Processor, cores, memory, kernel, and how busy it was before the run."""
    page, pages = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(page * pages / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": round(os.getloadavg()[0], 2),
    }


def versions(*, mariadb: str, redis: str) -> dict[str, str]:
    """Of everything on the path of a request, and of the shop itself."""
    return {
        "shop": _commit(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
        "MariaDB": mariadb,
        "Redis": redis,
        "wrk": _wrk(),
    }


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def _wrk() -> str:
    done = subprocess.run([find("wrk") or "wrk", "-v"], capture_output=True, text=True, check=False)
    # "wrk debian/4.1.0-3+b2 [epoll] Copyright ...", and then how it is used
    words = done.stdout.split()
    return words[1] if len(words) > 1 else "unknown"
