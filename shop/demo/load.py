"""Any number of SKUs more, for load tests."""

from collections.abc import Callable
from functools import partial

from goods.models import Category, Goods, Sku
from goods.services import NewSku, goods_create, skus_create
from shop.transactions import run

# LOAD-0, LOAD-1, ...
LOAD_CODE = "LOAD-"
LOAD_CODES_END = "LOAD."  # the first text after all of them
LOAD_STEP = 2_000  # a transaction
SKUS_PER_GOODS = 4
LOAD_STOCK = 1_000


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
