"""Live pages: a fact that people race for, watched second by second.

The page is a frame; a small module in it (`console/live.js`) asks for the figures each second. What
they cost, and that they cost it once for all who watch, is `shop.pools.live`'s business. All words
are made here, in the language of whoever looks; the module only puts them in their places.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from shop.backoffice.steps import SteppedAdmin
from shop.pools.figures import GATE_WORDS, GateState
from shop.pools.live import POINT, Shot, View, Watched, view

# Whoever is told to come back does so after this long (seconds).
BACK_IN_SECONDS = 1
# Facts whose pools a process has in mind.
MOST_FACTS = 1_000

LABELS: Mapping[str, "str | Promise"] = {
    "state": _("state"),
    "time": _("time"),
    "available": _("left, by the database"),
    "remaining": _("left, by the gate"),
    "on_the_way": _("units that wait or are on their way"),
    "taken": _("taken"),
    "admitted": _("let through by the gate, each second"),
    "taken_speed": _("units taken, each second"),
    "too_late": _("came when nothing was left, each second"),
    "refused": _("refused otherwise, each second"),
    "waiting": _("wait to be settled"),
    "oldest": _("the oldest waits for"),
}
STEPS: Mapping[str, "str | Promise"] = {
    "placed": _("placed"),
    "settled": _("settled"),
    "paid": _("paid"),
    "shipped": _("shipped"),
    "gone": _("cancelled or expired"),
    "failed": _("failed"),
}
# Each with its lines, by their numbers in a point.
CHARTS = (
    (
        _("Units left"),
        (("available", _("by the database")), ("remaining", _("by the gate"))),
    ),
    (
        _("Each second"),
        (
            ("admitted", _("let through by the gate")),
            ("taken", _("units taken")),
            ("too_late", _("came too late")),
        ),
    ),
    (_("Waiting to be settled"), (("waiting", _("in the queue")),)),
)
# What the module says of itself.
SAYINGS: Mapping[str, "str | Promise"] = {
    "live": _("Live: renewed each second."),
    "slow": _("The shop answers slowly: asked less often, again in {seconds} s."),
    "silent": _("The shop does not answer: asked again in {seconds} s. The figures are old."),
    "over": _("It is over: these are the last figures."),
    "out": _("You are logged out, or may not look at this any more. Load the page again."),
    "first": _("Waiting for the first figures."),
}


class LiveAdmin(SteppedAdmin):
    """Facts with a live page: `<id>/live/`, and its figures at `<id>/live.json`."""

    watched: Watched
    # What the states are called.
    states: Mapping[Any, "str | Promise"]

    def live_link(self, fact: Any) -> tuple["str | Promise", str]:
        """For the fact's page: (title, address)."""
        return _("Live"), self._live_address("live", fact.pk)

    @admin.display(description=_("live"))
    def live(self, fact: Any) -> SafeString | str:
        """For the list: where there is something to watch."""
        if not fact.pool.open:
            return "-"
        title, address = self.live_link(fact)
        return format_html('<a href="{}">{}</a>', address, title)

    def get_urls(self) -> list[URLPattern]:
        pages = [
            path(
                f"<path:object_id>/{address}",
                self.admin_site.admin_view(page),
                name=f"{self.opts.app_label}_{self.opts.model_name}_{name}",
            )
            for address, page, name in (
                ("live/", self.live_view, "live"),
                ("live.json", self.figures_view, "live_figures"),
            )
        ]
        return [*pages, *super().get_urls()]

    def live_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The page, with what figures there are; nothing here asks for anything twice."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        fact = self.get_object(request, unquote(object_id))
        if fact is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        seen = view(self.watched, fact.pk, pool_id=fact.pool_id)
        cells = self._cells(seen.shot) if seen.shot else {}
        return TemplateResponse(
            request,
            "admin/shop/live.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": gettext("%(fact)s, live") % {"fact": self.title_of(fact)},
                "fact": fact,
                "original": fact,
                "figures": self._live_address("live_figures", fact.pk),
                "back": self._live_address("change", fact.pk),
                "rows": [(name, label, cells.get(name, "-")) for name, label in LABELS.items()],
                "steps": [
                    (f"step_{name}", STEPS[name], cells.get(f"step_{name}", "-"))
                    for name in self.watched.steps
                ],
                "whole": cells.get("whole", ""),
                "charts": CHARTS,
                "point": ",".join(POINT),
                "zone": settings.TIME_ZONE,
                "sayings": {name: str(words) for name, words in SAYINGS.items()},
            },
        )

    def figures_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The figures as they are now, and the curve until then for whoever asks with `?curve`."""
        if not self.has_view_permission(request):
            return JsonResponse({}, status=403)
        try:
            ids = self._ids(request, unquote(object_id))
            if ids is None:
                return JsonResponse({}, status=404)
            pk, pool_id = ids
            seen = view(self.watched, pk, pool_id=pool_id, curve="curve" in request.GET)
        except DatabaseError:
            return _later()
        return _later() if seen.shot is None else self._figures(seen, seen.shot)

    def _figures(self, seen: View, shot: Shot) -> JsonResponse:
        return JsonResponse(
            {
                "cells": self._cells(shot),
                "point": shot.point(),
                "curve": seen.curve,
                "over": shot.over,
            }
        )

    def _ids(self, request: HttpRequest, object_id: str) -> tuple[int, int] | None:
        """The fact's and its pool's, which never change: read once."""
        known: dict[str, tuple[int, int]] = self.__dict__.setdefault("_known", {})
        if object_id not in known:
            fact = self.get_object(request, object_id)
            if fact is None:
                return None
            if len(known) >= MOST_FACTS:
                known.clear()
            known[object_id] = fact.pk, fact.pool_id
        return known[object_id]

    def _cells(self, shot: Shot) -> dict[str, str]:
        """Every figure in words, by the name of its place."""
        return {
            "state": str(self.states[shot.state]),
            "time": _time_words(shot),
            "available": _number(shot.available),
            "taken": _number(shot.taken),
            "waiting": _number(shot.waiting),
            "oldest": gettext("%(seconds)s s") % {"seconds": _number(shot.oldest_seconds, 1)},
            "taken_speed": _speed(shot.per_second["taken"]),
            **dict(_gate_cells(shot)),
            **dict(_funnel_cells(shot)),
        }

    def _live_address(self, name: str, pk: int) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}", args=[pk])


def _later() -> JsonResponse:
    return JsonResponse({}, status=503, headers={"Retry-After": str(BACK_IN_SECONDS)})


def _gate_cells(shot: Shot) -> Iterator[tuple[str, str]]:
    if shot.tallies is None:
        yield "remaining", str(GATE_WORDS[GateState(shot.gate)])
        yield "on_the_way", "-"
    else:
        yield "remaining", _number(shot.tallies.remaining)
        yield "on_the_way", _number(shot.available - shot.tallies.remaining)
    for name in ("admitted", "too_late", "refused"):
        yield name, _speed(shot.per_second[name])


def _funnel_cells(shot: Shot) -> Iterator[tuple[str, str]]:
    placed = shot.funnel.steps["placed"]
    for name, count in shot.funnel.steps.items():
        words = _number(count)
        if placed and name != "placed":
            words = f"{words} ({100 * count / placed:.0f} %)"
        yield f"step_{name}", words
    text = gettext("Among the newest %(count)s only; counting all would take too long.")
    yield "whole", "" if shot.funnel.whole else text % {"count": _number(placed)}


def _time_words(shot: Shot) -> str:
    if shot.over:
        return gettext("over")
    if shot.until is None:
        return "-"
    left = max(int(shot.until - shot.at), 0)
    text = gettext("ends in %(time)s") if shot.begun else gettext("begins in %(time)s")
    return text % {"time": f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02}"}


def _speed(per_second: float | None) -> str:
    return "-" if per_second is None else _number(per_second, 0 if per_second >= 10 else 1)


def _number(figure: float, digits: int = 0) -> str:
    return number_format(figure, decimal_pos=digits, force_grouping=True)
