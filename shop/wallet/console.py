"""Corrections of wallets that wait for a second person, on the console's landing page."""

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from shop.backoffice.today import Figure, Level, Part, count_words, few, level_of, panel
from shop.wallet.models import Correction


@panel("wallet.correction", _("corrections"))
def to_decide() -> Sequence[Part]:
    """Those that nobody but who asked has looked at."""
    count = few(Correction.objects.filter(state=Correction.State.REQUESTED))
    return [
        Figure(
            _("corrections for a second person"),
            count_words(count),
            level_of(count, Level.LOOK),
            query={"state__exact": Correction.State.REQUESTED.value},
        )
    ]
