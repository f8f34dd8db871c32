"""Opens a period from the command line; what that means is `period_open`'s business."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError
from django.urls import reverse
from django.utils import timezone

from goods.models import Sku
from lottery.beacons import CHOICES
from lottery.models import Scheme
from lottery.opening import FIRST_NUMBER, PeriodPlan, period_open
from lottery.selectors import period_get
from shop.commandline import PlanCommand, end_of, faults, is_gated, moment, reference_of, shown
from shop.errors import InsufficientStock, Invalid, Refusal
from shop.pools.models import Placement, Strategy
from shop.wallet.models import Currency

HELP = """\
Open a period: SHARES numbered shares at PRICE each, of which one wins. Its terms and its seed are
committed to as it opens, and stand from then on.

A price is in points; shares for money (--currency cny, in fen) need the setting LOTTERY_FOR_MONEY.
With --sku a unit of it leaves the stock at once, for whoever wins. Moments are ISO 8601, such as
2026-11-11T20:00, in the shop's time zone unless they name an offset.

The period's id, address and commitment are printed. A period has a reference: the same command with
the same --reference finds the period that it has opened, and opens no second one.
"""

# Where a field of the plan comes from, for those who type options.
OPTIONS = {
    "prize_title": "TITLE",
    "share_price": "--price",
    "total_shares": "--shares",
    "minimum_shares": "--minimum",
    "per_user_limit": "--limit",
    "first_number": "--first-number",
    "serial": "--serial",
    "prize_title_en": "--title-en",
    "prize_image": "--image",
    "ends_at": "--ends",
    "currency": "--currency",
    "scheme": "--scheme",
    "beacon": "--beacon",
    "public_number_source": "--public-number-source",
    "gated": "--gate",
}


class Command(PlanCommand):
    help = HELP

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("title", metavar="TITLE", help="what can be won")
        parser.add_argument("--price", metavar="PRICE", type=int, required=True)
        parser.add_argument("--shares", metavar="SHARES", type=int, required=True)
        parser.add_argument("--sku", metavar="CODE", help="what the winner is sent")
        parser.add_argument("--title-en", metavar="TITLE", default="")
        parser.add_argument(
            "--image", metavar="ADDRESS", default="", help="default: that of the SKU's goods"
        )
        parser.add_argument(
            "--minimum", metavar="N", type=int, default=1, help="fewer sold: all is paid back (1)"
        )
        parser.add_argument("--limit", metavar="N", type=int, help="shares one shopper may have")
        parser.add_argument("--first-number", metavar="N", type=int, default=FIRST_NUMBER)
        parser.add_argument("--serial", metavar="N", type=int, default=1)
        parser.add_argument(
            "--renew", action="store_true", help="the next one opens by itself, on the same terms"
        )
        parser.add_argument(
            "--currency", choices=Currency.values, default=Currency.POINTS.value, help="points"
        )
        end = parser.add_mutually_exclusive_group()
        end.add_argument("--ends", metavar="MOMENT", type=moment, help="default: when sold out")
        end.add_argument("--for", metavar="MINUTES", type=float, dest="minutes")
        self._add_draw(parser)
        self.add_pool_terms(parser)
        self.add_answer(parser, what="period")

    def _add_draw(self, parser: ArgumentParser) -> None:
        parser.add_argument("--scheme", choices=Scheme.values, default=Scheme.COMMIT_BEACON.value)
        parser.add_argument("--beacon", choices=[*CHOICES], help="default: the shop's setting")
        parser.add_argument(
            "--public-number-source",
            metavar="TEXT",
            default="",
            help="classic: which public number will be used, and where it can be read",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        plan = _plan(options)
        try:
            period = period_open(plan, reference=reference_of(options))
        except InsufficientStock as refusal:
            raise CommandError(
                f"{options['sku']} is out of stock. Nothing was changed."
            ) from refusal
        except Invalid as refusal:
            raise CommandError(faults(refusal, OPTIONS)) from refusal
        except Refusal as refusal:
            raise CommandError(
                f"{refusal.detail} Look at the list of periods before you run it again."
            ) from refusal
        self._tell(period_get(period.pk), as_json=options["json"])

    def _tell(self, period: Any, *, as_json: bool) -> None:
        told = _told(period)
        if as_json:
            self.stdout.write(json.dumps(told, ensure_ascii=False))
            return
        ends = told["ends_at"] or "it is sold out"
        self.stdout.write(
            f"Period {period.pk}: {period}\n"
            f"  {period.total_shares} shares at {period.share_price} {period.currency},"
            f" {told['status']} until {ends}\n"
            f"  drawn by {period.beacon or period.scheme}, {period.placement},"
            f" gate {'on' if period.pool.gated else 'off'}\n"
            f"  commitment {period.commitment}\n"
            f"  {told['address']}"
        )


def _plan(options: Mapping[str, Any]) -> PeriodPlan:
    """Raises CommandError for what can't be meant."""
    return PeriodPlan(
        prize_title=options["title"],
        share_price=options["price"],
        total_shares=options["shares"],
        prize_title_en=options["title_en"],
        prize_image=options["image"],
        sku=_sku(options["sku"]),
        currency=options["currency"],
        minimum_shares=options["minimum"],
        per_user_limit=options["limit"],
        first_number=options["first_number"],
        ends_at=end_of(options, starts_at=timezone.now()),
        auto_renew=options["renew"],
        scheme=options["scheme"],
        beacon=options["beacon"] or "",
        public_number_source=options["public_number_source"],
        placement=Placement(options["placement"]),
        strategy=Strategy(options["strategy"]),
        gated=is_gated(options),
        serial=options["serial"],
    )


def _sku(code: str | None) -> Sku | None:
    if not code:
        return None
    sku = Sku.objects.filter(code=code).first()
    if sku is None:
        raise CommandError(f"No SKU has the code {code}. The admin lists them.")
    return sku


def _told(period: Any) -> dict[str, Any]:
    return {
        "id": period.pk,
        "address": reverse("period", args=[period.pk]),
        "serial": period.serial,
        "prize_title": period.prize_title,
        "sku": period.sku_id,
        "currency": period.currency,
        "share_price": period.share_price,
        "total_shares": period.total_shares,
        "minimum_shares": period.minimum_shares,
        "per_user_limit": period.pool.per_user_limit,
        "first_number": period.first_number,
        "ends_at": shown(period.ends_at),
        "auto_renew": period.auto_renew,
        "scheme": period.scheme,
        "beacon": period.beacon,
        "status": str(period.status_now),
        "placement": period.placement,
        "gated": period.pool.gated,
        "commitment": period.commitment,
    }
