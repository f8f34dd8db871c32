"""Does by hand what beat rings for: ends red packets that are over."""

from typing import Any

from django.core.management.base import BaseCommand

from lottery.packets.services import packets_sweep


class Command(BaseCommand):
    help = "End red packets that are over; what nobody got goes back to their senders."

    def handle(self, *args: Any, **options: Any) -> None:
        ended = 0
        while found := packets_sweep():
            ended += found
            self.stdout.write(f"{ended} packets ended ...")
        self.stdout.write(f"{ended} red packets that were over have ended.")
