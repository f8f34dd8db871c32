"""Stock that runs low, on the console's landing page."""

from collections.abc import Sequence

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from goods.models import Goods, Sku
from goods.selectors import running_low
from shop.backoffice.search import ID, finder
from shop.backoffice.today import Figure, Level, Part, count_words, level_of, panel

# SKUs named by their codes.
NAMED = 5


@panel("goods.sku", _("stock"))
def stock() -> Sequence[Part]:
    """SKUs on the shelf with little or nothing left, among the newest ones."""
    low = running_low(settings.LOW_STOCK)
    gone = sum(1 for _code, left in low if left <= 0)
    codes = ", ".join(f"{code}: {left}" for code, left in low[:NAMED])
    return [
        Figure(
            _("running low"),
            gettext("%(count)s, of which %(gone)d sold out")
            % {"count": count_words(len(low)), "gone": gone},
            level_of(len(low), Level.LOOK),
            more=codes,
        )
    ]


@finder("goods.sku")
def by_code(term: str) -> QuerySet[Sku]:
    """A SKU by its code."""
    return Sku.objects.filter(code=term)


@finder("goods.goods", ID)
def by_id(term: str) -> QuerySet[Goods]:
    """Goods by their id."""
    return Goods.objects.filter(pk=term)
