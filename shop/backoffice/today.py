"""The console's landing page, "Today": figures and charts of what is going on, and who has to act.

Each app registers panels in a module named `console`, which `shop.apps` imports; nothing here
knows an app. A panel is about one list of the console: whoever may look at that list sees the
panel, and its figures lead there. A panel reads a bounded number of rows through an index, at any
size of the shop. One that can't be read is shown as unknown, and keeps no other from being shown.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any
from urllib.parse import urlencode

from django.apps import apps
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from shop.backoffice.navigation import JOBS
from shop.backoffice.tables import Table

logger = logging.getLogger(__name__)

# Rows that a figure counts: more than that is as bad.
MOST = 1_000


class Level(IntEnum):
    """How serious a figure is."""

    OK = 0
    LOOK = 1
    ACT = 2
    UNKNOWN = 3


LEVEL_WORDS: Mapping[Level, "str | Promise"] = {
    Level.OK: "",
    Level.LOOK: _("look at it"),
    Level.ACT: _("act"),
    Level.UNKNOWN: _("unknown"),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A value in words. `more`: a line below it; `query`: what of its panel's list it is about."""

    title: "str | Promise"
    words: str
    level: Level = Level.OK
    more: str = ""
    query: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Series:
    """Bars of one chart: plain numbers in text. The chart is about the main one."""

    label: str
    values: Sequence[str]
    is_main: bool = False

    @property
    def colour(self) -> str:
        """One of the console's, as its style sheet names it."""
        return "primary-600" if self.is_main else "base-400"


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars over time: a value of each series for each label, the later series before the earlier
    one. Its table says the same to those who do not see the bars."""

    title: str
    labels: Sequence[str]
    series: Sequence[Series]

    @property
    def data(self) -> str:
        """What django-unfold's chart component draws, in the words of Chart.js."""
        return json.dumps(
            {
                "labels": self.labels,
                "datasets": [
                    {
                        "label": one.label,
                        "data": one.values,
                        "backgroundColor": f"var(--color-{one.colour})",
                        "order": -place,
                        "displayYAxis": True,
                        "maxTicksXLimit": 8,
                        "maxBarThickness": 16,
                        "borderRadius": 2,
                    }
                    for place, one in enumerate(self.series)
                ],
            }
        )

    @property
    def table(self) -> Table:
        """The same in words."""
        columns = zip(*(one.values for one in self.series), strict=True)
        return Table(
            "",
            [gettext("from"), *(one.label for one in self.series)],
            [[label, *values] for label, values in zip(self.labels, columns, strict=True)],
        )


Part = Figure | Chart


@dataclass(frozen=True, slots=True)
class Panel:
    """`about`: the label of the model whose list it is about."""

    about: str
    title: "str | Promise"
    read: Callable[[], Sequence[Part]]


_panels: list[Panel] = []


def panel(about: str, title: "str | Promise") -> Callable[[Any], Any]:
    """Registers what reads a panel's parts."""

    def register(read: Callable[[], Sequence[Part]]) -> Callable[[], Sequence[Part]]:
        _panels.append(Panel(about, title, read))
        return read

    return register


def few(rows: QuerySet[Any]) -> int:
    """How many there are, counted up to MOST."""
    return rows.order_by().values("pk")[:MOST].count()


def count_words(count: int) -> str:
    """A count of `few` as operators read it."""
    return gettext("%(count)d or more") % {"count": MOST} if count >= MOST else str(count)


def age_words(seconds: float) -> str:
    """So many seconds, in the largest unit that fits."""
    whole = int(seconds)
    if whole < 120:
        return gettext("%(count)d s") % {"count": whole}
    if whole < 2 * 3600:
        return gettext("%(count)d min") % {"count": whole // 60}
    if whole < 2 * 86_400:
        return gettext("%(count)d h") % {"count": whole // 3600}
    return gettext("%(count)d days") % {"count": whole // 86_400}


def level_of(count: int, level: Level) -> Level:
    """`level` where there is any, else fine."""
    return level if count else Level.OK


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure of the page. `address`: where it leads."""

    figure: Figure
    address: str

    @property
    def label(self) -> str:
        """How serious it is, in words."""
        return str(LEVEL_WORDS[self.figure.level])

    @property
    def variant(self) -> str:
        """The label's colour, as django-unfold names it."""
        return {Level.LOOK: "warning", Level.ACT: "danger"}.get(self.figure.level, "")


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of one job."""

    title: "str | Promise"
    figures: Sequence[Shown]


def today(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the landing page shows to whoever asks: only what they may look at."""
    groups, charts = [], []
    for job, lists in JOBS:
        figures = []
        for part, address in _parts(request, [label for label, _icon in lists]):
            if isinstance(part, Chart):
                charts.append(part)
            else:
                figures.append(Shown(part, address))
        if figures:
            groups.append(Group(job, figures))
    levels = [shown.figure.level for group in groups for shown in group.figures]
    return {
        **context,
        "title": _("Today"),
        "groups": groups,
        "charts": charts,
        "standing": _standing(levels.count(Level.ACT), levels.count(Level.LOOK)),
    }


def _standing(act: int, look: int) -> str:
    if not act and not look:
        return gettext("Nothing waits for anybody.")
    said = []
    if act:
        text = ngettext("%(count)d figure asks to act.", "%(count)d figures ask to act.", act)
        said.append(text % {"count": act})
    if look:
        text = ngettext("%(count)d to look at.", "%(count)d to look at.", look)
        said.append(text % {"count": look})
    return " ".join(said)


def _parts(request: HttpRequest, labels: Sequence[str]) -> Iterator[tuple[Part, str]]:
    for label in labels:
        for one in _panels:
            if one.about != label:
                continue
            if not admin.site.get_model_admin(apps.get_model(label)).has_view_permission(request):
                continue
            address = reverse(f"admin:{label.replace('.', '_')}_changelist")
            for part in _read(one):
                query = part.query if isinstance(part, Figure) else {}
                yield part, f"{address}?{urlencode(query)}" if query else address


def _read(one: Panel) -> Sequence[Part]:
    try:
        return one.read()
    except Exception as error:  # noqa: BLE001  whatever it is, the rest of the page is shown
        logger.warning("panel %s of %s: %s", one.read.__qualname__, one.about, error.__class__)
        return [Figure(one.title, gettext("can't be read now"), Level.UNKNOWN)]
