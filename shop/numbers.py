"""Numbers that people read out: of orders, payments and refunds.

24 digits: the UTC second, its microsecond and six random digits. They ascend with time, so that a
unique index over them grows at its end, and tell nobody how many there are.
"""

import secrets
from datetime import UTC, datetime


def new_number(now: datetime) -> str:
    """A number for something made at `now`; a unique column catches the clash nobody will see."""
    return f"{now.astimezone(UTC):%y%m%d%H%M%S%f}{secrets.randbelow(10**6):06d}"
