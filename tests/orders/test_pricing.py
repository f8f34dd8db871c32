"""What an order costs, whatever is in it: the breakdown adds up to the fen, and is not negative."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.pricing import Freight, PricedItem, price

prices = st.integers(min_value=0, max_value=10**12)
items = st.lists(st.builds(PricedItem, prices, st.integers(1, 9_999)), max_size=100)
freights = st.builds(Freight, prices, st.none() | prices)


@given(items, freights)
def test_the_total_is_goods_plus_freight_minus_discount(items, freight):
    breakdown = price(items, freight=freight)
    parts = (breakdown.goods_fen, breakdown.freight_fen, breakdown.discount_fen)
    assert breakdown.goods_fen == sum(item.price_fen * item.count for item in items)
    assert breakdown.total_fen == parts[0] + parts[1] - parts[2]
    assert min(*parts, breakdown.total_fen) >= 0
    assert all(type(part) is int for part in (*parts, breakdown.total_fen))


@given(items, freights)
def test_the_freight_is_the_fee_or_nothing(items, freight):
    breakdown = price(items, freight=freight)
    is_free = freight.free_above_fen is not None and breakdown.goods_fen >= freight.free_above_fen
    assert breakdown.freight_fen == (0 if is_free else freight.fee_fen)


@given(items, freights)
def test_the_order_of_the_items_does_not_matter(items, freight):
    assert price(items[::-1], freight=freight) == price(items, freight=freight)


@given(prices, st.integers(1, 9_998), freights)
def test_a_sku_named_twice_costs_what_it_costs_merged(price_fen, count, freight):
    apart = [PricedItem(price_fen, count), PricedItem(price_fen, 1)]
    merged = [PricedItem(price_fen, count + 1)]
    assert price(apart, freight=freight) == price(merged, freight=freight)


@pytest.mark.parametrize(("goods_fen", "freight_fen"), [(9_899, 800), (9_900, 0), (9_901, 0)])
def test_freight_is_free_from_the_very_fen_on(goods_fen, freight_fen):
    breakdown = price([PricedItem(goods_fen, 1)], freight=Freight(800, free_above_fen=9_900))
    assert (breakdown.freight_fen, breakdown.total_fen) == (freight_fen, goods_fen + freight_fen)


@given(prices, prices)
def test_freight_is_free_from_exactly_its_boundary_on(boundary, fee_fen):
    freight = Freight(fee_fen, free_above_fen=boundary)
    assert price([PricedItem(boundary, 1)], freight=freight).freight_fen == 0
    if boundary:
        assert price([PricedItem(boundary - 1, 1)], freight=freight).freight_fen == fee_fen


def test_what_is_never_free_is_not_free_for_any_total():
    breakdown = price([PricedItem(10**15, 9_999)], freight=Freight(1))
    assert breakdown.freight_fen == 1


def test_nothing_costs_its_freight():
    assert price([], freight=Freight(800)).total_fen == 800


def test_a_total_beyond_a_double_is_still_exact():
    breakdown = price([PricedItem(2**53 + 1, 3)], freight=Freight(1))
    assert breakdown.total_fen == 3 * 2**53 + 4
