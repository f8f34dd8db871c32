"""A whole shop on private ports: MariaDB, Redis, granian, a Celery worker and beat, each killable.

The test's own process looks into the same database and the same gates (`seen_from_here`), so it
schedules sales and audits with the shop's own code; everything that sells runs in the children.
Nothing is stopped by name: each process is known by its id, and ends with the test's.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import psutil
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models.functions import Now
from django.test import override_settings

from deploy.local import servers
from deploy.local.processes import PYTHON, ROOT, Child, free_port, listening, stop_all
from settings.redis import redis_caches
from shop.pools import drain, gatekeeping
from shop.pools.models import PoolMovement
from tests.kit.hows import Sold, in_step
from tests.kit.marks import on_mariadb
from tests.kit.redis import forget_connections
from tests.ops.processes import environment

# The database is the shop's own: none is made for the tests of this folder.
REAL_PROCESSES = on_mariadb[:2]

START_SECONDS = 120.0
# For what takes a moment, and on a crowded machine several. A gate is looked at every five seconds,
# and a drift is corrected at the second look that is ten seconds after the first.
HEAL_SECONDS = 240.0
CELERY = [PYTHON, "-m", "celery", "-A", "shop.celery"]
WORKER = [
    *(*CELERY, "worker", "--queues", "drains,sweepers,celery", "--pool", "prefork"),
    *("--concurrency", "2", "--without-gossip", "--without-mingle", "--without-heartbeat"),
]
NAMES = ("NAME", "HOST", "PORT", "USER", "PASSWORD")


class TookTooLong(AssertionError):
    """What was waited for did not happen in time."""


def wait_until(condition: Callable[[], object], what: str, *, seconds: float) -> float:
    """Waits until `condition` holds; returns the seconds that took. Raises TookTooLong."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TookTooLong(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.02)
    return time.monotonic() - began


