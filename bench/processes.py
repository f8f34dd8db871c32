"""The processes that are measured: those of `make stack`, by the same commands, with the yardstick
in the web processes. Each kind can be started and stopped apart from the others."""

import os
import shutil
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.load import YARDSTICK
from deploy.local.processes import PYTHON, Child, LocalError, free_port, stop_all, tail
from deploy.local.up import STOP_SECONDS, WORKERS, nice_of, web_command, worker_command

# In place of the last word of the command, the shop itself.
APPLICATION = "bench.wsgi:application"
READY_SECONDS = 60.0

_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Shop:
    """Web, workers and beat, with what they write in `folder`; `env` tells them of the servers."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.base = ""
        self._folder = folder
        self._metrics = folder / "metrics"
        self._env = {
            **os.environ,
            **env,
            "PYTHONUNBUFFERED": "1",
            "PROMETHEUS_MULTIPROC_DIR": str(self._metrics),
        }
        self._running: list[Child] = []

    @property
    def pids(self) -> dict[str, int]:
        """The processes that run now, by name."""
        return {child.name: child.pid for child in self._running}

    @contextmanager
    def web(self) -> Iterator[None]:
        """The web processes; inside, they answer at `base`."""
        shutil.rmtree(self._metrics, ignore_errors=True)
        self._metrics.mkdir()
        port = free_port()
        self.base = f"http://127.0.0.1:{port}"
        web = self._child("web", [*web_command("stack", port=port)[:-1], APPLICATION])
        with self._started([web]):
            web.wait_until(lambda: _answers(f"{self.base}{YARDSTICK}"), seconds=READY_SECONDS)
            yield

    @contextmanager
    def workers(self) -> Iterator[None]:
        """The workers and beat."""
        workers = [self._child(name, worker_command("stack", name)) for name in WORKERS["stack"]]
        beat = self._child("beat", [PYTHON, "-m", "celery", "-A", "shop.celery", "beat"])
        with self._started([*workers, beat]):
            for worker in workers:
                worker.wait_until(partial(_is_ready, worker.log), seconds=READY_SECONDS)
            yield

    def check(self) -> None:
        """Raises LocalError when one of them has ended by itself."""
        for child in self._running:
            if (code := child.exit_code()) is not None:
                raise LocalError(f"{tail(child.log)}\n\n{child.name} ended by itself ({code}).")

    def _child(self, name: str, command: list[str | Path]) -> Child:
        log = self._folder / f"{name}.log"
        log.unlink(missing_ok=True)
        return Child(name, command, log=log, env=self._env, nice=nice_of("stack", name))

    @contextmanager
    def _started(self, children: list[Child]) -> Iterator[None]:
        try:
            for child in children:
                child.start()
                self._running.append(child)
            yield
        finally:
            stop_all(children, seconds=STOP_SECONDS)
            self._running = [child for child in self._running if child not in children]


def threads() -> dict[str, str]:
    """How many web processes serve, and with how many threads each: the same for all rows."""
    words = [str(word) for word in web_command("stack", port=0)]
    return {
        name: words[words.index(option) + 1]
        for name, option in (("processes", "--workers"), ("threads", "--blocking-threads"))
    }


def _is_ready(log: Path) -> bool:
    """Whether a worker says so in its log."""
    return log.exists() and " ready." in log.read_text()


def _answers(address: str) -> bool:
    try:
        with _http.open(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
