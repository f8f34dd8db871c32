"""Operators, loads and shoppers at one moment, on real row locks."""

from functools import partial

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models.deletion import Collector

from goods.models import Goods, Sku
from goods.services import goods_update, sku_create, sku_delete, sku_update
from goods.stock import LoadMode, StockRow, adjust_stock, load_stock
from shop import transactions
from shop.errors import Busy, SoldOut
from shop.pools.models import Pool, PoolMovement
from tests.factories import make_address, make_goods, make_sku, make_user, place
from tests.kit.barrier import race
from tests.kit.marks import on_mariadb

pytestmark = on_mariadb


def counters(sku):
    return Pool.objects.values_list("available", "taken").get(pk=sku.pool_id)


def test_one_form_sent_by_eight_threads_adjusts_once():
    sku, operator = make_sku(stock=10), make_user("operator")
    send = partial(
        adjust_stock, sku=sku, delta=-3, reason="broken", operator=operator, reference="r1"
    )

    done = [outcome.result() for outcome in race([send] * 8)]

    assert sorted(one.repeated for one in done) == [False] + [True] * 7
    assert {one.delta for one in done} == {-3}
    assert counters(sku) == (7, 0)
    assert PoolMovement.objects.filter(kind="adjust").count() == 1
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize("mode", list(LoadMode))
def test_one_file_loaded_by_four_processes_is_loaded_once(mode):
    goods = make_goods()
    for number in range(50):
        sku_create(goods=goods, code=f"S{number}", price_fen=100, stock=5)
    rows = [StockRow(number + 1, f"S{number}", 7) for number in range(50)]
    load = partial(load_stock, rows, mode=mode, reference="r1")

    loaded = [outcome.result() for outcome in race([load] * 4)]

    units = 350 if mode is LoadMode.ADD else 100
    assert sorted(loaded, key=lambda one: one is None) == [units, None, None, None]
    assert {pool.available for pool in Pool.objects.all()} == {12 if mode is LoadMode.ADD else 7}
    assert PoolMovement.objects.filter(reference="r1").count() == 50


def test_prices_changed_at_one_moment_leave_the_least_one():
    goods = make_goods()
    skus = [sku_create(goods=goods, code=f"S{n}", price_fen=1000) for n in range(8)]

    def reprice(sku, price_fen):
        sku.price_fen = price_fen
        sku_update(sku, fields=["price_fen"])

    for turn in range(5):
        outcomes = race([partial(reprice, sku, 500 + turn * 10 + n) for n, sku in enumerate(skus)])
        assert [outcome.error for outcome in outcomes] == [None] * 8
        assert Goods.objects.get().min_price_fen == 500 + turn * 10


def test_edits_and_adjustments_lose_no_unit_while_shoppers_buy():
    sku, operator = make_sku(stock=40), make_user("operator")
    shoppers = [make_user() for _ in range(8)]
    addresses = [make_address(shopper) for shopper in shoppers]

    def buy(shopper, address):
        for _ in range(5):
            place(shopper, {sku: 1}, address=address)

    def edit():
        for number in range(10):
            goods = Goods.objects.get()
            goods.title = f"title {number}"
            goods_update(goods, fields=["title"])
            own = Sku.objects.select_related("pool").get()
            own.spec = f"spec {number}"
            sku_update(own, fields=["spec"])

    def adjust():
        for number in range(10):
            adjust_stock(sku=sku, delta=2, reason="found", operator=operator, reference=str(number))

    runners = [partial(buy, *who) for who in zip(shoppers, addresses, strict=True)]
    outcomes = race([*runners, edit, adjust])

    assert [outcome.error for outcome in outcomes] == [None] * 10
    assert counters(sku) == (20, 40)


def test_a_load_that_takes_stock_away_oversells_nothing():
    sku = make_sku(stock=20)
    shoppers = [make_user() for _ in range(8)]
    addresses = [make_address(shopper) for shopper in shoppers]

    def buy(shopper, address):
        try:
            for _ in range(5):
                place(shopper, {sku: 1}, address=address)
        except SoldOut:
            return

    def empty():
        load_stock([StockRow(1, sku.code, 0)], mode=LoadMode.SET, reference="r1")

    outcomes = race([*(partial(buy, *who) for who in zip(shoppers, addresses, strict=True)), empty])

    assert [outcome.error for outcome in outcomes] == [None] * 9
    available, taken = counters(sku)
    removed = PoolMovement.objects.get(reference="r1").delta
    assert available == 0
    assert taken == 20 + removed


def test_no_stock_moves_between_the_look_at_a_skus_books_and_its_deletion(monkeypatch):
    sku, operator = make_sku(stock=0), make_user("operator")
    monkeypatch.setattr(transactions, "ATTEMPTS", 1)
    refused = []
    adjust = partial(
        adjust_stock, sku=sku, delta=3, reason="found", operator=operator, reference="r1"
    )
    delete = Collector.delete

    def deleting(collector):
        if Pool in collector.data:  # its movements have been looked for
            [outcome] = race([adjust])
            refused.append(outcome.error)
        return delete(collector)

    monkeypatch.setattr(Collector, "delete", deleting)

    sku_delete(Sku.objects.get())

    assert [type(error) for error in refused] == [Busy]
    assert (Sku.objects.count(), Pool.objects.count()) == (0, 0)
    assert not PoolMovement.objects.exists()
