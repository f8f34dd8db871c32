"""Flash sales on the console's landing page: what runs, what is about to, and how gates do."""

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from goods.sales.models import FlashSale
from shop.backoffice.search import ID, finder
from shop.backoffice.today import MOST, Figure, Level, Part, level_of, panel
from shop.pools.figures import gates_now

SOON = timedelta(hours=24)


@panel("sales.flashsale", _("flash sales"))
def sales() -> Sequence[Part]:
    """Those that are not over, by the index over their end."""
    ahead = FlashSale.objects.filter(ends_at__gt=Now(), pool__open=True).order_by("ends_at")
    rows = ahead.values_list("starts_at", "paused", "pool__available", Now())[:MOST]
    running = paused = sold_out = soon = later = 0
    for starts_at, is_paused, available, now in rows:
        if is_paused:
            paused += 1
        elif starts_at > now + SOON:
            later += 1
        elif starts_at > now:
            soon += 1
        elif available <= 0:
            sold_out += 1
        else:
            running += 1
    said = []
    if sold_out:
        said.append(gettext("%(count)d sold out") % {"count": sold_out})
    if paused:
        said.append(gettext("%(count)d paused") % {"count": paused})
    if later:
        said.append(gettext("%(count)d later") % {"count": later})
    text = gettext("%(running)d running, %(soon)d start within 24 h")
    return [
        Figure(
            _("flash sales"),
            text % {"running": running, "soon": soon},
            level_of(paused, Level.LOOK),
            more=", ".join(said),
        )
    ]


@panel("sales.flashsale", _("gates"))
def gates() -> Sequence[Part]:
    """How far the gates of open pools are from their books, as beat saw them last."""
    seen = gates_now()
    if seen is None:
        return [Figure(_("gates"), gettext("none: this shop has no Redis for gates"))]
    said = []
    if seen.cold:
        said.append(gettext("%(count)d cold") % {"count": seen.cold})
    if seen.drifting:
        text = ngettext("%(units)d unit off", "%(units)d units off", seen.units)
        said.append(text % {"units": seen.units})
    text = ngettext("%(off)d of %(count)d drifts", "%(off)d of %(count)d drift", seen.drifting)
    return [
        Figure(
            _("gates"),
            text % {"off": seen.drifting, "count": seen.looked_at},
            level_of(seen.drifting + seen.cold, Level.LOOK),
            more=", ".join(said),
        )
    ]


@finder("sales.flashsale", ID)
def by_id(term: str) -> QuerySet[FlashSale]:
    """A sale by its id."""
    return FlashSale.objects.filter(pk=term).select_related("sku")
