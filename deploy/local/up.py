"""`make run` and `make stack`: one shop on this machine, all of its processes, until Ctrl-C.

`python -m deploy.local.up embedded|stack`. Migrates, seeds the demo, starts web, Celery worker and
Celery beat (and, for `stack`, MariaDB and Redis before them), waits until the shop answers, says
where it is, and then watches: a process that is killed is started again; when one ends by itself,
or is killed all the time, all are stopped and the exit code is 1. However it ends, nothing is left
running. The children's output is in `var/log/`.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from deploy.local import servers
from deploy.local.processes import (
    PYTHON,
    ROOT,
    VAR,
    Child,
    LocalError,
    listening,
    say,
    stop_all,
    tail,
)
from deploy.local.running import SHOP_LOCK, announced, only_one
from deploy.local.strangers import Strangers
from deploy.local.welcome import http, welcome

ABOUT = {
    "embedded": "SQLite, no server beside it",
    "stack": "MariaDB and Redis, private to this folder",
}
COMMAND = {"embedded": "make run", "stack": "make stack"}
WEB_WORKERS = {"embedded": "1", "stack": "2"}
# Which Celery queues each worker serves. Tasks only look for work in the database, so two at a time
# are plenty. The embedded worker uses threads: one process less, and it stops at once.
WORKERS = {
    "embedded": {"worker": "drains,sweepers,celery"},
    "stack": {"drains": "drains", "worker": "sweepers,celery"},
}
POOL = {"embedded": "threads", "stack": "prefork"}
# A third of the weight of whoever answers requests: the longer a batch waits, the more is in it.
WORKERS_NICE = 5
READY_SECONDS = 60.0
PAYING = """\
WeChat Pay is pretended: log in with {{"code": "li.1"}} at {api}/auth/wechat (a code is good once:
li.2, li.3, ...), pay an order with {{"provider": "wechat"}}, and press the button at {page}
"""
STOP_SECONDS = 6.0
# A process that is killed so often within so many seconds is not started again.
MOST_REVIVALS, REVIVAL_SECONDS = 10, 60.0


class Interrupted(BaseException):
    """Ctrl-C, or a signal that means the same."""


def up(mode: str, port: int) -> None:
    """Runs the shop until it is interrupted. Raises LocalError when it can't or when it breaks."""
    started = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(
            only_one(SHOP_LOCK, f"a shop on http://127.0.0.1:{port} (process {os.getpid()})")
        )
        _check_port(mode, port)
        env = {"DJANGO_SETTINGS_MODULE": f"settings.{mode}"}
        watched: list[Watched] = []
        pay_page = ""
        if mode == "stack":
            for server in (servers.MariaDB(VAR / "mariadb"), servers.Redis(VAR / "redis")):
                watched.append(Watched(server, server.directory / "server.log"))
                say(f"Starting {server.name} on port {server.port} ...")
                stack.enter_context(server)
                env |= server.env()
            strangers = Strangers(shop=f"http://127.0.0.1:{port}")
            say("Starting a pretended WeChat and WeChat Pay ...")
            env |= stack.enter_context(strangers.running())
            pay_page = strangers.page
        stack.enter_context(announced(env))
        logins = _prepare(env)
        children = stack.enter_context(_running(_children(mode, port, env)))
        _wait_until_live(port, children)
        up_after = f"up after {time.monotonic() - started:.1f} s ({mode}: {ABOUT[mode]})"
        say(welcome(f"http://127.0.0.1:{port}", logins, up_after=up_after))
        if pay_page:
            say(PAYING.format(api=f"http://127.0.0.1:{port}/api/v1", page=pay_page))
        watched += [Watched(child, child.log) for child in children]
        while True:
            for one in watched:
                one.revive()
            time.sleep(0.2)


class Watched:
    """A process that is started again when somebody kills it, as an operator's system would."""

    def __init__(self, process: Child | servers.Server, log: Path) -> None:
        self._process = process
        self._log = log
        # When it was started again.
        self._revivals: list[float] = []

    def revive(self) -> None:
        """Looks once. Raises LocalError when it has ended by itself, or is killed all the time."""
        code = self._process.exit_code()
        if code is None:
            return
        now = time.monotonic()
        self._revivals = [at for at in self._revivals if at > now - REVIVAL_SECONDS]
        if code >= 0 or len(self._revivals) >= MOST_REVIVALS:
            raise _ended(self._process.name, code, self._log)
        say(f"{self._process.name} was killed (signal {-code}): starting it again.")
        self._process.kill()  # what it had started
        self._process.start()
        self._revivals.append(now)


