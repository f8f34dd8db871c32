"""Columns of files: what of a row they tell, and how they are headed."""

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from import_export.fields import Field
from import_export.widgets import Widget

from shop.transfers.cells import Moment, Phone, Private, Text, Whole, YesNo, Yuan, guarded


class Named(Widget):
    """A value, by its name in the reader's language."""

    def __init__(self, names: Mapping[Any, "str | Promise"]) -> None:
        super().__init__()
        self.names = {str(value): name for value, name in names.items()}

    def render(self, value: Any, **kwargs: Any) -> str:
        return "" if value is None else guarded(str(self.names.get(str(value), value)))


def text(attribute: str, heading: "str | Promise") -> Field:
    return Field(attribute, heading, Text())


def named(attribute: str, heading: "str | Promise", names: Mapping[Any, "str | Promise"]) -> Field:
    return Field(attribute, heading, Named(names))


def whole(attribute: str, heading: "str | Promise") -> Field:
    return Field(attribute, heading, Whole())


def yes_no(attribute: str, heading: "str | Promise") -> Field:
    """1 or 0."""
    return Field(attribute, heading, YesNo())


def moment(attribute: str, heading: "str | Promise") -> Field:
    return Field(attribute, heading, Moment())


def phone(attribute: str, heading: "str | Promise") -> Field:
    return Field(attribute, heading, Phone())


def private(attribute: str, heading: "str | Promise") -> Field:
    return Field(attribute, heading, Private())


def fen(attribute: str, heading: "str | Promise") -> Field:
    """An amount as the shop counts it."""
    return Field(attribute, format_lazy(_("{what} (fen)"), what=heading), Whole())


def yuan(attribute: str, heading: "str | Promise") -> Field:
    """The same, as people read it."""
    return Field(attribute, format_lazy(_("{what} (yuan)"), what=heading), Yuan())
