"""Fills the shop with the demo of `shop.demo`; run again, it changes nothing."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from shop import demo


class Command(BaseCommand):
    help = (
        "Add a small believable shop: categories, goods with stock, shipping methods, a demo "
        "shopper and an operator. What exists is left as it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--skus",
            type=int,
            default=0,
            metavar="N",
            help="add SKUs for load tests until there are N of them",
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="also where the sandbox is off: the demo's passwords are public",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.SANDBOX_PAYMENTS and not options["force"]:
            raise CommandError(
                "This shop takes real payments (SANDBOX_PAYMENTS is off) and the demo's passwords "
                "are public. Nothing was changed; --force seeds all the same."
            )
        added = demo.seed()
        for what in added:
            self.stdout.write(f"  + {what}")
        self.stdout.write("The demo is in place." if added else "The demo was there already.")
        if options["skus"]:
            self._seed_skus(options["skus"])

    def _seed_skus(self, count: int) -> None:
        # disable=None: a bar for people, silence for pipes.
        with tqdm(total=count, unit=" SKUs", file=sys.stderr, disable=None) as bar:
            added = demo.seed_skus(count, progress=lambda done: bar.update(done - bar.n))
        self.stdout.write(f"  + {added} SKUs for load tests")
