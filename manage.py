#!/usr/bin/env python
"""Django's command line. While `make run` or `make stack` is up, it talks to that same shop."""

import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line


def main() -> None:
    # Written by deploy/local/up.py while a shop runs here: NAME=value lines, e.g. its MariaDB port.
    running = Path(__file__).resolve().parent / "var" / "running.env"
    if "DJANGO_SETTINGS_MODULE" not in os.environ and running.exists():
        for line in running.read_text().splitlines():
            name, _, value = line.partition("=")
            os.environ.setdefault(name, value)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.embedded")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
