"""Two at one catalogue: the same file twice at once, and a price that changes under an import."""

import pytest
from django.db import OperationalError, transaction

from goods import services
from goods.imports import services as imports
from goods.imports.planning import plan_of
from goods.imports.reading import lines_of
from goods.imports.services import File, Imported, NotAsShown, import_carry_out
from goods.models import Category, Goods, Sku
from shop.transfers.models import Transfer
from tests.factories import make_sku, make_user
from tests.kit.barrier import race
from tests.kit.marks import on_mariadb
from tests.transfers.files import csv_of

pytestmark = on_mariadb


def file_of(*rows):
    lines = lines_of(csv_of(*rows))
    return File(lines, "f.csv", "", "csv"), plan_of(lines).digest()


@pytest.mark.parametrize("code", ["N-1", ""])
def test_of_the_same_file_sent_by_many_at_once_one_makes_the_goods(code):
    Category.objects.create(title="饮料")
    headings = ("code", "title", "category", *(("price_yuan",) if code else ()))
    file, digest = file_of(headings, (code, "Cup", "饮料", *(("3",) if code else ())))
    operator = make_user(is_staff=True)

    outcomes = race([lambda: import_carry_out(file=file, shown=digest, operator=operator)] * 6)

    done = [one.value for one in outcomes if one.error is None]
    assert done.count(Imported(1, 0)) == 1
    assert done.count(Imported(0, 0)) == len(done) - 1
    assert all(isinstance(one.error, NotAsShown) for one in outcomes if one.error)
    assert Goods.objects.count() == 1
    assert Sku.objects.count() == (1 if code else 0)
    assert Transfer.objects.count() == 1


def test_nobody_changes_the_goods_of_an_import_between_its_second_look_and_its_commit(monkeypatch):
    sku = make_sku(price_fen=1000)
    file, digest = file_of(("code", "price_yuan"), (sku.code, "5"))
    tried = []

    def change_it():
        with transaction.atomic():
            list(Goods.objects.select_for_update(nowait=True).filter(pk=sku.goods_id))

    create = services.goods_create

    def creating(goods):
        (outcome,) = race([change_it])
        tried.append(outcome.error)
        return create(goods)

    monkeypatch.setattr(imports.services, "goods_create", creating)

    done = import_carry_out(file=file, shown=digest, operator=make_user(is_staff=True))

    assert done == Imported(0, 1)
    assert isinstance(tried[0], OperationalError)


def test_a_price_that_changes_while_an_import_waits_for_its_goods_is_not_lost(monkeypatch):
    sku = make_sku(price_fen=1000)
    file, digest = file_of(("code", "price_yuan"), (sku.code, "5"))
    lock = services.goods_lock

    def change_it():
        Sku.objects.filter(pk=sku.pk).update(price_fen=1100)

    def locking(goods_ids):
        (outcome,) = race([change_it])
        outcome.result()
        lock(goods_ids)

    monkeypatch.setattr(imports.services, "goods_lock", locking)

    with pytest.raises(NotAsShown):
        import_carry_out(file=file, shown=digest, operator=make_user(is_staff=True))

    assert Sku.objects.get().price_fen == 1100


def test_goods_that_are_what_was_shown_only_after_the_lock_are_not_written(monkeypatch):
    """Called otherwise for a moment, they were not found by the first look, and are not locked."""
    goods = make_sku().goods
    file, digest = file_of(("title", "title_en"), (goods.title, "Tea"))
    titled = Goods.objects.filter(pk=goods.pk)
    titled.update(title="?")
    lock = imports._lock

    def locking(plan):
        lock(plan)
        [outcome] = race([lambda: titled.update(title=goods.title)])
        outcome.result()

    monkeypatch.setattr(imports, "_lock", locking)

    with pytest.raises(NotAsShown):
        import_carry_out(file=file, shown=digest, operator=make_user(is_staff=True))

    assert titled.get().title_en == ""
