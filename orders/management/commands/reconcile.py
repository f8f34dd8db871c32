"""Compares a day with a provider's bill, as beat has it done for yesterday."""

from datetime import date, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from orders.payments.offered import WECHAT
from orders.payments.oversight.reconciliation import reconcile
from orders.payments.providers import ProviderUnavailable
from orders.payments.wechat.provider import CHINA


class Command(BaseCommand):
    help = "Compare a day's payments and refunds with the provider's bill. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--date", type=date.fromisoformat, help="2026-11-25; else yesterday")
        parser.add_argument("--provider", default=WECHAT)

    def handle(self, *args: Any, **options: Any) -> None:
        provider, day = options["provider"], options["date"]
        day = day or timezone.now().astimezone(CHINA).date() - timedelta(days=1)
        try:
            row = reconcile(provider=provider, day=day)
        except KeyError:
            raise CommandError(f"{provider} is not switched on, or has no bills.") from None
        except ProviderUnavailable as error:
            raise CommandError(f"{provider} does not give its bill of {day}: {error}") from None
        if row is None:
            raise CommandError(f"{provider} has not made its bill of {day} yet.")
        self.stdout.write(
            f"{provider} {day}: {row.payments} payments of {row.paid_fen} fen,"
            f" {row.refunds} refunds of {row.refunded_fen} fen"
        )
        for difference in row.differences:
            self.stdout.write(
                f"  {difference['what']} {difference['number']}:"
                f" ours {difference['ours']}, theirs {difference['theirs']}"
            )
        if row.differences:
            raise CommandError(f"{len(row.differences)} differences.")
