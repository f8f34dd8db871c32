"""Ends a flash sale from the command line; what that means is `sale_end`'s business."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from goods.sales.figures import order_counts
from goods.sales.selectors import Status, sale_get
from goods.sales.services import QUEUE_KIND, sale_end
from shop.errors import NotFound, Refusal


class Command(BaseCommand):
    help = (
        "End a flash sale: nothing more is accepted, what waits is settled, and what is left goes"
        " back to the SKU's stock. Harmless to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sale", metavar="ID", type=int, help="a flash sale's id")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            sale: Any = sale_get(options["sale"])
        except NotFound as refusal:
            raise CommandError(
                f"There is no flash sale {options['sale']}. The admin lists them."
            ) from refusal
        was_over = sale.status_now == Status.ENDED
        self.stdout.write("Settling what waits ...")
        try:
            left = sale_end(sale)
        except Refusal as refusal:
            raise CommandError(f"{refusal.detail} Run it again: it goes on from there.") from None
        over = "was over" if was_over else "is over"
        self.stdout.write(f"Flash sale {sale.pk} {over}; {left} units went back to {sale.sku}.")
        failed = order_counts[QUEUE_KIND].failed(sale).by_cause
        if failed:
            causes = ", ".join(f"{cause}: {count}" for cause, count in failed)
            self.stdout.write(f"Orders that failed: {causes}.")
