"""`python -m bench`: a MariaDB, a Redis and web processes of its own, measured and stopped again.

The web processes are those of `make stack`, by the same command, with the yardstick in them. There
is no worker and no beat: placing an order does not wait for them, and an order that expires would
give back what is counted.
"""

import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from bench import options
from bench.load import WRK, YARDSTICK
from deploy.local import packages, servers
from deploy.local.processes import (
    PYTHON,
    ROOT,
    VAR,
    Child,
    LocalError,
    free_port,
    private_directory,
    say,
)
from deploy.local.running import SHOP_LOCK, only_one
from deploy.local.up import web_command

FOLDER = VAR / "bench"
# In place of the last word of the command, the shop itself.
APPLICATION = "bench.wsgi:application"
READY_SECONDS = 60.0

_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def bench(arguments: list[str]) -> int:
    """Starts everything, measures, stops everything; the exit code of the measuring."""
    servers.ensure_installed()
    packages.ensure(WRK)
    with ExitStack() as stack:
        # A shop that runs beside it would be measured too.
        stack.enter_context(only_one(SHOP_LOCK, "make bench"))
        shutil.rmtree(FOLDER, ignore_errors=True)
        private_directory(FOLDER)
        mariadb, redis = servers.MariaDB(FOLDER / "mariadb"), servers.Redis(FOLDER / "redis")
        stack.callback(shutil.rmtree, mariadb.directory, ignore_errors=True)
        for server in (mariadb, redis):
            say(f"Starting {server.name} ...")
            stack.enter_context(server)
        env = _environment({**mariadb.env(), **redis.env()})
        base, web = stack.enter_context(_web(env))
        say("Measuring ...")
        measure: list[str | Path] = [PYTHON, "-m", "django", "measure", base, FOLDER / "clients"]
        versions = [f"--mariadb={mariadb.version()}", f"--redis={redis.version()}"]
        pids = [f"--web-pid={web.pid}", f"--mariadb-pid={mariadb.pid}"]
        return _wait([*measure, *versions, *pids, *arguments], env=env)


def _environment(servers_env: Mapping[str, str]) -> dict[str, str]:
    metrics, clients = FOLDER / "metrics", FOLDER / "clients"
    metrics.mkdir()
    clients.mkdir()
    return {
        **os.environ,
        **servers_env,
        "DJANGO_SETTINGS_MODULE": "bench.settings",
        "SCARCE_VAR": str(FOLDER),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        # Nothing falls due while it is counted.
        "ORDER_PAY_SECONDS": "86400",
    }


@contextmanager
def _web(env: Mapping[str, str]) -> Iterator[tuple[str, Child]]:
    """The shop, migrated and seeded: the address where it answers, and its process."""
    prepared = _wait([PYTHON, "-m", "deploy.local.prepare"], env=env, output=subprocess.DEVNULL)
    if prepared != 0:
        raise LocalError("The database could not be made ready, see above.")
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    command = [*web_command("stack", port=port)[:-1], APPLICATION]
    web = Child("web", command, log=FOLDER / "web.log", env=env)
    try:
        web.start()
        web.wait_until(lambda: _answers(f"{base}{YARDSTICK}"), seconds=READY_SECONDS)
        yield base, web
    finally:
        web.stop()


def _answers(address: str) -> bool:
    try:
        with _http.open(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _wait(command: list[str | Path], *, env: Mapping[str, str], output: int | None = None) -> int:
    """Runs a command to its end, and never leaves it or what it has started behind."""
    process = subprocess.Popen(
        command, env=dict(env), cwd=ROOT, stdout=output, start_new_session=True
    )
    try:
        return process.wait()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> int:
    """0 when everything holds, 1 when not, 130 when interrupted."""
    parser = ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_to(parser)
    parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return bench(sys.argv[1:])
    except LocalError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("\nStopped; nothing is left running.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
