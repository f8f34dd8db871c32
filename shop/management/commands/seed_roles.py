"""Makes the console's roles what `shop.backoffice.roles` says; run again, it changes nothing."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from shop.backoffice.seeding import roles_compare, roles_seed


class Command(BaseCommand):
    help = (
        "Make the groups of the console's roles what they were written down to be, and say what "
        "was changed. Run it after every migrate. Groups of other names are left as they are."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="change nothing; exit 1 where something differs"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            differences = roles_compare() if options["check"] else roles_seed()
        except LookupError as error:
            raise CommandError(f"{error}. Run migrate first; nothing was changed.") from error
        for difference in differences:
            self.stdout.write(str(difference))
        if options["check"] and differences:
            raise CommandError("The roles are not as they were written down: run seed_roles.")
        self.stdout.write(
            "The roles are in place." if differences else "The roles are as they should be."
        )
