"""Operators' pages: what they may edit, and that no form of theirs writes stock."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from goods.models import Goods, GoodsImage, Sku
from goods.services import sku_create
from shop.operators_log import words_of
from shop.pools.models import Pool, PoolMovement
from tests.factories import make_goods, make_sku, make_user, place

pytestmark = pytest.mark.django_db


def goods_form(goods, skus=(), new_skus=(), images=(), **changes):
    """What the browser sends for the goods page, with `changes` of the goods' own fields."""
    rows = [
        {
            "id": sku.pk,
            "code": sku.code,
            "spec": sku.spec,
            "price_fen": sku.price_fen,
            "on_shelf": "on",
            "strategy": "",
            **columns,
        }
        for sku, columns in skus
    ]
    rows += [{"on_shelf": "on", "strategy": "", **columns} for columns in new_skus]
    sent = {
        "category": goods.category_id,
        "title": goods.title,
        "on_shelf": "on",
        "skus-TOTAL_FORMS": len(rows),
        "skus-INITIAL_FORMS": len(skus),
        "images-TOTAL_FORMS": len(images),
        "images-INITIAL_FORMS": 0,
        **changes,
    }
    for number, row in enumerate(rows):
        sent |= {f"skus-{number}-goods": goods.pk or ""}
        sent |= {f"skus-{number}-{name}": value for name, value in row.items()}
    for number, row in enumerate(images):
        sent |= {f"images-{number}-{name}": value for name, value in row.items()}
    return sent


def save(desk, goods, **form):
    response = desk.post(
        reverse("admin:goods_goods_change", args=[goods.pk]), goods_form(goods, **form)
    )
    assert response.status_code == 302, response.context["errors"]
    return response


def counters(sku):
    return Pool.objects.values_list("available", "taken").get(pk=sku.pool_id)


def test_a_title_edit_leaves_stock_alone_that_changed_meanwhile(desk):
    sku = make_sku(stock=10)
    page = reverse("admin:goods_goods_change", args=[sku.goods_id])
    desk.get(page)
    place(make_user(), {sku: 4})

    save(desk, sku.goods, skus=[(sku, {"spec": "1 kg"})], title="新")

    assert counters(sku) == (6, 4)
    assert Goods.objects.get().title == "新"
    assert Sku.objects.get().spec == "1 kg"


@pytest.mark.parametrize("prefix", ["", "skus-0-", "skus-0-pool-", "skus-0-pool__"])
def test_no_field_sent_to_the_goods_page_writes_stock_or_least_price(desk, prefix):
    sku = make_sku(stock=10, price_fen=1000)
    other = make_sku(stock=3)
    extra = {
        f"{prefix}{name}": value
        for name, value in {
            "stock": 99,
            "available": 99,
            "sold": 99,
            "taken": 99,
            "pool": other.pool_id,
            "pool_id": other.pool_id,
            "min_price_fen": 1,
        }.items()
    }

    save(desk, sku.goods, skus=[(sku, {"spec": "x"})], **extra)

    assert (counters(sku), counters(other)) == ((10, 0), (3, 0))
    assert Sku.objects.get(pk=sku.pk).pool_id == sku.pool_id
    assert Goods.objects.get(pk=sku.goods_id).min_price_fen == 1000
    assert PoolMovement.objects.count() == 2  # the first stock of each


def test_a_new_goods_gets_skus_with_empty_pools(desk):
    draft = make_goods("draft")
    draft.pk = None

    response = desk.post(
        reverse("admin:goods_goods_add"),
        goods_form(
            draft,
            new_skus=[
                {"code": "N1", "price_fen": 500, "strategy": "pessimistic", "stock": 50},
                {"code": "N2", "price_fen": 400},
            ],
            images=[{"url": "https://example.com/n.png", "position": 1}],
            title="新茶",
        ),
    )

    assert response.status_code == 302
    goods = Goods.objects.get(title="新茶")
    assert goods.min_price_fen == 400
    assert list(goods.images.values_list("url", flat=True)) == ["https://example.com/n.png"]
    first, second = goods.skus.order_by("pk").select_related("pool")
    assert [(sku.code, sku.stock, sku.pool.strategy) for sku in (first, second)] == [
        ("N1", 0, "pessimistic"),
        ("N2", 0, ""),
    ]
    assert not PoolMovement.objects.exists()


def test_a_price_and_a_strategy_are_edited_and_logged(desk):
    sku = make_sku(stock=10, price_fen=1000)

    save(desk, sku.goods, skus=[(sku, {"price_fen": 900, "strategy": "pessimistic"})])

    pool = Pool.objects.get(pk=sku.pool_id)
    assert (pool.strategy, pool.available) == ("pessimistic", 10)
    assert Goods.objects.get().min_price_fen == 900
    assert sku.code in LogEntry.objects.get().get_change_message()


