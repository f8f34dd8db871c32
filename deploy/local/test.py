"""`make test`: the whole suite on SQLite, and again, but for what asks no server, on a MariaDB and
Redis of its own; then what was done.

`python3 -m deploy.local.test [--soak] [pytest's arguments]`. Where the servers or their driver
can't be had, the SQLite part runs and the summary says what was left out. The exit code is 0 only
when every run had tests and all of them passed. Data, logs and reports are in `var/test/`.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from types import FrameType
from typing import NoReturn
from xml.etree import ElementTree

from deploy.local import packages, servers, venv
from deploy.local.processes import PYTHON, ROOT, VAR, LocalError, private_directory, say
from deploy.local.running import TESTS_LOCK, only_one

FOLDER = VAR / "test"
NO_TESTS = 5
# Side by side, each with a database of its own; a file's tests stay together. Whoever chooses tests
# may want to see their output, or to stop in one: those run one after the other.
BY_FILE = ("--dist", "loadfile")
# On MariaDB each side has servers of its own: what tests count in a server, or hold, is theirs. Two
# take less time on two cores; one is what whole runs have shown to be safe.
MOST_SIDES = 1
# What only some tests need; without it they are skipped, and the summary says so.
OPTIONAL = (packages.NGINX, packages.CHROMIUM, packages.NODE)
# For pytest to end its tests and what they started, after an interruption.
PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Outcome:
    """What one run of pytest came to, and on what."""

    on: str
    exit_code: int
    passed: int
    failed: int
    skipped: int
    seconds: float
    note: str = ""

    def line(self) -> str:
        """One line of the summary."""
        counts = f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"
        if self.exit_code == NO_TESTS:
            counts = "NO TESTS RAN"
        elif self.exit_code != 0 and not self.failed:
            counts += f", pytest broke off with exit code {self.exit_code}"
        return f"  {self.on}: {counts} in {self.seconds:.0f} s{self.note}"


def install(*, soak: bool) -> str | None:
    """Fills `.venv`, and the machine where that is possible; returns why MariaDB must be left out.

    Raises LocalError when not even SQLite's part can run.
    """
    reason = None
    needs = [packages.SERVERS] if venv.has_driver() else [packages.SERVERS, packages.BUILD_TOOLS]
    try:
        packages.ensure(*needs)
    except LocalError as error:
        if soak:
            raise
        reason = str(error)
    for need in OPTIONAL:
        try:
            packages.ensure(need)
        except LocalError as error:
            # Its tests are skipped and counted as that.
            say(str(error))
    buildable = venv.has_driver() or not packages.BUILD_TOOLS.missing()
    venv.install("requirements-dev.txt", without=() if buildable else (venv.DRIVER,))
    return reason


def run_all(arguments: Sequence[str], *, soak: bool, left_out: str | None) -> list[Outcome]:
    """Runs pytest on each database, one after the other; the servers only while they are needed."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    private_directory(FOLDER)
    outcomes = []
    if not soak:
        outcomes.append(
            _pytest(
                ["-m", "not soak and not mariadb", *(arguments or ("-n", "auto", *BY_FILE))],
                on=f"SQLite {_sqlite_version()}",
                env={"TEST_DATABASE": "sqlite"},
            )
        )
    if left_out:
        return outcomes
    sides = 1 if soak or arguments else min(os.cpu_count() or 1, MOST_SIDES)
    with ExitStack() as stack:
        started = [
            (
                stack.enter_context(servers.MariaDB(FOLDER / f"mariadb-{side}")),
                stack.enter_context(servers.Redis(FOLDER / f"redis-{side}")),
            )
            for side in range(sides)
        ]
        mariadb, redis = started[0]
        outcome = _pytest(
            [
                *("-m", "soak" if soak else "not soak", *arguments),
                *(("-n", str(sides), *BY_FILE) if sides > 1 else ()),
            ],
            on=f"MariaDB {mariadb.version()} and Redis {redis.version()}",
            env={
                "TEST_DATABASE": "mariadb",
                # Every side must throw the same dice: they choose what there is to run.
                "RACE_SEED": os.environ.get("RACE_SEED") or str(random.randrange(10**9)),  # noqa: S311
                "TEST_SERVERS": json.dumps([{**one.env(), **two.env()} for one, two in started]),
            },
        )
        statements = sum(mariadb.served() for mariadb, _ in started)
        commands = sum(redis.served() for _, redis in started)
        served = f"; they served {statements:,} statements and {commands:,} commands"
        return [*outcomes, replace(outcome, note=served)]


def _pytest(arguments: Sequence[str], *, on: str, env: Mapping[str, str]) -> Outcome:
    say(f"\n=== {on}")
    report = FOLDER / f"{env['TEST_DATABASE']}.xml"
    with subprocess.Popen(
        [PYTHON, "-m", "pytest", f"--junitxml={report}", *arguments],
        cwd=ROOT,
        # Files of the tests stay apart from those of a shop that runs here.
        env={**os.environ, "SCARCE_VAR": str(FOLDER / "files"), **env},
        # So that an interruption reaches it once, and from here.
        start_new_session=True,
    ) as process:
        try:
            exit_code = process.wait()
        except BaseException:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=PATIENCE_SECONDS)
            raise
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    counts = {"tests": 0.0, "failures": 0.0, "errors": 0.0, "skipped": 0.0, "time": 0.0}
    if report.exists():
        for suite in ElementTree.parse(report).iter("testsuite"):  # noqa: S314
            counts = {name: counts[name] + float(suite.get(name, 0)) for name in counts}
    failed = int(counts["failures"] + counts["errors"])
    skipped = int(counts["skipped"])
    return Outcome(
        on=on,
        exit_code=exit_code,
        passed=max(0, int(counts["tests"]) - failed - skipped),
        failed=failed,
        skipped=skipped,
        seconds=counts["time"],
    )


def _sqlite_version() -> str:
    command = [str(PYTHON), "-c", "import sqlite3; print(sqlite3.sqlite_version)"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def main() -> int:
    """0 when every run had tests and all passed, 1 when not, 130 when interrupted."""
    soak, arguments = "--soak" in sys.argv, [a for a in sys.argv[1:] if a != "--soak"]
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with only_one(TESTS_LOCK, f"a run of the tests (process {os.getpid()})"):
            left_out = install(soak=soak)
            outcomes = run_all(arguments, soak=soak, left_out=left_out)
    except LocalError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted; nothing is left running.")
        return 130
    say("\n=== Summary")
    for outcome in outcomes:
        say(outcome.line())
    if left_out:
        say(f"  LEFT OUT: everything on MariaDB and Redis. {left_out}")
    lacking = [(need, missing) for need in OPTIONAL if (missing := need.missing())]
    for need, missing in lacking:
        say(f"  LEFT OUT: the tests of {need.what} (not found: {', '.join(missing)}).")
    good = all(outcome.exit_code == 0 for outcome in outcomes)
    all_ran = not left_out and not lacking
    say(("  All passed." if all_ran else "  All that ran passed.") if good else "  FAILED.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
