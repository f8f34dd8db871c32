"""Opens gates of flash sales anew from the database, from the command line."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from goods.sales.models import FlashSale
from goods.sales.services import rebuild_gate
from shop.errors import Ended, Refusal, Unavailable
from shop.pools import gate


class Command(BaseCommand):
    help = (
        "Rebuild the gate of one flash sale, or of all that are open and have one, with what the"
        " database says. Buyers may go on meanwhile."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("sale", metavar="ID", type=int, nargs="?", help="a flash sale's id")
        which.add_argument("--all", action="store_true", help="every open sale that has a gate")

    def handle(self, *args: Any, **options: Any) -> None:
        if not gate.configured():
            raise CommandError("This shop has no Redis for gates: there is nothing to rebuild.")
        sales = FlashSale.objects.select_related("pool", "sku").order_by("pk")
        if options["all"]:
            self._rebuild(list(sales.filter(pool__gated=True, pool__open=True)), one=False)
            return
        sale = sales.filter(pk=options["sale"]).first()
        if sale is None:
            raise CommandError(f"There is no flash sale {options['sale']}. The admin lists them.")
        if not sale.pool.gated:
            raise CommandError(f"Flash sale {sale.pk} has no gate. The admin gives it one.")
        self._rebuild([sale], one=True)

    def _rebuild(self, sales: Sequence[FlashSale], *, one: bool) -> None:
        rebuilt = 0
        # disable=None: a bar for people, silence for pipes.
        for sale in tqdm(sales, unit=" gates", file=sys.stderr, disable=True if one else None):
            try:
                rebuild_gate(sale)
            except Ended as refusal:
                if one:
                    raise CommandError(f"Flash sale {sale.pk} is over.") from refusal
                continue  # just now
            except Unavailable as refusal:
                raise CommandError(
                    f"Redis does not answer; {rebuilt} of {len(sales)} gates are rebuilt. Gates"
                    " that are cold open by themselves when it is back, or run this again."
                ) from refusal
            except Refusal as refusal:
                raise CommandError(f"Flash sale {sale.pk}: {refusal.detail}") from refusal
            rebuilt += 1
        self.stdout.write(f"Gates rebuilt: {rebuilt}.")
