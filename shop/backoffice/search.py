"""Finding whatever a number, a name or a code names, from anywhere in the console.

Each app registers finders in its module `console`, as it does its panels (`shop.backoffice.today`).
A finder is an exact look-up through an index, at any size of the shop, and is asked only where the
term could be its. Nobody finds what they may not look at.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst
from unfold.dataclasses import SearchResult

from shop.backoffice.navigation import JOBS

# What nothing is longer than, and the rows of one finder that are shown.
LONGEST = 150
MOST = 5

ANYTHING = re.compile(r".+")
# Of an order, a payment, a refund, an entry, a coupon (`shop.numbers`); and an id.
NUMBER = re.compile(r"[0-9]{24}", re.ASCII)
ID = re.compile(r"[0-9]{1,18}", re.ASCII)

Find = Callable[[str], QuerySet[Any]]


@dataclass(frozen=True, slots=True)
class Finder:
    """`about`: the label of the model whose rows it finds by terms like `pattern`."""

    about: str
    pattern: re.Pattern[str]
    find: Find


_finders: list[Finder] = []


def finder(about: str, pattern: re.Pattern[str] = ANYTHING) -> Callable[[Find], Find]:
    """Registers how rows of a model are found."""

    def register(find: Find) -> Find:
        _finders.append(Finder(about, pattern, find))
        return find

    return register


def find_rows(request: HttpRequest, text: str) -> Iterator[Model]:
    """The rows that `text` names, of what this operator may look at, in the order of the menu."""
    term = text.strip()
    if not term or len(term) > LONGEST:
        return
    places = {label: place for place, label in enumerate(_icons())}
    for one in sorted(_finders, key=lambda finder: places.get(finder.about, len(places))):
        if one.pattern.fullmatch(term) and _may_look(request, one.about):
            yield from one.find(term)[:MOST]


def found(request: HttpRequest, text: str) -> Iterable[SearchResult]:
    """The same as django-unfold shows them."""
    icons = _icons()
    for row in find_rows(request, text):
        meta = row._meta
        yield SearchResult(
            # On a phone, a line may break within a name such as order_paid:260831...
            title=str(row).replace(":", ":\u200b"),
            description=str(capfirst(meta.verbose_name)),
            link=reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk]),
            icon=icons.get(meta.label_lower, "tag"),
        )


def _icons() -> dict[str, str]:
    """By the labels of the menu's models, in its order."""
    return {label: icon for _job, lists in JOBS for label, icon in lists}


def _may_look(request: HttpRequest, label: str) -> bool:
    pages = admin.site.get_model_admin(apps.get_model(label))
    return bool(pages.has_view_permission(request))
