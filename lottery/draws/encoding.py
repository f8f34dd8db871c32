"""How facts become bytes: one JSON text for each value, one text for each moment.

Whatever is hashed or published goes through here, so that two programs in two languages that know
the same facts write the same bytes. Refused, with ValueError, is what they could write differently:
fractions, integers beyond a double, half characters, moments without a time zone.
"""

import json
import re
from datetime import UTC, datetime, timedelta

# The largest integer of which a double, and so every JavaScript program, knows its neighbours.
MAX_INTEGER = 2**53 - 1

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


def canonical_json(value: object) -> bytes:
    """`value` as RFC 8785 (JSON Canonicalization Scheme) writes it, in UTF-8.

    Of that RFC only the part that needs no floating point, which no two languages print alike:
    objects (dict) with ASCII keys in ascending order, lists, strings escaped as little as JSON
    allows, integers within +-(2^53 - 1), true, false, null; no white space.
    """
    _check(value)
    text = json.dumps(
        value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
    )
    return text.encode()


def _check(value: object) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if not (isinstance(key, str) and key.isascii()):
                raise ValueError(f"not a key: {key!r}")
            _check(inner)
    elif isinstance(value, list):
        for inner in value:
            _check(inner)
    elif isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise ValueError(f"beyond what a double holds: {value}")
    elif not (value is None or isinstance(value, str)):
        raise ValueError(f"no {type(value).__name__} in what is hashed")


def moment_text(moment: datetime) -> str:
    """`2026-11-25T13:15:00.000000Z`: RFC 3339, always UTC, always six digits of a second."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def millisecond_text(moment: datetime) -> str:
    """`2026-11-25T13:15:00.000Z`: what is beyond the third digit is cut off."""
    return f"{moment_text(moment)[:-4]}Z"


def moment_of(text: str) -> datetime:
    """The moment that `moment_text` wrote; ValueError for any other text."""
    if not _MOMENT.fullmatch(text):
        raise ValueError(f"not a moment: {text!r}")
    return datetime.fromisoformat(text)
