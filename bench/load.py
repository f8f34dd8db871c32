"""Drives the shop over HTTP with wrk, a load generator, and reads what it saw.

Closed loop: each client sends its next request when the last one was answered. wrk's percentiles
are over all answers, whatever their status, and corrected by it for what slow answers kept from
being sent, so a stall weighs more than it would in a plain histogram. Open loop (`paced`): requests
are due at a fixed rate, and the numbers that the shop acknowledged are written down with the moment
of the answer, so that all times can be counted from the moment that each was due. Knows addresses
and files, no Django.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

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
LIMITED_SECONDS = 120
# 200: a grab that is settled at once.
ACCEPTED = ("200", "201", "202")
UNANSWERED = "socket unanswered"


@dataclass(frozen=True, slots=True)
class Answers:
    """What the clients saw. `counts`: "201", "503 busy", "socket read" and so on -> how many.

    `started_at` is in seconds since 1970. The times, in milliseconds, are zero for a run limited to
    a number of requests.
    """

    counts: Mapping[str, int]
    seconds: float = 0.0
    started_at: float = 0.0
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
    def accepted(self) -> int:
        """How many requests the shop acknowledged, settled or not."""
        return self.count(*ACCEPTED)

    @property
    def ended_at(self) -> float:
        """Seconds since 1970."""
        return self.started_at + self.seconds

    def out_of(self, requests: int) -> "Answers":
        """These, with a count of the `requests` that were never sent or never answered."""
        missing = requests - sum(
            count for code, count in self.counts.items() if not code.startswith("socket")
        )
        if not missing:
            return self
        return replace(self, counts={**self.counts, UNANSWERED: missing})

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


class Requests(Protocol):
    """What clients send, other than the yardstick's."""

    @property
    def path(self) -> str:
        """Where the first one goes."""

    @property
    def run(self) -> str:
        """The name of the run."""

    def env(self) -> Mapping[str, str]:
        """What the script needs to know."""


@dataclass(frozen=True, slots=True)
class Purchases:
    """What clients buy: POSTs of `body` to `path`, ADDRESS in it replaced by the shopper's own.

    `shoppers` is a file of "token address" lines; `clicks` requests are each one's before it is the
    next one's turn. `run` makes this run's keys its own: they are `run`-1, `run`-2 and so on. The
    numbers of what the shop acknowledged (`number`: what an answer calls them) are added to the
    file `acknowledged`; without one no answer is looked at.
    """

    shoppers: Path
    path: str
    body: str
    run: str
    acknowledged: Path | None
    clicks: int = 1
    number: str = "order_no"

    def numbers(self) -> list[str]:
        """The numbers that the shop has acknowledged."""
        return [line.split()[0] for line in _lines(self.acknowledged)]

    def answered_at(self) -> dict[str, float]:
        """Number -> when it was acknowledged, in seconds since 1970. After a paced run."""
        pairs = (line.split() for line in _lines(self.acknowledged))
        return {number: float(at) for number, at in pairs}

    def env(self) -> Mapping[str, str]:
        env = _env(self.shoppers, self.run, clicks=self.clicks, acknowledged=self.acknowledged)
        return env | {"BENCH_BODY": self.body, "BENCH_NUMBER": self.number}


@dataclass(frozen=True, slots=True)
class Grabs:
    """What clients grab: bare POSTs to the addresses in the file `paths`, by all shoppers at one of
    them and then at the next, each shopper `clicks` times. The id of the n-th request is `run`-n;
    those that the shop acknowledged are added to the file `acknowledged` with what they got."""

    shoppers: Path
    paths: Path
    run: str
    acknowledged: Path
    clicks: int = 1

    @property
    def path(self) -> str:
        return self.paths.read_text().splitlines()[0]

    def got(self) -> list[tuple[str, int, int | None]]:
        """Of each that was acknowledged, in this run or another with the same file: the run, from 0
        on whose turn it was, and the amount (fen); None: it was told to wait."""
        found = []
        for line in _lines(self.acknowledged):
            request, amount = line.split()
            run, _, number = request.rpartition("-")
            turn = (int(number) - 1) // self.clicks
            found.append((run, turn, None if amount == "pending" else int(amount)))
        return found

    def env(self) -> Mapping[str, str]:
        env = _env(self.shoppers, self.run, clicks=self.clicks, acknowledged=self.acknowledged)
        return env | {"BENCH_BODY": "", "BENCH_NUMBER": "", "BENCH_PATHS": str(self.paths)}


def _lines(acknowledged: Path | None) -> list[str]:
    if acknowledged is None or not acknowledged.exists():
        return []
    return acknowledged.read_text().splitlines()


def _env(shoppers: Path, run: str, *, clicks: int, acknowledged: Path | None) -> dict[str, str]:
    env = {
        "BENCH_SHOPPERS": str(shoppers),
        "BENCH_RUN": run,
        "BENCH_CLICKS": str(clicks),
    }
    return env if acknowledged is None else env | {"BENCH_ACKNOWLEDGED": str(acknowledged)}


def checkout(shoppers: Path, *, sku_id: int, run: str, acknowledged: Path) -> Purchases:
    """One unit of an ordinary SKU each."""
    body = f'{{"items":[{{"sku":{sku_id},"count":1}}],"address":ADDRESS}}'
    return Purchases(shoppers, ORDERS, body, run, acknowledged)


@dataclass(frozen=True, slots=True)
class Generator:
    """wrk, aimed at the server at `base` (http://host:port), with a folder for its files."""

    base: str
    folder: Path

    def yardstick(self, *, clients: int, seconds: int) -> Answers:
        """Asks for the bare view for so long."""
        return self._run(YARDSTICK, "yardstick", {}, clients=clients, seconds=seconds)

    def buy(self, requests: Requests, *, clients: int, seconds: int) -> Answers:
        """Buys, or grabs, for so long."""
        env = requests.env()
        return self._run(requests.path, requests.run, env, clients=clients, seconds=seconds)

    def rush(self, wanted: Requests, *, clients: int, requests: int) -> Answers:
        """Sends exactly `requests` requests and waits for every answer."""
        env = {**wanted.env(), "BENCH_LIMIT": str(requests)}
        run = self._run(wanted.path, wanted.run, env, clients=clients, seconds=LIMITED_SECONDS)
        return run.out_of(requests)

    def paced(self, purchases: Purchases, *, clients: int, rate: float, seconds: int) -> Answers:
        """Sends `rate` requests a second for so long, on `clients` connections, and waits for every
        answer. The n-th was due (n - 1) / rate seconds after `started_at`."""
        requests = max(1, round(rate * seconds))
        env = {**purchases.env(), "BENCH_LIMIT": str(requests), "BENCH_RATE": str(rate)}
        run = self._run(
            purchases.path, purchases.run, env, clients=clients, seconds=seconds + LIMITED_SECONDS
        )
        return run.out_of(requests)

    def _run(
        self, path: str, name: str, env: Mapping[str, str], *, clients: int, seconds: int
    ) -> Answers:
        result = self.folder / f"{name}.json"
        result.unlink(missing_ok=True)
        command: Sequence[str] = [
            *(find("wrk") or "wrk", "-t1", f"-c{clients}", f"-d{seconds}s"),
            *("--timeout", f"{TIMEOUT_SECONDS}s", "-s", str(SCRIPT), f"{self.base}{path}"),
        ]
        done = subprocess.run(
            command,
            env={**os.environ, **env, "BENCH_RESULT": str(result)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 or not result.exists():
            raise LocalError(f"wrk failed:\n{done.stdout}{done.stderr}")
        return answers(result.read_text())
