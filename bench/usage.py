"""Who used the processor during a run: the shop's processes, the clients, and everybody else.

A figure per second says little on a machine that others use too. Processor time per order says
almost the same whoever else is busy, and the others' share tells how far to trust the rest.
"""

import os
from collections.abc import Mapping
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


def _with_children(pid: int) -> float:
    process = psutil.Process(pid)
    return sum(sum(one.cpu_times()[:2]) for one in (process, *process.children(recursive=True)))
