"""Plays a flash sale against a running server; what is played and judged is `orders.rehearsal`."""

import os
import re
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from goods.sales.models import FlashSale
from orders.rehearsal.figures import Seen
from orders.rehearsal.inside import (
    Books,
    Sale,
    Shopper,
    database_version,
    prefix,
    sale_read,
    shoppers_make,
)
from orders.rehearsal.journal import Journal
from orders.rehearsal.machine import machine
from orders.rehearsal.page import Result
from orders.rehearsal.run import (
    Plan,
    Play,
    Shown,
    UnfitError,
    check_same_shop,
    look,
    progress,
    settle,
)
from orders.rehearsal.verdict import judge
from shop.pools.audit import audit

HELP = """\
Play a flash sale against the running shop, with shoppers made for it.

R visits a second come for S seconds, each to buy one unit, by N shoppers in turn (after the last
one the first comes again). They come whether or not the shop keeps up, and every time counts from
the moment when the shopper meant to click. Shoppers repeat what got no answer with the same key,
look at pending orders until they are settled, and log what they are told.

At the end there are a table, a page with charts in var/rehearsals/, and the audit. The exit status
is 1 where anything is broken: more or fewer units sold than min(stock, demand), an order that a
shopper was told of and the database does not hold, an answer outside the contract, an order that
stays pending, a promise that the audit finds broken.

It buys real units, which come back when the orders expire unpaid, or at once with --cancel. Its
users are named rehearsal-... and stay.
"""

# The longest wait for a sale to start, and time for what comes after the last answer, in seconds.
STARTS_SOON = 60.0
AFTERWARDS = 600.0


class Command(BaseCommand):
    help = HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sale", metavar="SALE", type=int, help="a flash sale's id")
        parser.add_argument("--shoppers", metavar="N", type=_whole, default=500)
        parser.add_argument(
            "--rate", metavar="R", type=_positive, default=100.0, help="visits a second"
        )
        parser.add_argument(
            "--for",
            metavar="S",
            type=_positive,
            dest="seconds",
            help="seconds; by default until every shopper has come once",
        )
        parser.add_argument(
            "--wait",
            metavar="SECONDS",
            type=_positive,
            default=120.0,
            help="how long to wait after the last visit for answers, and then for what is pending",
        )
        parser.add_argument("--base", metavar="URL", help="the server, such as http://host:port")
        parser.add_argument(
            "--cancel", action="store_true", help="cancel at the end the orders that were placed"
        )
        parser.add_argument(
            "--force-production",
            action="store_true",
            help="rehearse in a shop with production settings: its real units are gone meanwhile",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # What only production settings forbid, all others allow.
        if not settings.FAILPOINTS_ALLOWED and not options["force_production"]:
            raise CommandError(
                "These are production settings: a rehearsal buys real units before real shoppers"
                " can. Add --force-production if that is what you want."
            )
        try:
            self._rehearse(options)
        except UnfitError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted: there is no report, and what was bought stays bought until it"
                " expires."
            ) from None

    def _rehearse(self, options: Mapping[str, Any]) -> None:
        base, why = server_address(options["base"])
        sale, shown = _sale(base, options["sale"])
        seconds = options["seconds"] or options["shoppers"] / options["rate"]
        visits = max(1, round(options["rate"] * seconds))
        plan = Plan(
            base=base,
            sale=sale,
            run=token_hex(4),
            shoppers=min(options["shoppers"], visits),
            rate=options["rate"],
            seconds=seconds,
            wait=options["wait"],
        )
        about = _about(plan, shown, why=why, cancel=options["cancel"])
        self._say(about)
        facts = {**machine(), "database": database_version()}
        shoppers = self._shoppers(plan)
        stem = f"{sale.pk}-{timezone.localtime():%Y%m%dT%H%M%S}"
        folder = Path(settings.VAR_DIR) / "rehearsals"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with Journal(folder / f"{stem}.jsonl") as journal:
            books = Books(sale, plan.run)
            play = Play(plan, journal, plan.schedule(shoppers), Seen(), [])
            play.play(books, opens=shown.opens)
            pending = settle(books, seconds=plan.wait)
            stock, in_shop_ms = books.stock(), books.settle_ms()
            if options["cancel"]:
                play.cancel()
            report = audit()
            checks = judge(
                seen=play.seen,
                stock=stock,
                pending=pending,
                disagreements=journal.disagreements(books.stored()),
                broken_promises=[
                    f"{number}: {row}" for number, rows in report.broken.items() for row in rows
                ],
            )
        title = f"Rehearsal of flash sale {sale.pk}, {shown.title}"
        result = Result(
            title=title,
            about=about,
            machine=facts,
            seen=play.seen,
            samples=play.samples,
            in_shop_ms=in_shop_ms,
            stock=stock,
            checks=checks,
            audit=report,
        )
        page = folder / f"{stem}.html"
        page.write_text(result.html(), encoding="utf-8")
        self.stdout.write(f"\n{result.text()}\n\n{page}")
        if not result.ok:
            sys.exit(1)

    def _say(self, about: Mapping[str, str]) -> None:
        for name, value in about.items():
            self.stdout.write(f"{name:10} {value}")

    def _shoppers(self, plan: Plan) -> list[Shopper]:
        """Raises UnfitError, with one shopper made, where the server does not know that one."""
        lifetime = timedelta(seconds=STARTS_SOON + plan.seconds + 2 * plan.wait + AFTERWARDS)
        first = shoppers_make(plan.run, numbers=range(1), lifetime=lifetime)
        check_same_shop(plan.base, first[0])
        with progress("shoppers", total=plan.shoppers) as bar:
            bar.update()
            others = shoppers_make(
                plan.run, numbers=range(1, plan.shoppers), lifetime=lifetime, progress=bar.update
            )
        return first + others


