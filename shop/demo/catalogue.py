"""What stands on the demo's shelves: data only."""

from collections.abc import Sequence
from dataclasses import dataclass


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
    # A motif of shop.demo.pictures, and its colour.
    motif: str
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
            "leaves",
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
            "teapot",
            "#8c4a3c",
            (DemoSku("TEA-DHP-100", "100 g", 19_900, 80),),
        ),
        DemoGoods(
            "云南古树普洱饼",
            "Old-tree Pu'er cake",
            "二〇一六年压制,干仓存放。",
            "Pressed in 2016, stored dry.",
            "cake",
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
            "rice_bowl",
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
            "wontons",
            "#d98a5f",
            (DemoSku("MEAL-HT-12", "12 只 / pieces", 3_200, 25),),
        ),
        DemoGoods(
            "桂花酒酿圆子",
            "Osmanthus rice-wine dumplings",
            "微甜,暖胃,最后一道。",
            "Slightly sweet, warm, the last course.",
            "dumplings",
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
            "gaiwan",
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
            "cup",
            "#7fae9b",
            (DemoSku("WARE-CUP-1", "单只 / single", 8_800, 50),),
        ),
        DemoGoods(
            "竹制茶盘",
            "Bamboo tea tray",
            "老竹,可拆洗。",
            "Old bamboo, comes apart for washing.",
            "tray",
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
            "coin",
            "#8f969c",
            (DemoSku("LTD-COIN-1", "30 g", 58_800, 100),),
        ),
        DemoGoods(
            "签名版画",
            "Signed print",
            "艺术家亲笔签名,仅此一幅。",
            "Signed by the artist. There is exactly one.",
            "framed",
            "#6b4c8a",
            (DemoSku("LTD-PRINT-1", "40 × 60 cm", 128_000, 1),),
        ),
        DemoGoods(
            "联名帆布鞋",
            "Collaboration sneakers",
            "两家工坊,一双鞋。",
            "Two workshops, one pair of shoes.",
            "shoe",
            "#c2553f",
            tuple(
                DemoSku(f"LTD-SHOE-{size}", f"EU {size}", 49_900, 12) for size in (38, 40, 42, 44)
            ),
        ),
    ),
}
