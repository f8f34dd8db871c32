#!/usr/bin/env python
"""Django's command line. While `make run` or `make stack` is up, it talks to that same shop."""

import fcntl
import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line

VAR = Path(__file__).resolve().parent / "var"


def running_shop() -> dict[str, str]:
    """The environment of the shop that runs in this folder, empty where none does.

    deploy/local/up.py writes it and holds the lock; a file that outlived its shop says nothing.
    """
    settings, lock = VAR / "running.env", VAR / "shop.lock"
    if not settings.exists() or not lock.exists():
        return {}
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            lines = settings.read_text().splitlines()
            return dict(line.split("=", 1) for line in lines)
    return {}


def main() -> None:
    if "DJANGO_SETTINGS_MODULE" not in os.environ:
        for name, value in running_shop().items():
            os.environ.setdefault(name, value)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.embedded")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
