"""Schedules a flash sale from the command line; what that means is `sale_schedule`'s business."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.urls import reverse
from django.utils import timezone

from goods.models import Sku
from goods.sales.models import FlashSale, Protection
from goods.sales.selectors import sale_get
from goods.sales.services import SalePlan, sale_schedule
from shop.commandline import PlanCommand, end_of, faults, is_gated, moment, reference_of, shown
from shop.errors import InsufficientStock, Invalid, Refusal
from shop.pools.models import Placement, Strategy

HELP = """\
Schedule a flash sale: UNITS of a SKU leave its stock at once, and are sold at FEN from --starts on.

Moments are ISO 8601, such as 2026-11-11T20:00, in the shop's time zone unless they name an offset;
"now" is one too. A gate stands before the sale where this shop has a Redis for gates, unless
--gate off.

The sale's id and address are printed. A sale has a reference: the same command with the same
--reference finds the sale that it has scheduled, and schedules no second one.
"""

# Where a field of the plan comes from, for those who type options.
OPTIONS = {
    "price_fen": "--price-fen",
    "starts_at": "--starts",
    "total": "--units",
    "ends_at": "--ends",
    "per_user_limit": "--limit",
    "gated": "--gate",
    "concurrency_limit": "--concurrency",
    "rate_per_user": "--rate-per-user",
    "rate_per_address": "--rate-per-address",
    "rate_in_all": "--rate-in-all",
}


class Command(PlanCommand):
    help = HELP

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("code", metavar="SKU_CODE", help="what is sold")
        parser.add_argument("--price-fen", metavar="FEN", type=int, required=True)
        parser.add_argument(
            "--units", metavar="UNITS", type=int, required=True, help="set apart for the sale"
        )
        parser.add_argument("--starts", metavar="MOMENT", type=moment, help="default: now")
        end = parser.add_mutually_exclusive_group(required=True)
        end.add_argument("--ends", metavar="MOMENT", type=moment)
        end.add_argument(
            "--for", metavar="MINUTES", type=float, dest="minutes", help="counted from the start"
        )
        limit = parser.add_mutually_exclusive_group()
        limit.add_argument(
            "--limit", metavar="N", type=int, default=1, help="units one shopper may have (1)"
        )
        limit.add_argument("--no-limit", action="store_true", help="any number of them")
        parser.add_argument("--protection", choices=Protection.values, default=Protection.NONE)
        self.add_pool_terms(parser)
        self._add_rates(parser)
        self.add_answer(parser, what="sale")

    def _add_rates(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--concurrency",
            metavar="N",
            type=int,
            help="direct: requests of one process at work; queued: orders that may be pending",
        )
        for name, whom in (("user", "of a user"), ("address", "of an address"), ("all", "in all")):
            seconds = settings.SALE_RATE_SECONDS[name]
            parser.add_argument(
                f"--rate-{'in' if name == 'all' else 'per'}-{name}",
                metavar="N",
                type=int,
                help=f"requests {whom} that the gate lets through in any {seconds} s",
            )

    def handle(self, *args: Any, **options: Any) -> None:
        plan = _plan(options)
        try:
            sale = sale_schedule(plan, reference=reference_of(options))
        except InsufficientStock as refusal:
            raise CommandError(
                f"{plan.sku.code} has only {refusal.data['available']} units in stock. Nothing was"
                " changed; take fewer --units, or load more with seed_stock."
            ) from refusal
        except Invalid as refusal:
            raise CommandError(faults(refusal, OPTIONS)) from refusal
        except Refusal as refusal:
            raise CommandError(
                f"{refusal.detail} Look at the list of sales before you run it again."
            ) from refusal
        self._tell(sale_get(sale.pk), as_json=options["json"])

    def _tell(self, sale: FlashSale, *, as_json: bool) -> None:
        told = _told(sale)
        if as_json:
            self.stdout.write(json.dumps(told))
            return
        self.stdout.write(
            f"Flash sale {sale.pk}: {sale.total} of {told['sku_code']} at {sale.price_fen} fen\n"
            f"  {told['status']}, from {told['starts_at']} until {told['ends_at']}\n"
            f"  {sale.placement}, gate {'on' if sale.pool.gated else 'off'}\n"
            f"  {told['address']}"
        )


def _plan(options: Mapping[str, Any]) -> SalePlan:
    """Raises CommandError for what can't be meant."""
    sku = Sku.objects.filter(code=options["code"]).first()
    if sku is None:
        raise CommandError(f"No SKU has the code {options['code']}. The admin lists them.")
    starts_at = options["starts"] or timezone.now()
    ends_at = end_of(options, starts_at=starts_at)
    if ends_at is None:  # one of the two is required
        raise CommandError("--ends or --for says when it ends.")
    return SalePlan(
        sku=sku,
        price_fen=options["price_fen"],
        total=options["units"],
        starts_at=starts_at,
        ends_at=ends_at,
        per_user_limit=None if options["no_limit"] else options["limit"],
        protection=Protection(options["protection"]),
        placement=Placement(options["placement"]),
        strategy=Strategy(options["strategy"]),
        gated=is_gated(options),
        concurrency_limit=options["concurrency"],
        rate_per_user=options["rate_per_user"],
        rate_per_address=options["rate_per_address"],
        rate_in_all=options["rate_in_all"],
    )


def _told(sale: Any) -> dict[str, Any]:
    return {
        "id": sale.pk,
        "address": reverse("flash-sale", args=[sale.pk]),
        "sku": sale.sku_id,
        "sku_code": sale.sku.code,
        "price_fen": sale.price_fen,
        "total": sale.total,
        "starts_at": shown(sale.starts_at),
        "ends_at": shown(sale.ends_at),
        "status": str(sale.status_now),
        "placement": sale.placement,
        "gated": sale.pool.gated,
        "protection": sale.protection,
        "per_user_limit": sale.pool.per_user_limit,
    }
