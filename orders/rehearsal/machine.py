"""Where a rehearsal was played, since figures mean little without it. Nothing that names a host."""

import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path


def machine() -> Mapping[str, str]:
    """Processor, cores, memory, system and versions of the machine that the clients run on."""
    page, pages = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{page * pages / 2**30:.1f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "load before": f"{os.getloadavg()[0]:.2f}",
        "Python": platform.python_version(),
        "Django": metadata.version("Django"),
        "aiohttp": metadata.version("aiohttp"),
    }


def processor() -> str:
    """Its name, as far as the system tells it."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
