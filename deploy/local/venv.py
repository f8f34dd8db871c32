"""`.venv`: made once, filled from a requirements file, left alone while that file says the same.

`python3 -m deploy.local.venv requirements-embedded.txt`. What is installed stands in
`.venv/installed.txt`, so a second start needs no pip and no network. Where a file names mysqlclient
it first sees to what that is built with.
"""

import re
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path

from deploy.local import packages
from deploy.local.processes import PYTHON, ROOT, LocalError, say

VENV = ROOT / ".venv"
INSTALLED = VENV / "installed.txt"
# The one requirement without a wheel.
DRIVER = "mysqlclient"
NEWS = re.compile(r"(Collecting|Processing|Building|Installing) (?:wheel for |\S*/)?([^ :;,]+)")


def requirements(file: Path) -> list[str]:
    """The requirement lines of a file and of those it includes with -r."""
    lines: list[str] = []
    for raw in file.read_text().splitlines():
        line = raw.partition("#")[0].strip()
        if line.startswith("-r "):
            lines += requirements(file.parent / line[3:].strip())
        elif line:
            lines.append(line)
    return lines


def project(requirement: str) -> str:
    """`django-redis` of `django-redis==7.0.0`."""
    return re.split(r"[\[=<>~! ;]", requirement, maxsplit=1)[0].lower()


def install(file_name: str, *, without: Collection[str] = ()) -> None:
    """Sees that `.venv` has what the requirements file names, except the projects of `without`.

    Raises LocalError, saying what to do, where that fails.
    """
    wanted = [line for line in requirements(ROOT / file_name) if project(line) not in without]
    _make()
    present = _installed()
    if set(wanted) <= set(present):
        return
    names = {project(line) for line in wanted}
    if DRIVER in names and not has_driver():
        packages.ensure(packages.BUILD_TOOLS)
    _pip_install(wanted, wheels_only=DRIVER not in names)
    kept = [line for line in present if project(line) not in names]
    INSTALLED.write_text("".join(f"{line}\n" for line in sorted({*kept, *wanted})))


def has_driver() -> bool:
    """Whether `.venv` has the MariaDB driver already."""
    return any(project(line) == DRIVER for line in _installed())


def _installed() -> list[str]:
    return INSTALLED.read_text().splitlines() if INSTALLED.exists() else []


def _make() -> None:
    check = [str(PYTHON), "-c", "import sys, pip; sys.exit(sys.version_info < (3, 11))"]
    if PYTHON.exists() and subprocess.run(check, capture_output=True, check=False).returncode == 0:
        return
    packages.ensure(packages.VENV)
    say(f"Making .venv with Python {sys.version.split()[0]} ...")
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise LocalError(f"Could not make .venv:\n{made.stdout}{made.stderr}")


def _pip_install(wanted: list[str], *, wheels_only: bool) -> None:
    start = time.monotonic()
    say(f"Installing {len(wanted)} packages and what they need into .venv ...")
    command = [
        *(str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"),
        *(["--only-binary", ":all:"] if wheels_only else []),
        *wanted,
    ]
    output: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as pip:
        for line in pip.stdout or ():
            output.append(line.rstrip())
            _show(output[-1])
    if sys.stdout.isatty():
        print("\r\033[K", end="")
    if pip.returncode != 0:
        raise LocalError(
            "pip could not install the packages:\n"
            + "\n".join(f"    {line}" for line in output[-15:])
            + "\nIs there a network, or PIP_INDEX_URL set to an index that can be reached? "
            "Run the same command again to try again."
        )
    say(f"  installed in {time.monotonic() - start:.0f} s")


def _show(line: str) -> None:
    """One line that keeps changing on a terminal, a line per package elsewhere."""
    if news := NEWS.match(line.replace("collected packages: ", "")):
        text = f"  {news[1].lower()} {news[2]}"
        print(f"\r\033[K{text}" if sys.stdout.isatty() else text, end="", flush=True)
        if not sys.stdout.isatty():
            print(flush=True)


def main() -> int:
    """Installs the requirements file that the command line names."""
    try:
        install(sys.argv[1])
    except LocalError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
