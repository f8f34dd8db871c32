"""The measuring itself, on a server that `python -m bench` has started: not for use by hand."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from bench import machine, options, shop
from bench.load import Answers, Generator, Orders
from bench.report import STRATEGIES, Cell, Report, Yardstick
from bench.usage import Meter

SHOPPERS = 500
WARM_UP_SECONDS = 2
# More than anyone can buy in a timed run, so that nothing but the shop limits it.
HOT_STOCK = 10_000_000
RUSH_STOCK, RUSH_REQUESTS = 100, 400


class Command(BaseCommand):
    help = "Measure the shop at BASE and write the figures."
    # The shop's own checks are the tests' business.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("base")
        parser.add_argument("folder", type=Path)
        parser.add_argument("--mariadb", required=True, metavar="VERSION")
        parser.add_argument("--redis", required=True, metavar="VERSION")
        parser.add_argument("--web-pid", required=True, type=int)
        parser.add_argument("--mariadb-pid", required=True, type=int)
        options.add_to(parser)

    def handle(self, *args: Any, **given: Any) -> None:
        meter = Meter({"web": given["web_pid"], "mariadb": given["mariadb_pid"]})
        measuring = Measuring(given["base"], given["folder"], meter, seconds=given["seconds"])
        found = Report(
            machine=machine.machine(),
            versions=machine.versions(mariadb=given["mariadb"], redis=given["redis"]),
            settings={
                "seconds": given["seconds"],
                "warm_up_seconds": WARM_UP_SECONDS,
                "shoppers": SHOPPERS,
                "pool_concurrency": settings.POOL_CONCURRENCY,
            },
            statements=measuring.statements(),
            **measuring.rows(given["clients"]),
        )
        given["output"].parent.mkdir(parents=True, exist_ok=True)
        given["output"].write_text(found.as_json())
        checks = found.checks()
        self.stdout.write(
            f"\n{found.head()}\n\n{found.table()}\n\n"
            + "\n".join(str(check) for check in checks)
            + f"\n\nWritten to {given['output']}."
        )
        if any(not check.ok and (check.hard or given["strict"]) for check in checks):
            raise CommandError("Not everything holds, see FAIL above.")


class Measuring:
    """One run: the server at `base`, the clients' files in `folder`."""

    def __init__(self, base: str, folder: Path, meter: Meter, *, seconds: int) -> None:
        self.base = base
        self.folder = folder
        self.meter = meter
        self.seconds = seconds
        self.wrk = Generator(base, folder)
        self.shoppers = folder / "shoppers"
        shop.write_shoppers(self.shoppers, count=SHOPPERS)

    def statements(self) -> list[str]:
        """What one checkout sends to the database."""
        sku = shop.fresh_sku(strategy="", stock=HOT_STOCK)
        return shop.checkout_statements(self.base, shoppers=self.shoppers, sku=sku)

    def rows(self, clients: list[int]) -> dict[str, Any]:
        """For each number of clients the yardstick, checkout by each strategy, the yardstick again:
        figures that are compared are measured close together."""
        yardsticks, cells = [], []
        for count in clients:
            before = self._yardstick(count)
            for strategy in STRATEGIES:
                cells.append(self._cell(strategy, count))
            yardsticks.append(Yardstick(count, [before, self._yardstick(count)]))
        return {"yardsticks": yardsticks, "cells": cells}

    def _yardstick(self, clients: int) -> Answers:
        self.wrk.yardstick(clients=clients, seconds=1)
        return self.wrk.yardstick(clients=clients, seconds=max(1, self.seconds // 2))

    def _cell(self, strategy: str, clients: int) -> Cell:
        name = f"{strategy}-{clients}"
        acknowledged = self.folder / f"{name}.acknowledged"
        hot = shop.fresh_sku(strategy=strategy, stock=HOT_STOCK)
        scarce = shop.fresh_sku(strategy=strategy, stock=RUSH_STOCK)

        def orders(sku_id: int, run: str) -> Orders:
            return Orders(self.shoppers, sku_id, f"{name}-{run}", acknowledged)

        retried = shop.retries(self.base)
        warm_up = orders(hot.pk, "warm")
        self.wrk.checkout(warm_up, clients=clients, seconds=WARM_UP_SECONDS)
        before = self.meter.read()
        run = self.wrk.checkout(orders(hot.pk, "run"), clients=clients, seconds=self.seconds)
        usage = before.until(self.meter.read())
        rush = self.wrk.rush(orders(scarce.pk, "rush"), clients=clients, requests=RUSH_REQUESTS)
        retries = shop.retries(self.base)
        print(f"  {name:16} {run.count('201') / run.seconds:6,.0f} orders/s", flush=True)
        return Cell(
            strategy=strategy,
            clients=clients,
            run=run,
            sold=shop.tally(hot, loaded=HOT_STOCK),
            rush=rush,
            rush_requests=RUSH_REQUESTS,
            rush_sold=shop.tally(scarce, loaded=RUSH_STOCK),
            lost=shop.lost(acknowledged.read_text().split()),
            retries=retries - retried,
            usage=usage,
            broken=shop.broken_promises(),
        )
