"""Reading the catalogue as shoppers see it, and a SKU's books as operators do.

Goods are visible while they are on the shelf with at least one SKU on the shelf; everything else
does not exist here. A page costs the same few queries at any size: its ids come from an index
alone, and only then the rows of that page are read.
"""

from collections.abc import Mapping, Sequence

from django.db.models import Prefetch, Q, QuerySet

from goods.models import Category, Goods, Sku
from shop.errors import NotFound
from shop.pools.models import Pool, PoolMovement

# Each ends in the key, so that pages neither repeat nor skip goods of one price.
ORDERINGS: Mapping[str, Sequence[str]] = {
    "newest": ("-pk",),
    "price": ("min_price_fen", "pk"),
    "-price": ("-min_price_fen", "-pk"),
}
DEFAULT_ORDERING = "newest"
# SKUs that are looked through for low stock, the newest ones, and pools in one statement: MariaDB
# reads more than a thousand ids as a table of their own, and the pools' from end to end.
LOOKED_THROUGH = 5_000
POOLS_AT_ONCE = 900


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


def sku_has_history(sku: Sku) -> bool:
    """Whether its stock ever moved (what was sold has): then it is part of the books."""
    return PoolMovement.objects.filter(pool_id=sku.pool_id).exists()


def skus_offered(size: int = 200) -> list[Sku]:
    """The newest SKUs on the shelf, with their goods, for an operator to choose from."""
    return list(Sku.objects.filter(on_shelf=True).select_related("goods").order_by("-pk")[:size])


def running_low(most: int) -> list[tuple[str, int]]:
    """(code, units left) of SKUs on the shelf with `most` or fewer left, the least first. Counters
    are in no index, which each order would pay for; so the LOOKED_THROUGH newest SKUs are read."""
    newest = Sku.objects.order_by("-pk").values_list("pool_id", "code", "on_shelf")
    codes = {pool_id: code for pool_id, code, on_shelf in newest[:LOOKED_THROUGH] if on_shelf}
    pool_ids = list(codes)
    low: list[tuple[str, int]] = []
    for start in range(0, len(pool_ids), POOLS_AT_ONCE):
        some = Pool.objects.filter(pk__in=pool_ids[start : start + POOLS_AT_ONCE])
        few = some.filter(available__lte=most).values_list("pk", "available")
        low += [(codes[pool_id], available) for pool_id, available in few]
    return sorted(low, key=lambda one: (one[1], one[0]))


def movements_page(sku: Sku, *, before: int | None = None, size: int = 100) -> list[PoolMovement]:
    """Its latest movements, newest first, older than the one with the id `before`.

    The ids come from an index alone and nothing is counted, because a hot SKU has millions.
    """
    movements = PoolMovement.objects.filter(pool_id=sku.pool_id).order_by("-pk")
    if before is not None:
        movements = movements.filter(pk__lt=before)
    ids = list(movements.values_list("pk", flat=True)[:size])
    page = PoolMovement.objects.filter(pk__in=ids).select_related("operator")
    return list(page.order_by("-pk"))


def _with_parts(goods: QuerySet[Goods]) -> QuerySet[Goods]:
    skus = Sku.objects.filter(on_shelf=True).select_related("pool").order_by("pk")
    return goods.prefetch_related(Prefetch("skus", queryset=skus, to_attr="shelf_skus"), "images")
