"""Prints whether the shop keeps its promises; what they are stands in `shop.pools.audit`."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop.pools.audit import Report, audit


class Command(BaseCommand):
    help = "Check every promise on one snapshot of the database. Exit code 1: one is broken."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object, for machines")
        parser.add_argument(
            "--sample",
            type=int,
            metavar="N",
            help="look at about N random rows of each table only, for huge tables",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["sample"] is not None and options["sample"] < 1:
            raise CommandError("--sample takes a number of rows, at least 1")
        report = audit(options["sample"])
        self.stdout.write(json.dumps(report.as_dict()) if options["json"] else _text(report))
        if not report.ok:
            sys.exit(1)


def _text(report: Report) -> str:
    lines = []
    for promise in report.promises:
        figures = " ".join(f"{name}={value}" for name, value in promise.figures.items())
        verdict = "ok    " if promise.ok else "BROKEN"
        lines.append(f"{promise.number}  {verdict}  {promise.name}")
        if figures:
            lines.append(f"            {figures}")
        lines += [f"            - {row}" for row in promise.broken]
    return "\n".join(lines)
