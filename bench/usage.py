"""Who used the processor during a run (the shop's processes, the clients, and everybody else), and
how much memory each of them holds.

A figure per second says little on a machine that others use too. Processor time per order says
almost the same whoever else is busy, and the others' share tells how far to trust the rest.
"""

import os
import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]  # it has no types


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor seconds of the named processes (with all they started), and how many cores others
    kept busy on average."""

    seconds: Mapping[str, float]
    others_cores: float

    def per(self, count: int) -> dict[str, int]:
        """Microseconds of each for one of `count` requests."""
        return {name: round(1e6 * used / count) for name, used in self.seconds.items() if count}


@dataclass(frozen=True, slots=True)
class Meter:
    """Reads the counters of `processes` (name -> process id) at the start and at the end of a run.

    `clients` is added: whatever this process ran and waited for in between, and itself.
    """

    processes: Mapping[str, int]

    def read(self) -> "Reading":
        """The counters now."""
        own = os.times()
        seconds = {name: _with_children(pid) for name, pid in self.processes.items()}
        seconds["clients"] = own.user + own.system + own.children_user + own.children_system
        machine = psutil.cpu_times()
        idle = machine.idle + getattr(machine, "iowait", 0.0)
        return Reading(seconds, busy=sum(machine[:8]) - idle, at=own.elapsed)

    def memory(self) -> dict[str, list[float]]:
        """Resident memory now, in MiB: of each process and of all that it has started, one by one.
        Of `clients` the most that any of them ever held."""
        found = {name: _memory(pid) for name, pid in self.processes.items()}
        most_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        return {**found, "clients": [round(most_kib / 1024, 1)]}


@dataclass(frozen=True, slots=True)
class Reading:
    """Processor seconds used until now, by name and by the whole machine; `at` in seconds."""

    seconds: Mapping[str, float]
    busy: float
    at: float

    def until(self, later: "Reading") -> Usage:
        """What was used between two readings."""
        ours = {name: later.seconds[name] - used for name, used in self.seconds.items()}
        others = later.busy - self.busy - sum(ours.values())
        return Usage(ours, max(0.0, others / (later.at - self.at)))


def growth(before: Sequence[float], after: Sequence[float]) -> float:
    """The most that one process grew, in MiB; both lists are of the same processes."""
    return max(later - sooner for sooner, later in zip(before, after, strict=True))


def _with_children(pid: int) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in _family(pid))


def _memory(pid: int) -> list[float]:
    return [round(one.memory_info().rss / 2**20, 1) for one in _family(pid)]


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *sorted(process.children(recursive=True), key=lambda one: int(one.pid))]