def web_command(mode: str, *, port: int) -> list[str | Path]:
    """The command of the web processes, on 127.0.0.1:port."""
    return [
        *(PYTHON, "-m", "granian", "--interface", "wsgi"),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--workers", WEB_WORKERS[mode], "--blocking-threads", "4"),
        *("--workers-kill-timeout", "3", "--no-ws"),
        *("--respawn-failed-workers", "--respawn-interval", "0.5"),
        "shop.wsgi:application",
    ]


def worker_command(mode: str, name: str) -> list[str | Path]:
    """The command of one of the mode's workers."""
    return [
        *(PYTHON, "-m", "celery", "-A", "shop.celery", "worker", "--hostname", f"{name}@%h"),
        *("--queues", WORKERS[mode][name], "--pool", POOL[mode], "--concurrency", "2"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]


def nice_of(mode: str, name: str) -> int:
    """How much this one of the mode's processes gives way to the others."""
    return WORKERS_NICE if name in WORKERS[mode] else 0


def _check_port(mode: str, port: int) -> None:
    if listening(port):
        free = next((other for other in range(port + 1, port + 100) if not listening(other)), 8001)
        raise LocalError(
            f"Port {port} is in use by another program. Choose another one:\n\n"
            f"    PORT={free} {COMMAND[mode]}"
        )


def _prepare(env: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    say("Migrating the database and seeding the demo ...")
    done = subprocess.run(
        [PYTHON, "-m", "deploy.local.prepare"],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        cwd=ROOT,
        check=False,
    )
    if done.returncode != 0:
        raise LocalError(f"That failed:\n{done.stderr[-4000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _children(mode: str, port: int, env: Mapping[str, str]) -> list[Child]:
    metrics = VAR / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(parents=True)
    child_env = {
        **os.environ,
        **env,
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "PYTHONUNBUFFERED": "1",
    }
    celery: list[str | Path] = [PYTHON, "-m", "celery", "-A", "shop.celery"]
    commands: dict[str, list[str | Path]] = {"web": web_command(mode, port=port)}
    for name in WORKERS[mode]:
        commands[name] = worker_command(mode, name)
    commands["beat"] = [*celery, "beat"]
    children = []
    for name, command in commands.items():
        log = VAR / "log" / f"{name}.log"
        log.unlink(missing_ok=True)
        children.append(Child(name, command, log=log, env=child_env, nice=nice_of(mode, name)))
    return children


@contextmanager
def _running(children: list[Child]) -> Iterator[list[Child]]:
    say("Starting web, worker and beat ...")
    try:
        for child in children:
            child.start()
        yield children
    finally:
        stop_all(children, seconds=STOP_SECONDS)


def _check_alive(children: list[Child]) -> None:
    for child in children:
        if (code := child.exit_code()) is not None:
            raise _ended(child.name, code, child.log)


def _ended(name: str, code: int, log: Path) -> LocalError:
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return LocalError(
        f"{tail(log)}\n\n{name} ended ({how}), so all of the shop was stopped. "
        f"Above: the end of {log.relative_to(ROOT)}."
    )


def _wait_until_live(port: int, children: list[Child]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            with http.open(f"http://127.0.0.1:{port}/livez", timeout=5):
                return
        except OSError as error:
            _check_alive(children)
            if time.monotonic() > deadline:
                raise LocalError(
                    f"The shop did not answer within {READY_SECONDS:.0f} s ({error}). "
                    f"The end of its log:\n\n{tail(children[0].log)}"
                ) from error
        time.sleep(0.1)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    # Once: what follows is the tidying up, which is bounded and must not be broken off.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise Interrupted


def main() -> int:
    """Exit code 0 after an interruption, 1 after a failure, which is explained on stderr."""
    mode = sys.argv[1]
    port = os.environ.get("PORT", "8000")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise LocalError(f"PORT is {port!r}; it must be a number from 1 to 65535.")
        if mode == "stack":
            servers.ensure_installed()
        up(mode, int(port))
    except LocalError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except Interrupted:
        say("\nStopped; nothing is left running. The data stays in var/ (`make clean` forgets it).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
