"""The draw of scheme classic: the last buy times and a public number, as the trade knows it.

For periods that are sold out. The winning number is first_number plus a remainder, so it is one of
first_number .. first_number + total - 1, which are the numbers that were sold; published versions
are off by one at one end. Whoever can time the last purchase, or choose the public number, can
choose the winner: docs/draw.md says who.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

BUY_TIMES = 50
PUBLIC_NUMBERS = 100_000

# Digits of a clock in China, as everybody there reads them: a fixed offset, no zone file.
_CLOCK = timezone(timedelta(hours=8))


def last_buy_times(moments: Iterable[datetime]) -> list[datetime]:
    """The last 50 (fewer if there are fewer) in ascending order, cut to whole milliseconds."""
    cut = sorted(
        moment.replace(microsecond=moment.microsecond // 1000 * 1000) for moment in moments
    )
    return cut[-BUY_TIMES:]


def clock_digits(moment: datetime) -> int:
    """HHMMSSmmm at UTC+08:00: 9:05:07.042 is 90507042."""
    at = moment.astimezone(_CLOCK)
    return int(f"{at:%H%M%S}{at.microsecond // 1000:03d}")


def winning_number(
    *, buy_times: Iterable[datetime], public_number: int, total: int, first_number: int
) -> int:
    """The number that wins among first_number .. first_number + total - 1.

    `buy_times` are those of the whole site up to the close; `public_number` is 0 to 99999.
    """
    if type(public_number) is not int or not 0 <= public_number < PUBLIC_NUMBERS:
        raise ValueError(f"a public number has five digits: {public_number!r}")
    digits = [clock_digits(moment) for moment in last_buy_times(buy_times)]
    if not digits:
        raise ValueError("a period that is sold out has buy times")
    return first_number + (sum(digits) + public_number) % total
