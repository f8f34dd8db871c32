"""The demo's goods with their stock and pictures, and how they are delivered."""

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from goods.models import Category, Goods, GoodsImage, Sku
from goods.services import NewSku, goods_create, skus_create
from orders.models import ShippingMethod
from shop.demo.catalogue import CATALOGUE, DemoGoods
from shop.demo.pictures import picture


def seed_shipping() -> list[str]:
    """Two ways of delivery, where there is none."""
    if ShippingMethod.objects.exists():
        return []
    ShippingMethod.objects.create(
        name="标准快递", name_en="Standard courier", fee_fen=800, free_above_fen=9_900, position=1
    )
    ShippingMethod.objects.create(
        name="次日达", name_en="Next-day courier", fee_fen=1_800, position=2
    )
    return ["two shipping methods"]


def seed_catalogue() -> list[str]:
    """Goods of the catalogue none of whose SKUs is there."""
    added = []
    codes = [sku.code for shelf in CATALOGUE.values() for goods in shelf for sku in goods.skus]
    existing = set(Sku.objects.filter(code__in=codes).values_list("code", flat=True))
    for position, ((title, title_en), shelf) in enumerate(CATALOGUE.items(), start=1):
        for goods in shelf:
            if existing.isdisjoint(sku.code for sku in goods.skus):
                category = Category.objects.filter(title=title).first()
                if category is None:
                    category = Category.objects.create(
                        title=title, title_en=title_en, position=position
                    )
                _seed_goods(goods, category)
                added.append(f"goods {goods.title_en}")
    return added


def _seed_goods(demo: DemoGoods, category: Category) -> None:
    [goods] = goods_create(
        [
            Goods(
                category=category,
                title=demo.title,
                title_en=demo.title_en,
                description=demo.description,
                description_en=demo.description_en,
            )
        ]
    )
    GoodsImage.objects.create(goods=goods, file=_picture(demo))
    skus_create(
        [
            NewSku(
                goods_id=goods.pk,
                code=sku.code,
                spec=sku.spec,
                price_fen=sku.price_fen,
                stock=sku.stock,
            )
            for sku in demo.skus
        ]
    )


def _picture(demo: DemoGoods) -> str:
    """The stored name of a picture for these goods. Drawn once."""
    name = f"goods/demo/{demo.skus[0].code.lower()}.png"
    if not default_storage.exists(name):
        default_storage.save(name, ContentFile(picture(demo.motif, demo.colour)))
    return name
