"""Notices that were given up, on the console's landing page."""

from collections.abc import Sequence

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from shop.backoffice.search import NUMBER, finder
from shop.backoffice.today import Figure, Level, Part, count_words, few, level_of, panel
from shop.notices.models import Notice


@panel("notices.notice", _("notices given up"))
def dead() -> Sequence[Part]:
    """Those that are not sent again before an operator says so."""
    count = few(Notice.objects.filter(state=Notice.State.DEAD))
    return [
        Figure(
            _("notices given up"),
            count_words(count),
            level_of(count, Level.LOOK),
            query={"state__exact": Notice.State.DEAD.value},
        )
    ]


@finder("notices.notice", NUMBER)
def by_subject(term: str) -> QuerySet[Notice]:
    """What was told of the order of this number, or whatever else has it."""
    return Notice.objects.filter(subject=term)
