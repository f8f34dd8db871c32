"""What stands in one cell of a file, and what a cell of a file means.

Text is guarded: a spreadsheet takes a cell that begins with one of a few signs for a formula, and
carries it out, whoever wrote it into a remark. Such text gets an apostrophe in front; `unguarded`
takes it off again, so that what was exported comes back as it was. Numbers of ours need no guard.
"""

from datetime import datetime
from typing import Any

from django.utils import timezone
from import_export.widgets import Widget

from shop.accounts.models import without_middle
from shop.backoffice.money import yuan

APOSTROPHE = "'"
# Full-width as well: a spreadsheet in Chinese takes them for the others.
SIGNS = frozenset("=+-@＝＋－＠")
# Some programs skip these and look at what follows.
CONTROLS = frozenset("\t\r\n")
# Digits that a phone number must have before its last four tell nobody much.
SHORTEST_PHONE = 8


class Number(str):
    """A number in decimal digits, as it is to stand in the file."""

    __slots__ = ()


def is_dangerous(text: str) -> bool:
    """Whether a spreadsheet might take this text for a formula."""
    return text[:1] in CONTROLS or text.lstrip()[:1] in SIGNS


def guarded(text: str) -> str:
    """The text as no spreadsheet carries it out. See `unguarded`."""
    return APOSTROPHE + text if is_dangerous(text) or text.startswith(APOSTROPHE) else text


def unguarded(text: str) -> str:
    """The text that was `guarded`; any other as it is."""
    rest = text[1:]
    was_guarded = text.startswith(APOSTROPHE) and (
        is_dangerous(rest) or rest.startswith(APOSTROPHE)
    )
    return rest if was_guarded else text


class Text(Widget):
    def render(self, value: Any, **kwargs: Any) -> str:
        return "" if value is None else guarded(str(value))


class Whole(Widget):
    """A whole number: an id, a count, fen."""

    def render(self, value: Any, **kwargs: Any) -> "Number | str":
        return "" if value is None else Number(int(value))


class Yuan(Widget):
    """Fen, told in yuan."""

    def render(self, value: Any, **kwargs: Any) -> "Number | str":
        return "" if value is None else Number(yuan(value))


class YesNo(Widget):
    def render(self, value: Any, **kwargs: Any) -> "Number | str":
        return "" if value is None else Number(int(value))


class Moment(Widget):
    """In the shop's time zone, with its offset, to the second."""

    def render(self, value: datetime | None, **kwargs: Any) -> str:
        return "" if value is None else timezone.localtime(value).isoformat(timespec="seconds")


class Phone(Widget):
    """Whole for those who may see it (`whole`), else without its middle."""

    def render(self, value: str | None, *, whole: bool = False, **kwargs: Any) -> str:
        if not value:
            return ""
        if whole:
            return guarded(value)
        return guarded(without_middle(value)) if len(value) >= SHORTEST_PHONE else "****"


class Private(Widget):
    """A name or a street: whole for those who may see it, else its first character."""

    def render(self, value: str | None, *, whole: bool = False, **kwargs: Any) -> str:
        if not value:
            return ""
        return guarded(value if whole else f"{value[0]}**")
