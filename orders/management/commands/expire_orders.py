"""Does by hand what beat rings for: expires overdue orders, closes payments, sends refunds."""

from typing import Any

from django.core.management.base import BaseCommand

from orders.lifecycle import orders_expire
from orders.payments.refunding import refunds_execute
from orders.payments.services import payments_close


class Command(BaseCommand):
    help = "Expire overdue orders, close their payments, give their units and late money back."

    def handle(self, *args: Any, **options: Any) -> None:
        expired = closed = refunded = 0
        while found := orders_expire():
            expired += found
            self.stdout.write(f"{expired} orders moved on ...")
        while found := payments_close():
            closed += found
        while found := refunds_execute():
            refunded += found
        self.stdout.write(
            f"{expired} overdue orders moved on, {closed} payments closed, {refunded} refunded."
        )
