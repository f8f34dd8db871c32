"""Writing the catalogue: the only code that saves goods and SKUs.

It keeps `Goods.min_price_fen` right in the transaction that makes it wrong, and gives each SKU its
pool, whose first units are a movement like all others. How stock comes in later is `goods.stock`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib.admin.models import CHANGE
from django.db import connection, models, transaction
from django.db.models import Min, OuterRef, Subquery

from goods.models import POOL_KIND, Goods, Sku
from shop.accounts.models import User
from shop.operators_log import log
from shop.pools import services as pools
from shop.pools.models import Movement, Pool, Strategy
from shop.transactions import run

M = TypeVar("M", bound=models.Model)

# Rows of one statement.
BATCH = 500


def goods_create(goods: Iterable[Goods]) -> list[Goods]:
    """Stores new goods. They have no SKU yet, so no price: shoppers see them when one is on the
    shelf."""
    return _insert(list(goods))


def goods_update(goods: Goods, *, fields: Iterable[str]) -> None:
    """Writes these fields of `goods` and no other: `min_price_fen` may have moved meanwhile."""
    goods.save(update_fields=list(fields))


@transaction.atomic
def goods_update_many(changes: Iterable[tuple[Goods, Sequence[str]]]) -> None:
    """Writes of each goods these fields and no other."""
    _update(changes)


def goods_put_on_shelf(goods: models.QuerySet[Goods], *, on_shelf: bool, operator: User) -> int:
    """Puts goods on the shelf or off it, with an entry in the operator's log for each that was not
    there already; returns how many. Raises Busy, Unavailable."""

    def work() -> int:
        moving = list(goods.exclude(on_shelf=on_shelf).select_for_update().order_by("pk"))
        message = "Put on the shelf." if on_shelf else "Put off the shelf."
        log(operator, moving, CHANGE, message, changes={"on the shelf": (not on_shelf, on_shelf)})
        return Goods.objects.filter(pk__in=[one.pk for one in moving]).update(on_shelf=on_shelf)

    return run(work)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSku:
    """A SKU to be: price in fen, `grams` of one unit, `stock` in units."""

    goods_id: int
    code: str
    price_fen: int
    spec: str = ""
    grams: int = 0
    on_shelf: bool = True
    strategy: str = Strategy.DEFAULT
    stock: int = 0


def sku_create(
    *,
    goods: Goods,
    code: str,
    price_fen: int,
    spec: str = "",
    grams: int = 0,
    on_shelf: bool = True,
    strategy: str = Strategy.DEFAULT,
    stock: int = 0,
    operator: User | None = None,
) -> Sku:
    """One SKU with its pool and `stock` units in it. Raises IntegrityError when the code exists."""
    new = NewSku(
        goods_id=goods.pk,
        code=code,
        price_fen=price_fen,
        spec=spec,
        grams=grams,
        on_shelf=on_shelf,
        strategy=strategy,
        stock=stock,
    )
    return skus_create([new], operator=operator)[0]


@transaction.atomic
def skus_create(new: Sequence[NewSku], *, operator: User | None = None) -> list[Sku]:
    """SKUs with their pools, the first stock loaded; all or none.

    A pool begins at zero and its first units are a movement like all others, so that the ledger
    explains every unit. Raises IntegrityError when a code exists.
    """
    goods_ids = {sku.goods_id for sku in new}
    goods_lock(goods_ids)
    own_pools = _insert([Pool(kind=POOL_KIND, strategy=sku.strategy) for sku in new])
    skus = _insert(
        [
            Sku(
                goods_id=sku.goods_id,
                code=sku.code,
                spec=sku.spec,
                price_fen=sku.price_fen,
                grams=sku.grams,
                on_shelf=sku.on_shelf,
                pool=pool,
            )
            for sku, pool in zip(new, own_pools, strict=True)
        ]
    )
    _refresh_min_price(goods_ids)
    stocked = {pool.pk: sku.stock for sku, pool in zip(new, own_pools, strict=True) if sku.stock}
    if stocked:
        pools.adjust(stocked, kind=Movement.LOAD, reference="initial", operator=operator)
    return skus


@transaction.atomic
def sku_update(sku: Sku, *, fields: Iterable[str]) -> None:
    """Writes these fields of `sku` and no other."""
    goods_lock({sku.goods_id})
    sku.save(update_fields=list(fields))
    _refresh_min_price({sku.goods_id})


@transaction.atomic
def skus_update(changes: Sequence[tuple[Sku, Sequence[str]]]) -> None:
    """Writes of each SKU these fields and no other, many in one statement: an order that needs a
    SKU's row waits for as long as all of them take."""
    goods_ids = {sku.goods_id for sku, _fields in changes}
    goods_lock(goods_ids)
    _update(changes)
    _refresh_min_price(goods_ids)


def sku_set_strategy(sku: Sku, *, strategy: str) -> None:
    """How orders take from this SKU from now on; "" is the shop's setting. Touches no counter."""
    Pool.objects.filter(pk=sku.pool_id).update(strategy=Strategy(strategy))


@transaction.atomic
def sku_delete(sku: Sku) -> None:
    """Deletes a SKU and its pool. Raises ProtectedError when it was ever sold or its stock ever
    moved: then it is part of the books, and can only be put off the shelf."""
    goods_lock({sku.goods_id})
    # Whether its stock ever moved can be told only while nobody is moving it.
    list(Pool.objects.locked([sku.pool_id]))
    sku.delete()
    Pool(pk=sku.pool_id).delete()
    _refresh_min_price({sku.goods_id})


def goods_lock(goods_ids: Iterable[int]) -> None:
    """Lets price changes of one goods pass one after the other, so that the last sees them all."""
    ordered = Goods.objects.select_for_update().filter(pk__in=goods_ids).order_by("pk")
    list(ordered.values_list("pk", flat=True))


def _refresh_min_price(goods_ids: Iterable[int]) -> None:
    cheapest = (
        Sku.objects.filter(goods=OuterRef("pk"), on_shelf=True)
        .order_by()
        .values("goods")
        .annotate(least=Min("price_fen"))
        .values("least")
    )
    Goods.objects.filter(pk__in=goods_ids).update(min_price_fen=Subquery(cheapest))


def _update(changes: Iterable[tuple[M, Sequence[str]]]) -> None:
    """Rows with the same fields together."""
    alike: defaultdict[tuple[str, ...], list[M]] = defaultdict(list)
    for row, fields in changes:
        alike[tuple(sorted(fields))].append(row)
    for fields, rows in alike.items():
        if fields:
            type(rows[0])._default_manager.bulk_update(rows, fields, batch_size=BATCH)


def _insert(rows: list[M]) -> list[M]:
    """Stores new rows and gives them their ids: at once where the database tells them (MySQL
    does not)."""
    model: Any = type(rows[0]) if rows else None
    if model and connection.features.can_return_rows_from_bulk_insert:
        model.objects.bulk_create(rows, batch_size=BATCH)
    else:
        for row in rows:
            row.save(force_insert=True)
    return rows
