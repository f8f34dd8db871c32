"""Parts of the benchmark, on a server that `python -m bench` has started: not for use by hand."""

import json
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from bench import options
from bench.measuring import checkout, commits, draining, live, lottery, pressure, sales
from bench.measuring.bench import Bench
from bench.verdict import Part

PARTS: Mapping[str, Callable[[Bench], Part]] = {
    options.CHECKOUT: checkout.measure,
    options.DRAINING: draining.measure,
    options.SALES: sales.measure,
    options.PRESSURE: pressure.measure,
    options.LOTTERY: lottery.measure,
    options.COMMITS: commits.measure,
    options.LIVE: live.measure,
}


def _process(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    return name, int(number)


class Command(BaseCommand):
    help = "Measure parts of the shop at BASE; each leaves its figures in FOLDER, as PART.json."
    # The shop's own checks are the tests' business.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("base")
        parser.add_argument("folder", type=Path)
        parser.add_argument("parts", nargs="+", choices=PARTS, metavar="PART")
        parser.add_argument("--process", type=_process, action="append", metavar="NAME=PID")
        options.add_to(parser)

    def handle(self, *args: Any, **given: Any) -> None:
        for name in given["parts"]:
            bench = Bench(
                part=name,
                base=given["base"],
                folder=given["folder"],
                processes=dict(given["process"]),
                seconds=given["seconds"],
                clients=given["clients"],
            )
            part = PARTS[name](bench)
            figures = {
                "table": part.table(),
                "checks": [asdict(check) for check in part.checks()],
                "figures": part.as_dict(),
            }
            (bench.folder / f"{name}.json").write_text(json.dumps(figures))
