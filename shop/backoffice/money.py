"""Amounts as operators read them."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext

from shop.wallet.models import Currency


def yuan(fen: int) -> str:
    """`fen` as yuan with two decimals; integer arithmetic only."""
    whole, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole}.{rest:02d}"


def money(fen: int) -> str:
    """An amount as operators read it: in yuan, and in the fen that the shop counts in."""
    return gettext("¥%(yuan)s (%(fen)s fen)") % {"yuan": yuan(fen), "fen": fen}


def amount(of: int, currency: str) -> str:
    """So much of a wallet's currency, as operators read it."""
    if currency == Currency.CNY:
        return money(of)
    return ngettext("%(count)d point", "%(count)d points", of) % {"count": of}


def money_column(field: str, label: "str | Promise") -> Callable[[Any], str]:
    """A column, or a fact of a detail page, that shows the amount in `field`."""

    @admin.display(description=label)
    def column(row: Any) -> str:
        fen = getattr(row, field)
        return "-" if fen is None else money(fen)

    column.__name__ = field.removesuffix("_fen")
    return column
