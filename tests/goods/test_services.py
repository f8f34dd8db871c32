"""Saving goods and SKUs: the least price stays right, and every unit has its movement."""

import pytest
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from goods.models import Goods, Sku
from goods.services import (
    goods_put_on_shelf,
    goods_update,
    sku_create,
    sku_delete,
    sku_set_strategy,
    sku_update,
)
from goods.stock import adjust_stock
from shop.errors import Invalid
from shop.operators_log import words_of
from shop.pools.models import Pool, PoolMovement
from shop.pools.refusals import Shortage
from tests.factories import make_goods, make_sku, make_user, place

pytestmark = pytest.mark.django_db


def movements(sku):
    return list(
        PoolMovement.objects.filter(pool=sku.pool_id)
        .order_by("pk")
        .values_list("kind", "delta", "reference")
    )


def stock(sku):
    return Pool.objects.get(pk=sku.pool_id).available


def least_price(goods):
    return Goods.objects.values_list("min_price_fen", flat=True).get(pk=goods.pk)


def edit(sku, **columns):
    for name, value in columns.items():
        setattr(sku, name, value)
    sku_update(sku, fields=list(columns))


def test_a_new_sku_has_a_pool_whose_ledger_explains_its_stock():
    sku = sku_create(goods=make_goods(), code="A", price_fen=100, stock=7)

    assert (stock(sku), movements(sku)) == (7, [("load", 7, "initial")])
    assert Pool.objects.get(pk=sku.pool_id).kind == "sku"


def test_a_new_sku_without_stock_moves_nothing():
    sku = sku_create(goods=make_goods(), code="A", price_fen=100)

    assert (stock(sku), movements(sku)) == (0, [])


def test_a_code_that_exists_leaves_no_pool_behind():
    sku_create(goods=make_goods(), code="A", price_fen=100, stock=1)

    with pytest.raises(IntegrityError), transaction.atomic():
        sku_create(goods=make_goods(), code="A", price_fen=100, stock=1)

    assert (Pool.objects.count(), PoolMovement.objects.count()) == (1, 1)


def test_codes_that_differ_in_case_are_different_codes():
    sku_create(goods=make_goods(), code="a", price_fen=100)
    sku_create(goods=make_goods(), code="A", price_fen=100)

    assert Sku.objects.count() == 2


def test_the_least_price_follows_every_change_of_skus():
    goods = make_goods()
    assert least_price(goods) is None

    cheap = sku_create(goods=goods, code="A", price_fen=100)
    dear = sku_create(goods=goods, code="B", price_fen=300)
    assert least_price(goods) == 100

    edit(cheap, on_shelf=False)
    assert least_price(goods) == 300

    edit(dear, price_fen=250)
    assert least_price(goods) == 250

    sku_delete(dear)
    assert least_price(goods) is None

    edit(cheap, on_shelf=True)
    assert least_price(goods) == 100


def test_editing_a_title_writes_no_price_back():
    goods = make_goods("old")
    sku_create(goods=goods, code="A", price_fen=100)  # `goods` has not seen this
    goods.title = "new"

    goods_update(goods, fields=["title"])

    assert Goods.objects.values_list("title", "min_price_fen").get() == ("new", 100)


def test_a_strategy_is_changed_without_touching_the_counters():
    sku = make_sku(stock=5)
    stale = Sku.objects.select_related("pool").get(pk=sku.pk)
    place(make_user(), {sku: 2})

    sku_set_strategy(stale, strategy="pessimistic")

    pool = Pool.objects.get(pk=sku.pool_id)
    assert (pool.strategy, pool.available, pool.taken) == ("pessimistic", 3, 2)


def test_a_strategy_that_does_not_exist_is_refused():
    sku = make_sku()

    with pytest.raises(ValueError, match="hopeful"):
        sku_set_strategy(sku, strategy="hopeful")

    assert Pool.objects.get(pk=sku.pool_id).strategy == ""


def test_a_sku_whose_stock_never_moved_is_deleted_with_its_pool():
    sku = make_sku(stock=0)

    sku_delete(sku)

    assert (Sku.objects.count(), Pool.objects.count()) == (0, 0)


def test_a_sku_whose_stock_moved_is_part_of_the_books():
    sku = make_sku(stock=1)

    with pytest.raises(ProtectedError):
        sku_delete(Sku.objects.get(pk=sku.pk))

    assert (Sku.objects.count(), Pool.objects.count(), stock(sku)) == (1, 1, 1)


def test_goods_go_off_the_shelf_with_an_entry_for_each_that_went():
    operator = make_user("operator")
    make_goods("a")
    make_goods("b", on_shelf=False)

    moved = goods_put_on_shelf(Goods.objects.all(), on_shelf=False, operator=operator)

    assert moved == 1
    assert not Goods.objects.filter(on_shelf=True).exists()
    entry = LogEntry.objects.get()
    assert (entry.object_repr, words_of(entry)) == ("a", "Put off the shelf.")


class TestAdjustStock:
    """By an operator, with a reason, once per reference."""

    @pytest.fixture
    def operator(self):
        return make_user("operator")

    @pytest.fixture
    def sku(self):
        return make_sku(stock=10)

    def test_it_moves_the_counter_and_says_who_and_why(self, sku, operator):
        done = adjust_stock(sku=sku, delta=-3, reason="broken", operator=operator, reference="r1")

        assert (done.delta, done.repeated, stock(sku)) == (-3, False, 7)
        movement = PoolMovement.objects.get(pool=sku.pool_id, kind="adjust")
        assert (movement.delta, movement.operator, movement.reason) == (-3, operator, "broken")
        entry = LogEntry.objects.get()
        assert (entry.user, entry.object_id) == (operator, str(sku.pk))
        assert words_of(entry) == "Stock -3: broken (r1)"

    def test_a_repeat_changes_nothing_and_tells_what_was_done(self, sku, operator):
        adjust_stock(sku=sku, delta=5, reason="found", operator=operator, reference="r1")

        again = adjust_stock(sku=sku, delta=9, reason="x", operator=operator, reference="r1")

        assert (again.delta, again.repeated, stock(sku)) == (5, True, 15)
        assert LogEntry.objects.count() == 1

    def test_one_reference_serves_two_skus(self, sku, operator):
        other = make_sku(stock=1)
        for one in (sku, other):
            adjust_stock(sku=one, delta=1, reason="found", operator=operator, reference="r1")

        assert (stock(sku), stock(other)) == (11, 2)

    def test_it_removes_no_more_than_there_is(self, sku, operator):
        with pytest.raises(Shortage) as shortage:
            adjust_stock(sku=sku, delta=-11, reason="lost", operator=operator, reference="r1")

        assert shortage.value.available == 10
        assert (stock(sku), movements(sku)) == (10, [("load", 10, "initial")])
        assert not LogEntry.objects.exists()

    @pytest.mark.parametrize("delta", [0, 1_000_000_001, -1_000_000_001, 10**30])
    def test_a_delta_out_of_bounds_is_refused(self, sku, operator, delta):
        with pytest.raises(Invalid):
            adjust_stock(sku=sku, delta=delta, reason="x", operator=operator, reference="r1")

        assert (stock(sku), LogEntry.objects.count()) == (10, 0)

    def test_a_reason_is_needed(self, sku, operator):
        with pytest.raises(Invalid):
            adjust_stock(sku=sku, delta=1, reason="  ", operator=operator, reference="r1")

        assert stock(sku) == 10
