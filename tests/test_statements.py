"""Composed statements give what the ORM gives: the same rows, converted, on every database."""

from datetime import UTC, datetime

import pytest
from django.db.models.functions import Now

from goods.models import Sku
from orders.models import Order
from shop.pools.models import PoolMovement
from shop.statements import Select, insert
from tests.factories import make_sku, make_user, place

pytestmark = [pytest.mark.django_db]


def test_rows_are_the_query_sets_own_for_any_number_of_values():
    skus = [make_sku(price_fen=price) for price in (100, 200, 300)]

    def build(*ids):
        return Sku.objects.filter(pk__in=ids).order_by("-pk").values_list("pk", "price_fen")

    select = Select(build)
    for wanted in ([skus[1].pk], [sku.pk for sku in skus], [skus[0].pk, skus[2].pk]):
        assert select.rows(*wanted) == list(build(*wanted))
    assert select.row(0) is None
    assert select.rows() == []


def test_values_are_converted_as_by_the_orm():
    order = place(make_user(), {make_sku(): 1})
    select = Select(
        lambda pk: (
            Order.objects.filter(pk=pk)
            .order_by()
            .values_list("snapshot", "created_at", "failure", Now())
        )
    )
    snapshot, created_at, failure, now = select.row(order.pk)
    assert (snapshot, created_at, failure) == (order.snapshot, order.created_at, "")
    assert now.tzinfo is not None
    assert abs((datetime.now(UTC) - now).total_seconds()) < 60


def test_a_value_that_the_query_does_not_hold_is_a_mistake_not_a_wrong_answer():
    select = Select(lambda pk, other: Sku.objects.filter(pk=pk).values_list("pk"))
    with pytest.raises(ValueError, match=r"\[1\]"):
        select.rows(1, 2)


def test_an_inserted_row_reads_back_as_it_was():
    sku = make_sku(stock=0)
    row = PoolMovement(pool_id=sku.pool_id, kind="load", delta=5, reference="a", reason="'; --")
    insert([row])
    stored = PoolMovement.objects.get(pk=row.pk)
    for field in PoolMovement._meta.concrete_fields:
        assert getattr(stored, field.attname) == getattr(row, field.attname), field.name


def test_several_rows_go_in_at_once(django_assert_num_queries):
    sku = make_sku(stock=0)
    rows = [
        PoolMovement(pool_id=sku.pool_id, kind="load", delta=delta, reference=f"r{delta}")
        for delta in (1, 2, 3)
    ]
    with django_assert_num_queries(1):
        insert(rows)
    stored = PoolMovement.objects.filter(pool_id=sku.pool_id).order_by("pk")
    assert list(stored.values_list("delta", "reference")) == [(1, "r1"), (2, "r2"), (3, "r3")]
