"""Child processes of the scripts here: started, watched, stopped by pid, never left behind.

A child leads a session of its own, so a Ctrl-C in the terminal reaches only the script, which then
stops its children in its own order. On Linux the kernel also ends a child whose script was killed
outright. Nothing here knows what the processes do.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VAR = ROOT / "var"
PYTHON = ROOT / ".venv" / "bin" / "python"


class LocalError(Exception):
    """What went wrong and what to do about it, in words for the person at the terminal."""


def say(text: str) -> None:
    """One line of progress."""
    print(text, flush=True)


# Whoever was given one may not listen there yet.
_given: set[int] = set()


def free_port() -> int:
    """A TCP port nobody listens on, and another one each time.

    Below the ranges that systems use for outgoing connections: while a server is down, a client
    that keeps trying to reach it there could otherwise be given that very port, and then talk to
    itself or keep the server from coming back.
    """
    for port in random.SystemRandom().sample(range(20000, 30000), 200):
        if port not in _given and not listening(port):
            _given.add(port)
            return port
    raise LocalError("No free TCP port between 20000 and 30000.")


def listening(port: int) -> bool:
    """Whether 127.0.0.1:port can't be bound, because somebody has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def private_directory(path: Path) -> Path:
    """`path`, made if need be, readable by its owner alone."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner has ever been able to read; readers see all of it or the
    old one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log file."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 200 * lines))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


class Child:
    """One process with its log file. `start` after `stop` or `kill` starts it anew. `nice`, 0 to
    19: how much it gives way to others that want the processor (setpriority(2))."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        nice: int = 0,
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log = log
        self.env = dict(env) if env is not None else None
        self.cwd = cwd
        self.nice = nice
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id. Raises LocalError when it has not been started."""
        if self._process is None:
            raise LocalError(f"{self.name} has not been started.")
        return self._process.pid

    def start(self) -> None:
        """Starts the process; its output is added to the log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_tied_to_us(), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=self.cwd,
                start_new_session=True,
            )
        if self.nice:
            _make_nice(self._process.pid, self.nice)

    def exit_code(self) -> int | None:
        """None while it runs (or before it was started); negative: the signal that ended it."""
        return self._process.poll() if self._process else None

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Waits for `ready`. Raises LocalError, with the end of the log, when the process ends
        first or time runs out."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self.exit_code() is not None:
                raise LocalError(f"{self.name} did not start:\n{tail(self.log)}\n(see {self.log})")
            if time.monotonic() > deadline:
                raise LocalError(
                    f"{self.name} did not answer within {seconds:.0f} s:\n{tail(self.log)}\n"
                    f"(see {self.log})"
                )
            time.sleep(0.05)

    def interrupt(self) -> None:
        """Asks the process to finish (SIGTERM to it alone: it knows its own children best)."""
        if self._process and self.exit_code() is None:
            self._process.terminate()

    def stop(self, *, seconds: float = 5.0) -> None:
        """Asks, waits at most `seconds`, then ends it and whatever it had started."""
        self.interrupt()
        self.finish(seconds=seconds)

    def finish(self, *, seconds: float) -> None:
        """The rest of `stop`, for a process that has been asked: asking twice means hurry to
        some."""
        if self._process:
            try:
                self._process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                say(f"  {self.name} did not finish within {seconds:.0f} s: killed.")
            self.kill()

    def kill(self) -> None:
        """SIGKILL to the process and all it has started, at once."""
        if self._process:
            # Its number stays taken while it has a member left. macOS: no permission on the dead.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def stop_all(children: Iterable[Child], *, seconds: float = 5.0) -> None:
    """Stops them side by side: together at most about `seconds`."""
    stopping = list(children)
    deadline = time.monotonic() + seconds
    for child in stopping:
        child.interrupt()
    for child in stopping:
        child.finish(seconds=max(0.1, deadline - time.monotonic()))


def _make_nice(pid: int, nice: int) -> None:
    with suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, pid, nice)
    # Where Linux shares the processor among sessions first (sched(7), autogroup), a process's own
    # value counts only inside its session.
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def _tied_to_us() -> list[str]:
    """A prefix that has the kernel end the process when the thread that starts it ends.

    So only for the main thread, whose end is ours; and only where util-linux is at hand.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    if setpriv is None or threading.current_thread() is not threading.main_thread():
        return []
    return [setpriv, "--pdeathsig", "TERM", "--"]
