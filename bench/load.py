"""Drives the shop over HTTP with wrk, a closed-loop load generator, and reads what it saw.

Each client sends its next request when the last one was answered. wrk's percentiles are over all
answers, whatever their status, and corrected by it for what slow answers kept from being sent, so
a stall weighs more than it would in a plain histogram. Knows addresses and files, no Django.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.packages import Need, find
from deploy.local.processes import LocalError

WRK = Need(
    "the load generator", lambda: [] if find("wrk") else ["wrk"], debian=("wrk",), homebrew=("wrk",)
)
YARDSTICK, ORDERS = "/bench/yardstick", "/api/v1/orders"
SCRIPT = Path(__file__).with_name("clients.lua")
# Longer than the slowest answer that the shop's own limits allow.
TIMEOUT_SECONDS = 10
# What a limited run may take; it ends with its last answer.
LIMITED_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Answers:
    """What the clients saw. `counts`: "201", "503 busy", "socket read" and so on -> how many.

    The times, in milliseconds, are zero for a run limited to a number of requests.
    """

    counts: Mapping[str, int]
    seconds: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0

    def count(self, *codes: str) -> int:
        """How many answers were one of `codes`."""
        return sum(self.counts.get(code, 0) for code in codes)

    def other_than(self, *codes: str) -> int:
        """How many were none of `codes`, failed connections included."""
        return sum(count for code, count in self.counts.items() if code not in codes)

    @property
    def broken(self) -> int:
        """Answers that no shop may give: a 5xx that is not `busy`, and none at all."""
        return sum(
            count
            for code, count in self.counts.items()
            if code.startswith(("5", "socket")) and code != "503 busy"
        )


def answers(text: str) -> Answers:
    """The result file that the script leaves."""
    result: dict[str, Any] = json.loads(text)
    counts = {code: count for code, count in result.pop("counts").items() if count}
    return Answers(counts=dict(sorted(counts.items())), **result)


@dataclass(frozen=True, slots=True)
class Orders:
    """What checkout's clients need: a file of "token address" lines, the SKU to buy, a name that
    makes this run's keys its own, and the file that acknowledged order numbers are added to."""

    shoppers: Path
    sku_id: int
    run: str
    acknowledged: Path


@dataclass(frozen=True, slots=True)
class Generator:
    """wrk, aimed at the server at `base` (http://host:port), with a folder for its files."""

    base: str
    folder: Path

    def yardstick(self, *, clients: int, seconds: int) -> Answers:
        """Asks for the bare view for so long."""
        return self._run(YARDSTICK, clients=clients, seconds=seconds)

    def checkout(self, orders: Orders, *, clients: int, seconds: int) -> Answers:
        """Places orders for so long."""
        env = self._env(orders)
        return self._run(ORDERS, clients=clients, seconds=seconds, env=env)

    def rush(self, orders: Orders, *, clients: int, requests: int) -> Answers:
        """Places exactly `requests` orders and waits for every answer."""
        env = {**self._env(orders), "BENCH_LIMIT": str(requests)}
        return self._run(ORDERS, clients=clients, seconds=LIMITED_SECONDS, env=env)

    def _env(self, orders: Orders) -> dict[str, str]:
        return {
            "BENCH_SHOPPERS": str(orders.shoppers),
            "BENCH_SKU": str(orders.sku_id),
            "BENCH_RUN": orders.run,
            "BENCH_ACKNOWLEDGED": str(orders.acknowledged),
        }

    def _run(
        self, path: str, *, clients: int, seconds: int, env: Mapping[str, str] | None = None
    ) -> Answers:
        result = self.folder / "result.json"
        result.unlink(missing_ok=True)
        command: Sequence[str] = [
            *(find("wrk") or "wrk", "-t1", f"-c{clients}", f"-d{seconds}s"),
            *("--timeout", f"{TIMEOUT_SECONDS}s", "-s", str(SCRIPT), f"{self.base}{path}"),
        ]
        done = subprocess.run(
            command,
            env={**os.environ, **(env or {}), "BENCH_RESULT": str(result)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 or not result.exists():
            raise LocalError(f"wrk failed:\n{done.stdout}{done.stderr}")
        return answers(result.read_text())
