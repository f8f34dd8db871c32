"""What must be on the machine: MariaDB, Redis, nginx, a browser, what builds mysqlclient, Python.

Looks on the PATH; as root on Debian or Ubuntu it installs what is missing with apt, and no service
is started or left to start at boot. Elsewhere it changes nothing: it says what to install.
"""

import importlib.util
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.processes import VAR, LocalError, say, tail

SEARCH_PATH = os.pathsep.join(
    [os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"]
)
# Debian starts these at each boot; package, service and program have one name.
SERVICES = ("redis-server", "nginx")
# Debian asks this script before a package starts its service; 101 is "no".
POLICY = Path("/usr/sbin/policy-rc.d")


def find(program: str) -> str | None:
    """The path of a program, also where only root's PATH would look."""
    return shutil.which(program, path=SEARCH_PATH)


def _missing_servers() -> list[str]:
    programs = ("mariadbd", "mariadb-install-db", "mariadb", "redis-server")
    return [program for program in programs if find(program) is None]


def _missing_front() -> list[str]:
    return [program for program in ("nginx", "openssl") if find(program) is None]


def _missing_browser() -> list[str]:
    return [] if find("chromium") else ["chromium"]


def _missing_node() -> list[str]:
    return [] if find("node") else ["node"]


def _missing_venv() -> list[str]:
    # Debian splits it from Python.
    return [] if importlib.util.find_spec("ensurepip") else ["Python's ensurepip"]


def _missing_build_tools() -> list[str]:
    missing = []
    if find("cc") is None and find("gcc") is None:
        missing.append("a C compiler")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        missing.append("Python.h")
    pkg_config = find("pkg-config")
    libraries = ("libmariadb", "mariadb", "mysqlclient")
    if pkg_config is None:
        missing.append("pkg-config")
    elif not any(_quiet(pkg_config, "--exists", library) for library in libraries):
        missing.append("libmariadb")
    return missing


@dataclass(frozen=True)
class Need:
    """Something the machine must have: how to see what is missing of it, and who packages it."""

    what: str
    missing: Callable[[], list[str]]
    debian: Sequence[str]
    homebrew: Sequence[str]


VENV = Need("virtual environments", _missing_venv, ("python3-venv",), ("python",))
SERVERS = Need(
    "MariaDB and Redis",
    _missing_servers,
    ("mariadb-server-core", "mariadb-client-core", "redis-server"),
    ("mariadb", "redis"),
)
NGINX = Need("nginx in front", _missing_front, ("nginx", "openssl"), ("nginx", "openssl"))
CHROMIUM = Need("the storefront in a browser", _missing_browser, ("chromium",), ("chromium",))
NODE = Need("the storefront's modules in Node", _missing_node, ("nodejs",), ("node",))
BUILD_TOOLS = Need(
    "building mysqlclient",
    _missing_build_tools,
    ("libmariadb-dev", "pkg-config", "gcc", "python3-dev"),
    ("mariadb-connector-c", "pkg-config"),
)


def ensure(*needs: Need) -> None:
    """Sees that the machine has all of it, installing where that is possible.

    Raises LocalError, saying what is missing and how to get it, where it is not.
    """
    lacking = [need for need in needs if need.missing()]
    if not lacking:
        return
    if os.geteuid() == 0 and find("apt-get"):
        _apt_install([package for need in lacking for package in need.debian])
    still = [
        f"{need.what} (not found: {', '.join(m)})" for need in lacking if (m := need.missing())
    ]
    if still:
        raise LocalError(
            f"This machine lacks what is needed for {'; for '.join(still)}.\n"
            f"  Debian, Ubuntu:  sudo apt-get install {_words(lacking, 'debian')}\n"
            f"  macOS:           brew install {_words(lacking, 'homebrew')}\n"
            "Nothing of it needs to run as a service: this project starts its own."
        )


def _words(needs: Sequence[Need], system: str) -> str:
    return " ".join(package for need in needs for package in getattr(need, system))


def _apt_install(packages: Sequence[str]) -> None:
    say(f"Installing with apt: {' '.join(packages)}")
    # Where such a server is installed already it is the owner's, and stays as it is.
    new = [name for name in SERVICES if name in packages and find(name) is None]
    with _no_service_starts():
        _apt("update")
        _apt("install", "-y", "--no-install-recommends", *packages)
    systemctl = find("systemctl")
    if new and systemctl and Path("/run/systemd/system").exists():
        _quiet(systemctl, "disable", "--now", *new)


def _apt(*arguments: str) -> None:
    log = VAR / "log" / "apt.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    say(f"  apt-get {arguments[0]} ... (output: {log})")
    with log.open("ab") as output:
        done = subprocess.run(
            [find("apt-get") or "apt-get", "-o", "DPkg::Lock::Timeout=120", *arguments],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        # Not the end: an update that failed may leave lists that still do.
        say(f"  apt-get {arguments[0]} failed:\n{tail(log, 5)}")


@contextmanager
def _no_service_starts() -> Iterator[None]:
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            POLICY.unlink()


def _quiet(*command: str) -> bool:
    done = subprocess.run(command, capture_output=True, check=False)
    return done.returncode == 0
