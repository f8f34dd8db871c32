"""Says in words what is missing or wrong in a set-up; what is looked at is `shop.ops.doctor`."""

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.module_loading import autodiscover_modules

from shop.ops.examining import Line, Verdict, as_document, examine

SHOWN = {Verdict.OK: "ok     ", Verdict.WARNING: "WARNING", Verdict.PROBLEM: "PROBLEM"}


class Command(BaseCommand):
    help = (
        "Look at the whole set-up: database, Redis, broker, workers, settings, folders, and what "
        "waits. Each line says what it means and what to do. Exit code 1: there is a problem."
    )
    # It tells of what they find, among other things.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object, for machines")

    def handle(self, *args: Any, **options: Any) -> None:
        # Each app's own; nobody else needs them.
        autodiscover_modules("doctor")
        lines = examine()
        document = as_document(lines)
        self.stdout.write(json.dumps(document) if options["json"] else _text(lines))
        if not document["ok"]:
            sys.exit(1)


def _text(lines: Sequence[Line]) -> str:
    text = []
    for line in lines:
        text.append(f"{SHOWN[line.verdict]}  {line.name}: {line.says}")
        if line.do:
            text.append(f"         -> {line.do}")
    count = Counter(line.verdict for line in lines)
    text.append(
        f"\nProblems: {count[Verdict.PROBLEM]}, warnings: {count[Verdict.WARNING]},"
        f" well: {count[Verdict.OK]}."
    )
    return "\n".join(text)
