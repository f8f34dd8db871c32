"""`python -m bench`: a MariaDB, a Redis and the processes of the shop, measured and stopped again.

Each part is measured by a process of its own (`measure`) on what is running then: web processes
alone for ordinary checkout and the drain alone, all processes of `make stack` for flash sales and
the lottery, and all of them on a MariaDB with a far replica for slow commits. No order falls due
meanwhile: one that expires would give back what is counted.
"""

import os
import shutil
import signal
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NoReturn

from bench import machine, options, page, replica
from bench.load import WRK
from bench.processes import Shop, threads
from bench.report import Report
from deploy.local import packages, servers
from deploy.local.processes import PYTHON, ROOT, VAR, LocalError, private_directory, say
from deploy.local.running import SHOP_LOCK, only_one

FOLDER = VAR / "bench"
CLIENTS = FOLDER / "clients"
REPLICA_MILLISECONDS = 2.0
WATCH_SECONDS = 1.0


def bench(given: Namespace) -> bool:
    """Starts everything, measures, stops everything; whether all that must hold does."""
    servers.ensure_installed()
    packages.ensure(WRK)
    # A shop that runs beside it would be measured too.
    with only_one(SHOP_LOCK, "make bench"):
        shutil.rmtree(FOLDER, ignore_errors=True)
        private_directory(FOLDER)
        CLIENTS.mkdir()
        where = machine.machine()
        found = _measured(given)
        report = Report.of(
            CLIENTS,
            machine=where,
            versions=machine.versions(**found),
            settings={
                "seconds": given.seconds,
                **{f"web_{name}": number for name, number in threads().items()},
                "replica_ms": REPLICA_MILLISECONDS,
            },
            parts=[part for part in (*options.PARTS, *options.EXTRAS) if part in given.only],
        )
    say(f"\n{report.text()}\n")
    whole = set(given.only) == set(options.PARTS)
    output = given.output or (options.RESULTS if whole else options.PARTIAL)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(report.as_json())
    say(f"Written to {output}.")
    if given.write_docs:
        page.write(output)
    return report.holds(strict=given.strict)


def _measured(given: Namespace) -> dict[str, str]:
    """Leaves the figures of all parts in a folder; returns the servers' versions."""
    with ExitStack() as stack:
        mariadb = replica.MariaDB(FOLDER / "mariadb")
        redis = servers.Redis(FOLDER / "redis")
        stack.callback(shutil.rmtree, mariadb.directory, ignore_errors=True)
        for server in (mariadb, redis):
            say(f"Starting {server.name} ...")
            stack.enter_context(server)
        env = _environment({**mariadb.env(), **redis.env()})
        if _wait([PYTHON, "-m", "deploy.local.prepare"], env=env, output=subprocess.DEVNULL):
            raise LocalError("The database could not be made ready, see above.")
        shop = Shop(FOLDER, env)

        def measure(*parts: str, running: Sequence[servers.Server] = (mariadb, redis)) -> None:
            wanted = [part for part in parts if part in given.only]
            if not wanted:
                return
            say(f"Measuring {', '.join(wanted)} ...")
            pids = {**shop.pids, **{server.name.lower(): server.pid for server in running}}
            command: list[str | Path] = [
                *(PYTHON, "-m", "django", "measure", shop.base, CLIENTS),
                *wanted,
                *("--seconds", str(given.seconds)),
                *("--clients", *(str(count) for count in given.clients)),
                *(f"--process={name}={pid}" for name, pid in pids.items()),
            ]
            if _wait(command, env=env, watch=shop.check) != 0:
                raise LocalError("The measuring failed, see above.")

        with shop.web():
            measure(options.CHECKOUT, options.DRAINING)
            with_workers = (options.SALES, options.PRESSURE, options.LOTTERY, options.LIVE)
            if set(with_workers) & set(given.only):
                with shop.workers():
                    measure(*with_workers)
        if options.COMMITS in given.only:
            say(f"Restarting MariaDB with a replica {REPLICA_MILLISECONDS:g} ms away ...")
            far = replica.far_away(mariadb, FOLDER / "replica", milliseconds=REPLICA_MILLISECONDS)
            with far as copy, shop.web(), shop.workers():
                measure(options.COMMITS, running=(mariadb, redis, copy))
        return {"mariadb": str(mariadb.version()), "redis": str(redis.version())}


def _environment(servers_env: Mapping[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        **servers_env,
        "DJANGO_SETTINGS_MODULE": "bench.settings",
        "SCARCE_VAR": str(FOLDER),
        # Nothing falls due while it is counted.
        "ORDER_PAY_SECONDS": "86400",
        # A slot for each shopper: one may grab once.
        "RED_PACKET_MOST_COUNT": "5000",
    }


def _wait(
    command: list[str | Path],
    *,
    env: Mapping[str, str],
    output: int | None = None,
    watch: Callable[[], None] = lambda: None,
) -> int:
    """Runs a command to its end, or until `watch`, called from time to time, raises; and never
    leaves it or what it has started behind."""
    process = subprocess.Popen(
        command, env=dict(env), cwd=ROOT, stdout=output, start_new_session=True
    )
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=WATCH_SECONDS)
            watch()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> int:
    """0 when everything holds, 1 when not, 130 when interrupted."""
    parser = ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_all_to(parser)
    given = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        if bench(given):
            return 0
        print("\nNot everything holds, see FAIL above.", file=sys.stderr)
        return 1
    except LocalError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("\nStopped; nothing is left running.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