@pytest.mark.parametrize(
    ("columns", "field"),
    [({"price_fen": -1}, "price_fen"), ({"price_fen": 2**63}, "price_fen"), ({"code": ""}, "code")],
)
def test_a_bad_sku_is_refused_and_nothing_is_saved(desk, columns, field):
    sku = make_sku(price_fen=1000)

    response = desk.post(
        reverse("admin:goods_goods_change", args=[sku.goods_id]),
        goods_form(sku.goods, skus=[(sku, columns)], title="新"),
    )

    assert response.status_code == 200
    assert response.context["errors"]
    assert Goods.objects.get().title != "新"
    assert Sku.objects.get().price_fen == 1000


def test_a_picture_has_an_address_or_a_file(desk):
    goods = make_goods()

    response = desk.post(
        reverse("admin:goods_goods_change", args=[goods.pk]),
        goods_form(goods, images=[{"url": "", "position": 1}]),
    )

    assert response.status_code == 200
    assert not GoodsImage.objects.exists()


def test_a_sku_that_never_moved_can_be_deleted(desk):
    goods = make_goods()
    sku = sku_create(goods=goods, code="A", price_fen=100)

    save(desk, goods, skus=[(sku, {"DELETE": "on"})])

    assert (Sku.objects.count(), Pool.objects.count()) == (0, 0)
    assert Goods.objects.get().min_price_fen is None


def test_a_sku_in_the_books_cannot_be_deleted_and_the_page_says_what_to_do(desk):
    sku = make_sku(stock=1)

    response = desk.post(
        reverse("admin:goods_goods_change", args=[sku.goods_id]),
        goods_form(sku.goods, skus=[(sku, {"DELETE": "on"})]),
        headers={"accept-language": "en"},
    )

    assert f"{sku.code} was sold or its stock moved: put it off the shelf instead." in str(
        response.context["errors"]
    )
    assert counters(sku) == (1, 0)


def test_goods_with_skus_cannot_be_deleted_and_the_page_says_what_to_do(desk):
    sku = make_sku(stock=1)

    page = reverse("admin:goods_goods_delete", args=[sku.goods_id])
    asked = desk.get(page, headers={"accept-language": "en"})
    desk.post(page, {"post": "yes"})

    assert b"put them off the shelf instead" in asked.content
    assert Sku.objects.count() == 1


def test_goods_are_put_off_the_shelf_in_the_list(desk):
    goods = make_goods()

    desk.post(
        reverse("admin:goods_goods_changelist"),
        {"action": "put_off_shelf", "_selected_action": [goods.pk]},
    )

    assert not Goods.objects.get().on_shelf
    assert words_of(LogEntry.objects.get()) == "Put off the shelf."


def test_lists_show_stock_and_sold_at_a_constant_number_of_queries(
    desk, django_assert_max_num_queries
):
    sku = make_sku(stock=10)
    place(make_user(), {sku: 3})
    for _ in range(30):
        make_sku()

    with django_assert_max_num_queries(10):
        page = desk.get(reverse("admin:goods_sku_changelist"), {"q": sku.code})
    with django_assert_max_num_queries(10):
        everything = desk.get(reverse("admin:goods_sku_changelist"))

    cells = re.findall(
        r'<td class="[^"]*field-(?:stock|sold)[^"]*"[^>]*>\s*(\d+)', page.content.decode()
    )
    assert cells == ["7", "3"]
    assert len(everything.context["cl"].result_list) == 31


@pytest.mark.parametrize("permission", ["view_goods", "view_sku"])
def test_who_may_only_look_saves_nothing(desk_of, permission):
    sku = make_sku(stock=10)

    response = desk_of(permission).post(
        reverse("admin:goods_goods_change", args=[sku.goods_id]),
        goods_form(sku.goods, skus=[(sku, {"price_fen": 1})], title="新"),
    )

    assert response.status_code == 403
    assert Goods.objects.get().title != "新"
    assert Sku.objects.get().price_fen == 1000


def test_skus_have_no_form_of_their_own(desk):
    sku = make_sku(stock=10)

    sent = desk.post(
        reverse("admin:goods_sku_change", args=[sku.pk]), {"price_fen": 1, "stock": 99}
    )

    assert sent.status_code == 403
    assert (Sku.objects.get().price_fen, counters(sku)) == (1000, (10, 0))
    assert desk.get(reverse("admin:goods_sku_change", args=[sku.pk])).status_code == 200
    assert desk.get("/admin/goods/sku/add/").status_code == 403
