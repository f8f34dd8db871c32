"""Files of the catalogue.

`CATALOGUE` is what `goods.imports` reads back: descriptions only, a line for each SKU, with its
goods beside it, and one for goods that have none. `SKUS` has the counters as well, and is to read.
"""

from collections.abc import Iterable

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from import_export.resources import Resource

from goods.models import Goods, Sku
from shop.transfers.columns import fen, moment, text, whole, yes_no, yuan
from shop.transfers.sheets import Sheet


class CatalogueColumns(Resource):
    goods = whole("goods__pk", _("goods id"))
    title = text("goods__title", _("title"))
    title_en = text("goods__title_en", _("English title"))
    category = text("goods__category__title", _("category"))
    goods_on_shelf = yes_no("goods__on_shelf", _("goods on the shelf"))
    description = text("goods__description", _("description"))
    description_en = text("goods__description_en", _("English description"))
    code = text("code", _("code"))
    spec = text("spec", _("spec"))
    price_yuan = yuan("price_fen", _("price"))
    grams = whole("grams", _("weight (g)"))
    on_shelf = yes_no("on_shelf", _("SKU on the shelf"))


def heading_of(column: str) -> str:
    """How a column of the catalogue is headed, in the reader's language."""
    field = CatalogueColumns().fields.get(column)
    return str(field.column_name) if field else gettext("price (fen)")


class SkuColumns(Resource):
    id = whole("pk", _("id"))
    code = text("code", _("code"))
    goods_id = whole("goods_id", _("goods id"))
    title = text("goods__title", _("goods"))
    category = text("goods__category__title", _("category"))
    spec = text("spec", _("spec"))
    price_fen = fen("price_fen", _("price"))
    price_yuan = yuan("price_fen", _("price"))
    grams = whole("grams", _("weight (g)"))
    on_shelf = yes_no("on_shelf", _("on the shelf"))
    stock = whole("stock", _("stock"))
    sold = whole("sold", _("sold"))
    goods_made_at = moment("goods__created_at", _("made at"))


def _lines(goods: Goods) -> Iterable[Sku]:
    """Its SKUs; without any, one that is nothing but its goods."""
    nothing = Sku(goods=goods, code="", price_fen=None, grams=None, on_shelf=None)
    return sorted(goods.skus.all(), key=lambda sku: sku.pk) or [nothing]


CATALOGUE = Sheet(
    name="catalogue",
    title=_("goods and their SKUs, to be imported again"),
    columns=CatalogueColumns,
    prefetch=("category", "skus__goods__category"),
    expand=_lines,
)
SKUS = Sheet(
    name="skus",
    title=_("SKUs with their stock"),
    columns=SkuColumns,
    prefetch=("goods__category", "pool"),
)
