"""Does by hand what beat rings for: counts what came in, by the hour; all of it again with
--again."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from orders.takings.services import takings_count, takings_forget


class Command(BaseCommand):
    help = "Count orders, payments and refunds into the sums by the hour."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--again", action="store_true", help="empty the sums first, and count everything again"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["again"]:
            takings_forget()
        counted = 0
        while found := takings_count():
            counted += found
            self.stdout.write(f"{counted} rows counted ...")
        self.stdout.write(f"{counted} rows counted.")