def server_address(given: str | None) -> tuple[str, str]:
    """The server's address and how it was found."""
    if given:
        if not re.fullmatch(r"https?://[^/\s]+/?", given):
            raise CommandError("--base is an address such as http://127.0.0.1:8000")
        return given.rstrip("/"), "--base"
    # What `make run` and `make stack` hold while they run says where the shop is.
    lock = Path(settings.BASE_DIR) / "var" / "shop.lock"
    if lock.exists() and (found := re.search(r"http://\S+", lock.read_text())):
        return found.group(), "the shop that runs in this folder"
    return f"http://127.0.0.1:{os.environ.get('PORT', '8000')}", "by default"


def _sale(base: str, sale_id: int) -> tuple[Sale, Shown]:
    """Raises UnfitError unless the sale runs or starts soon."""
    shown = look(base, sale_id)
    starts_in = shown.opens - time.monotonic()
    soon = shown.status == "scheduled" and starts_in <= STARTS_SOON
    if shown.status not in ("running", "sold_out") and not soon:
        when = f", it starts in {starts_in:.0f} s" if shown.status == "scheduled" else ""
        raise UnfitError(f"Flash sale {sale_id} is {shown.status}{when}: nothing to rehearse now.")
    try:
        return sale_read(sale_id), shown
    except FlashSale.DoesNotExist:
        raise UnfitError(
            f"{base} has a flash sale {sale_id} that this database does not have."
        ) from None


def _about(plan: Plan, shown: Shown, *, why: str, cancel: bool) -> Mapping[str, str]:
    sale = plan.sale
    starts_in = shown.opens - time.monotonic()
    tokens = {
        (False, False): "none",
        (True, False): "each shopper asks for one first",
        (True, True): "made here, since no program reads the pictures",
    }
    about = {
        "sale": f"{sale.pk}, {shown.title}: {shown.remaining} left, {sale.placement}",
        "server": f"{plan.base} ({why})",
        "shoppers": f"{plan.shoppers:,}, named {prefix(plan.run)}0 and so on; they stay",
        "visits": f"{plan.visits:,}: {plan.rate:g} a second for {plan.seconds:g} s",
        "tokens": tokens[sale.protected, sale.by_picture],
        "starts": f"in {starts_in:.0f} s, with the sale" if starts_in > 0 else "at once",
        "units": "real ones; cancelled at the end" if cancel else "real ones, until they expire",
    }
    if sale.limits_address:
        about["note"] = "the sale has a limit per address, and all shoppers share one"
    return about


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError("a whole number from 1 on")
    return int(text)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ArgumentTypeError("a number above 0")
    return number
