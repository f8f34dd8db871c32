"""A small believable shop, and any number of SKUs more for load tests.

An entry point: it may use every app. Goods and stock go in through `goods.services`, so the demo's
units stand in the ledger like real ones. What exists is left as it is: seeding again adds what is
missing and changes nothing else. The two logins are public, so this belongs on no shop that takes
real money.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone
from PIL import Image, ImageDraw, ImageFont

from goods.models import Category, Goods, GoodsImage, Sku
from goods.sales.selectors import Status, sales_now
from goods.sales.services import SalePlan, sale_schedule
from goods.services import NewSku, goods_create, skus_create
from orders.models import ShippingMethod
from shop.accounts.models import Address, User
from shop.errors import InsufficientStock
from shop.pools import gate
from shop.transactions import run

# (user name, password)
SHOPPER = ("demo", "buy-the-last-one")
OPERATOR = ("operator", "fill-the-shelves")


@dataclass(frozen=True, slots=True)
class DemoSku:
    code: str
    spec: str
    price_fen: int
    stock: int


@dataclass(frozen=True, slots=True)
class DemoGoods:
    title: str
    title_en: str
    description: str
    description_en: str
    colour: str
    skus: Sequence[DemoSku]


# (title, English title) -> goods
CATALOGUE: dict[tuple[str, str], Sequence[DemoGoods]] = {
    ("茶", "Tea"): (
        DemoGoods(
            "西湖龙井 明前",
            "West Lake Longjing, first harvest",
            "清明前手工采摘,豆香清甜,今年只有这一批。",
            "Picked by hand before Qingming, sweet and nutty. One lot a year.",
            "#5b8c5a",
            (
                DemoSku("TEA-LJ-050", "50 g", 12_800, 120),
                DemoSku("TEA-LJ-250", "250 g", 56_800, 30),
            ),
        ),
        DemoGoods(
            "武夷大红袍",
            "Wuyi Da Hong Pao",
            "岩骨花香,足火慢焙,耐泡十道。",
            "Rock oolong, slowly roasted; good for ten infusions.",
            "#8c4a3c",
            (DemoSku("TEA-DHP-100", "100 g", 19_900, 80),),
        ),
        DemoGoods(
            "云南古树普洱饼",
            "Old-tree Pu'er cake",
            "二〇一六年压制,干仓存放。",
            "Pressed in 2016, stored dry.",
            "#4e3b31",
            (DemoSku("TEA-PE-357", "357 g", 38_800, 15),),
        ),
    ),
    ("今日厨房", "Tonight's kitchen"): (
        DemoGoods(
            "红烧肉饭",
            "Braised pork with rice",
            "每晚四十份,卖完为止。",
            "Forty portions a night, and then no more.",
            "#a23e2a",
            (
                DemoSku("MEAL-HSR-S", "小份 / small", 2_800, 40),
                DemoSku("MEAL-HSR-L", "大份 / large", 3_600, 40),
            ),
        ),
        DemoGoods(
            "手工鲜虾馄饨",
            "Hand-made prawn wontons",
            "当天现包,十二只一碗。",
            "Made today, twelve in a bowl.",
            "#d98a5f",
            (DemoSku("MEAL-HT-12", "12 只 / pieces", 3_200, 25),),
        ),
        DemoGoods(
            "桂花酒酿圆子",
            "Osmanthus rice-wine dumplings",
            "微甜,暖胃,最后一道。",
            "Slightly sweet, warm, the last course.",
            "#d9b45f",
            (DemoSku("MEAL-YZ-1", "1 碗 / bowl", 1_600, 60),),
        ),
    ),
    ("器物", "Tableware"): (
        DemoGoods(
            "景德镇青花盖碗",
            "Jingdezhen blue-and-white gaiwan",
            "手绘缠枝莲,每只略有不同。",
            "Lotus scrolls painted by hand, each a little different.",
            "#33558b",
            (
                DemoSku("WARE-GW-120", "120 ml", 16_800, 24),
                DemoSku("WARE-GW-150", "150 ml", 18_800, 24),
            ),
        ),
        DemoGoods(
            "龙泉青瓷杯",
            "Longquan celadon cup",
            "梅子青,开片细密。",
            "Plum green, finely crazed.",
            "#7fae9b",
            (DemoSku("WARE-CUP-1", "单只 / single", 8_800, 50),),
        ),
        DemoGoods(
            "竹制茶盘",
            "Bamboo tea tray",
            "老竹,可拆洗。",
            "Old bamboo, comes apart for washing.",
            "#a58a4f",
            (DemoSku("WARE-TRAY-1", "38 × 26 cm", 12_900, 35),),
        ),
    ),
    ("限量", "Limited"): (
        DemoGoods(
            "生肖银币",
            "Zodiac silver coin",
            "编号发行,一百枚。",
            "A numbered issue of one hundred.",
            "#8f969c",
            (DemoSku("LTD-COIN-1", "30 g", 58_800, 100),),
        ),
        DemoGoods(
            "签名版画",
            "Signed print",
            "艺术家亲笔签名,仅此一幅。",
            "Signed by the artist. There is exactly one.",
            "#6b4c8a",
            (DemoSku("LTD-PRINT-1", "40 × 60 cm", 128_000, 1),),
        ),
        DemoGoods(
            "联名帆布鞋",
            "Collaboration sneakers",
            "两家工坊,一双鞋。",
            "Two workshops, one pair of shoes.",
            "#c2553f",
            tuple(
                DemoSku(f"LTD-SHOE-{size}", f"EU {size}", 49_900, 12) for size in (38, 40, 42, 44)
            ),
        ),
    ),
}

# What the demo's flash sale sells: (SKU code, price in fen). The first that is in stock.
ON_SALE = (("LTD-COIN-1", 39_900), ("TEA-LJ-050", 6_600), ("WARE-CUP-1", 3_900))
SALE_UNITS = 50
SALE_LIMIT = 2
SALE_LASTS = timedelta(hours=24)

# Extra SKUs for load tests: LOAD-0, LOAD-1, ...
LOAD_CODE = "LOAD-"
LOAD_CODES_END = "LOAD."  # the first text after all of them
LOAD_STEP = 2_000  # a transaction
SKUS_PER_GOODS = 4
LOAD_STOCK = 1_000


def seed() -> list[str]:
    """Adds whatever of the demo is missing, in one transaction and one for its flash sale; tells
    what it added."""
    added = run(lambda: [*_seed_people(), *_seed_shipping(), *_seed_catalogue()])
    return [*added, *_seed_sale()]


def seed_skus(count: int, *, progress: Callable[[int], None] = lambda done: None) -> int:
    """Adds SKUs until there are `count` extra ones; returns how many it added.

    Each step is a transaction of its own: broken off, it goes on from there next time.
    """
    had = Sku.objects.filter(code__gte=LOAD_CODE, code__lt=LOAD_CODES_END).count()
    for first in range(had, count, LOAD_STEP):
        numbers = range(first, min(first + LOAD_STEP, count))
        run(partial(_seed_load_step, numbers))
        progress(numbers.stop)
    return max(0, count - had)


def _seed_people() -> list[str]:
    added = []
    if not User.objects.filter(username=SHOPPER[0]).exists():
        shopper = User.objects.create_user(SHOPPER[0], password=SHOPPER[1], nickname="小满")
        Address.objects.create(
            user=shopper,
            name="林小满",
            phone="13800000000",
            region="浙江省杭州市西湖区",
            detail="龙井路 1 号",
            is_default=True,
        )
        added.append(f"shopper {SHOPPER[0]}")
    if not User.objects.filter(username=OPERATOR[0]).exists():
        User.objects.create_superuser(OPERATOR[0], password=OPERATOR[1], nickname="掌柜")
        added.append(f"operator {OPERATOR[0]}")
    return added


def _seed_shipping() -> list[str]:
    if ShippingMethod.objects.exists():
        return []
    ShippingMethod.objects.create(
        name="标准快递", name_en="Standard courier", fee_fen=800, free_above_fen=9_900, position=1
    )
    ShippingMethod.objects.create(
        name="次日达", name_en="Next-day courier", fee_fen=1_800, position=2
    )
    return ["two shipping methods"]


def _seed_catalogue() -> list[str]:
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
    GoodsImage.objects.create(goods=goods, file=_tile(demo))
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


def _seed_sale() -> list[str]:
    """A flash sale that a newcomer can buy in at once, unless there is one: over, or sold out, it
    is followed by another as long as there is stock."""
    skus = Sku.objects.select_related("pool").in_bulk(
        [code for code, _ in ON_SALE], field_name="code"
    )
    there_are = sales_now().filter(sku__in=skus.values())
    # Counted before it looks, so that of two that seed at once the second schedules none.
    reference = f"demo-sale-{there_are.count()}"
    gone = (Status.ENDED, Status.SOLD_OUT)
    if there_are.exclude(status_now__in=gone).exists():  # type: ignore[misc]  # annotated
        return []
    now = timezone.now()
    for code, price_fen in ON_SALE:
        if code not in skus or not skus[code].stock:
            continue
        plan = SalePlan(
            sku=skus[code],
            price_fen=price_fen,
            total=min(SALE_UNITS, skus[code].stock),
            starts_at=now,
            ends_at=now + SALE_LASTS,
            per_user_limit=SALE_LIMIT,
            gated=gate.configured(),
        )
        try:
            sale = sale_schedule(plan, reference=reference)
        except InsufficientStock:
            continue
        return [f"flash sale {sale.pk}: {plan.total} of {code}"]
    return []


def _tile(demo: DemoGoods) -> str:
    """The stored name of a picture for these goods: their colour and initial. Drawn once."""
    name = f"goods/demo/{demo.skus[0].code.lower()}.png"
    if not default_storage.exists(name):
        tile = Image.new("RGB", (480, 480), demo.colour)
        pen = ImageDraw.Draw(tile)
        pen.ellipse((90, 90, 390, 390), outline="white", width=6)
        font = ImageFont.load_default(size=170)
        pen.text((240, 240), demo.title_en[0], fill="white", font=font, anchor="mm")
        drawn = io.BytesIO()
        tile.save(drawn, "PNG")
        default_storage.save(name, ContentFile(drawn.getvalue()))
    return name


def _seed_load_step(numbers: range) -> None:
    category, _ = Category.objects.get_or_create(
        title="压力测试", title_en="Load test", position=99
    )
    goods = goods_create(
        [
            Goods(category=category, title=f"测试商品 {first}", title_en=f"Load test goods {first}")
            for first in numbers[::SKUS_PER_GOODS]
        ]
    )
    skus_create(
        [
            NewSku(
                goods_id=goods[index // SKUS_PER_GOODS].pk,
                code=f"{LOAD_CODE}{number}",
                spec=f"#{number % SKUS_PER_GOODS + 1}",
                price_fen=100 + number * 37 % 99_900,
                stock=LOAD_STOCK,
            )
            for index, number in enumerate(numbers)
        ]
    )
