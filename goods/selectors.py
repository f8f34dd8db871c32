"""Reading the catalogue as shoppers see it.

Goods are visible while they are on the shelf with at least one SKU on the shelf; everything else
does not exist here. A page costs the same few queries at any size: its ids come from an index
alone, and only then the rows of that page are read.
"""

from collections.abc import Mapping, Sequence

from django.db.models import Prefetch, Q, QuerySet

from goods.models import Category, Goods, Sku
from shop.errors import NotFound

# Each ends in the key, so that pages neither repeat nor skip goods of one price.
ORDERINGS: Mapping[str, Sequence[str]] = {
    "newest": ("-pk",),
    "price": ("min_price_fen", "pk"),
    "-price": ("-min_price_fen", "-pk"),
}
DEFAULT_ORDERING = "newest"


def categories() -> QuerySet[Category]:
    """All categories in the operator's order."""
    return Category.objects.order_by("position", "pk")


def visible() -> QuerySet[Goods]:
    """The goods that exist for shoppers; a least price says that a SKU is on the shelf."""
    return Goods.objects.filter(on_shelf=True, min_price_fen__isnull=False)


def goods_ids(
    *, category: int | None = None, search: str = "", ordering: str = DEFAULT_ORDERING
) -> QuerySet[Goods, int]:
    """The ids of visible goods: of one category, with `search` in a title of either language."""
    goods = visible().order_by(*ORDERINGS[ordering])
    if category is not None:
        goods = goods.filter(category_id=category)
    if search:
        goods = goods.filter(Q(title__icontains=search) | Q(title_en__icontains=search))
    return goods.values_list("pk", flat=True)


def goods_page(ids: Sequence[int]) -> list[Goods]:
    """These goods in this order, with `shelf_skus` (and their pools) and images; three queries."""
    found = {goods.pk: goods for goods in _with_parts(visible().filter(pk__in=list(ids)))}
    return [found[goods_id] for goods_id in ids if goods_id in found]


def goods_get(goods_id: int) -> Goods:
    """One visible goods like those of `goods_page`. Raises NotFound."""
    goods = _with_parts(visible().filter(pk=goods_id)).first()
    if goods is None:
        raise NotFound
    return goods


def _with_parts(goods: QuerySet[Goods]) -> QuerySet[Goods]:
    skus = Sku.objects.filter(on_shelf=True).select_related("pool").order_by("pk")
    return goods.prefetch_related(Prefetch("skus", queryset=skus, to_attr="shelf_skus"), "images")
