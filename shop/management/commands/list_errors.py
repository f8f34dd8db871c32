"""Lists every code that the API refuses with; docs/errors.md is its output."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from shop.api.error_page import error_page, error_rows


class Command(BaseCommand):
    help = "List the API's error codes: status, meaning, and what a client does about each."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for programs")
        parser.add_argument("--file", type=Path, metavar="PATH", help="write it there")

    def handle(self, *args: Any, **options: Any) -> None:
        text = json.dumps(error_rows(), indent=2) + "\n" if options["json"] else error_page()
        if options["file"]:
            options["file"].write_text(text, encoding="utf-8")
        else:
            self.stdout.write(text, ending="")