def granian(port: int, *, workers: int = 2) -> list[str | Path]:
    """The command of `make stack`, with so many processes."""
    return [
        *(PYTHON, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1"),
        *("--port", str(port), "--workers", str(workers), "--blocking-threads", "4"),
        *("--workers-kill-timeout", "3", "--no-ws", "shop.wsgi:application"),
    ]


class Shop:
    """The shop's processes, started and stopped with the `with` block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mariadb = servers.MariaDB(folder / "mariadb")
        self.redis = servers.Redis(folder / "redis")
        self.port = free_port()
        self._started: list[Child] = []
        self._failures_before = 0
        self._hold = folder / "hold"

    def __enter__(self) -> "Shop":
        self._servers = ExitStack()
        try:
            for server in (self.mariadb, self.redis):
                self._servers.enter_context(server)
            self.env = environment(
                # `settings.stack`, but for how long a Redis that is only slow is waited for.
                DJANGO_SETTINGS_MODULE="settings.test",
                TEST_DATABASE="mariadb",
                SECRET_KEY=settings.SECRET_KEY,
                SCARCE_VAR=str(self.folder / "files"),
                # Nothing falls due while it is counted.
                ORDER_PAY_SECONDS="86400",
                **self.mariadb.env(),
                **self.redis.env(),
            )
            subprocess.run(
                [PYTHON, "manage.py", "migrate", "--verbosity=0"],
                cwd=ROOT,
                env=self.env,
                check=True,
                timeout=300,
            )
            self.web = self._child("web", granian(self.port))
            self.worker = self._child("worker", WORKER)
            self.beat = self._child("beat", [*CELERY, "beat"])
            for child in (self.worker, self.beat):
                child.start()
            self.start_web()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        stop_all(self._started)
        self._servers.close()
        shutil.rmtree(self.mariadb.directory, ignore_errors=True)

    def _child(self, name: str, command: list[str | Path], **env: str) -> Child:
        child = Child(name, command, log=self.folder / f"{name}.log", env={**self.env, **env})
        self._started.append(child)
        return child

    @contextmanager
    def another_web(self, **env: str) -> Iterator[int]:
        """One more web process of this shop, with these variables: the port where it answers."""
        port = free_port()
        web = self._child("another-web", granian(port, workers=1), **env)
        try:
            web.start()
            web.wait_until(lambda: listening(port), seconds=START_SECONDS)
            yield port
        finally:
            web.kill()
            self._started.remove(web)

    @contextmanager
    def another_worker(self, **env: str) -> Iterator[Child]:
        """A worker with these variables in the place of the usual one, which is back, new, when the
        block ends (or as soon as somebody starts it)."""
        self.worker.kill()
        worker = self._child("another-worker", WORKER, **env)
        try:
            worker.start()
            yield worker
        finally:
            worker.kill()
            self._started.remove(worker)
            if self.worker.exit_code() is not None:
                self.worker.start()

    @contextmanager
    def a_worker_that_stays_at(self, point: str) -> Iterator[Child]:
        """As `another_worker`: whoever in it comes to this fail point stays there, until it is
        killed or `let_go`."""
        self._hold.touch()
        with self.another_worker(FAILPOINT=f"{point}:{self._hold}") as worker:
            yield worker

    def let_go(self) -> None:
        """From now on nobody stays anywhere."""
        self._hold.unlink(missing_ok=True)

    def comes_to_rest(self, *sold: Sold) -> None:
        """Waits until nothing of it is pending and the gates are in step: without beat, unless that
        may have looked twice while requests were on their way, or Redis did not answer one of the
        processes. Then beat sets them right."""
        queues = {one.queue_id for one in sold}
        wait_until(
            lambda: queues.isdisjoint(drain.waiting()), "nothing waits", seconds=HEAL_SECONDS
        )
        with self._beat_pauses():
            for one in sold:
                wait_until(
                    lambda: in_step(one) or self._needs_beat(one),  # noqa: B023
                    "those who change the gate have told it",
                    seconds=HEAL_SECONDS,
                )
        for one in sold:
            wait_until(partial(in_step, one), "the gate is in step", seconds=HEAL_SECONDS)

    def _needs_beat(self, sold: Sold) -> bool:
        return _is_worn(sold) or self._gate_failures() != self._failures_before

    @contextmanager
    def _beat_pauses(self) -> Iterator[None]:
        """Inside, nobody is told to look at gates."""
        if self.beat.exit_code() is not None:
            yield
            return
        os.kill(self.beat.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.beat.pid, signal.SIGCONT)

    def _gate_failures(self) -> int:
        """How often a process has said that Redis did not answer it."""
        logs = self.folder.glob("*.log")
        return sum(log.read_bytes().count(b"gate: Redis failed") for log in logs)

    def mend(self) -> None:
        """Starts whatever is not running."""
        for server in (self.mariadb, self.redis):
            if server.version() is None:
                server.start()
        for child in (self.worker, self.beat):
            if child.exit_code() is not None:
                child.start()
        if self.web.exit_code() is not None:
            self.start_web()
        self._failures_before = self._gate_failures()

    def start_web(self) -> None:
        """Returns when it takes connections."""
        self.web.start()
        self.web.wait_until(lambda: listening(self.port), seconds=START_SECONDS)

    def pids(self) -> dict[str, list[int]]:
        """The processes of web, worker and beat, children included."""
        return {
            child.name: sorted([child.pid, *children_of(child)])
            for child in (self.web, self.worker, self.beat)
        }

    @contextmanager
    def seen_from_here(self) -> Iterator[None]:
        """Inside, this process's database and gates are the shop's."""
        database = connections.settings[DEFAULT_DB_ALIAS]
        kept = {name: database[name] for name in NAMES}
        mysql = self.mariadb.env()
        redis = self.redis.env()
        caches = redis_caches(
            gates=redis["GATE_REDIS_URL"], cache=redis["REDIS_URL"], gate_timeout=30
        )
        connections[DEFAULT_DB_ALIAS].close()
        database |= {
            "NAME": mysql["MYSQL_DATABASE"],
            "HOST": mysql["MYSQL_HOST"],
            "PORT": mysql["MYSQL_PORT"],
            "USER": mysql["MYSQL_USER"],
            "PASSWORD": mysql["MYSQL_PASSWORD"],
        }
        try:
            with override_settings(CACHES=caches):
                forget_connections()
                yield
        finally:
            forget_connections()
            connections[DEFAULT_DB_ALIAS].close()
            database |= kept


def _is_worn(sold: Sold) -> bool:
    """Whether it has been sold for so long that its gate may have been corrected meanwhile."""
    takes = PoolMovement.objects.filter(pool_id=sold.pool_id, kind="take")
    two_looks_ago = Now() - timedelta(seconds=gatekeeping.LOOK_SECONDS)
    return takes.filter(created_at__lt=two_looks_ago).exists()


def children_of(child: Child) -> list[int]:
    """The ids of the processes that it has started."""
    return [one.pid for one in psutil.Process(child.pid).children(recursive=True)]
