"""What an order costs, whatever is in it: the breakdown adds up to the fen, and is not negative."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders.pricing import (
    Discount,
    Freight,
    Kind,
    NoDiscount,
    PricedItem,
    Why,
    discount_of,
    price,
    spread,
    terms_of,
)

prices = st.integers(min_value=0, max_value=10**12)
items = st.lists(st.builds(PricedItem, prices, st.integers(1, 9_999)), max_size=100)
freights = st.builds(Freight, prices, st.none() | prices)
scoped_items = st.lists(
    st.builds(PricedItem, prices, st.integers(1, 9_999), st.integers(0, 10**7), st.booleans()),
    min_size=1,
    max_size=20,
)
all_freights = st.builds(
    Freight,
    prices,
    st.none() | prices,
    first_grams=st.integers(0, 10**7),
    step_grams=st.none() | st.integers(1, 10**7),
    step_fee_fen=prices,
    regions=st.lists(st.tuples(st.sampled_from(["a", "ab", "abc", "b"]), prices), max_size=4),
)
discounts = st.builds(
    Discount,
    st.sampled_from(Kind),
    minimum_fen=st.integers(0, 10**9),
    off_fen=st.integers(0, 10**13),
    percent=st.integers(0, 100),
    most_fen=st.none() | prices,
)


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


# --- freight by weight and by region


@pytest.mark.parametrize(
    ("grams", "freight_fen"), [(0, 800), (1000, 800), (1001, 1000), (1500, 1000), (1501, 1200)]
)
def test_each_begun_step_above_the_first_grams_costs_its_fee(grams, freight_fen):
    freight = Freight(800, first_grams=1000, step_grams=500, step_fee_fen=200)
    assert price([PricedItem(100, 1, grams)], freight=freight).freight_fen == freight_fen


@settings(max_examples=50)
@given(scoped_items, all_freights)
def test_more_weight_never_costs_less_and_costs_nothing_where_freight_is_free(items, freight):
    heavier = [PricedItem(one.price_fen, one.count, one.grams + 1) for one in items]
    before, after = price(items, freight=freight), price(heavier, freight=freight)
    assert before.freight_fen <= after.freight_fen
    if freight.free_above_fen is not None and before.goods_fen >= freight.free_above_fen:
        assert after.freight_fen == 0


@pytest.mark.parametrize(
    ("region", "freight_fen"),
    [
        ("浙江省 杭州市 西湖区", 400),
        ("浙江省杭州市", 400),
        ("浙江省 宁波市", 600),
        ("Shanghai", 500),
        ("上海 浙江省", 800),
        ("", 800),
    ],
)
def test_the_longest_region_that_fits_says_the_fee(region, freight_fen):
    regions = [("浙江省", 600), ("浙江省 杭州", 400), ("SHANG HAI", 500)]
    breakdown = price([PricedItem(100, 1)], freight=Freight(800, regions=regions), region=region)
    assert breakdown.freight_fen == freight_fen


# --- discounts


@settings(max_examples=50)
@given(scoped_items, all_freights, discounts)
def test_a_discount_adds_up_and_takes_no_line_and_no_freight_below_zero(items, freight, discount):
    plain = price(items, freight=freight, region="abc")
    try:
        breakdown = price(items, freight=freight, region="abc", discount=discount)
    except NoDiscount as no:
        in_scope = [item.subtotal_fen for item in items if item.in_scope]
        match no.why:
            case Why.OUT_OF_SCOPE:
                assert not in_scope
            case Why.BELOW_MINIMUM:
                assert sum(in_scope) < discount.minimum_fen
        return
    assert (breakdown.goods_fen, breakdown.freight_fen) == (plain.goods_fen, plain.freight_fen)
    assert breakdown.total_fen == plain.total_fen - breakdown.discount_fen
    assert 0 <= breakdown.total_fen < plain.total_fen
    freight_off_fen = breakdown.discount_fen - sum(breakdown.line_discounts)
    assert 0 <= freight_off_fen <= plain.freight_fen
    for item, off in zip(items, breakdown.line_discounts, strict=True):
        assert type(off) is int
        assert 0 <= off <= (item.subtotal_fen if item.in_scope else 0)


@pytest.mark.parametrize(
    ("discount", "discount_fen"),
    [
        (Discount(Kind.AMOUNT, off_fen=300), 300),
        (Discount(Kind.AMOUNT, off_fen=10**15), 999),
        (Discount(Kind.PERCENT, percent=15), 149),  # of 999: 149.85
        (Discount(Kind.PERCENT, percent=15, most_fen=100), 100),
        (Discount(Kind.PERCENT, percent=100), 999),
        (Discount(Kind.FREIGHT), 800),
        (Discount(Kind.AMOUNT, minimum_fen=999, off_fen=1), 1),
        (Discount(Kind.AMOUNT, minimum_fen=1000, off_fen=1), Why.BELOW_MINIMUM),
        (Discount(Kind.PERCENT, percent=0), Why.NOTHING_OFF),
    ],
)
def test_what_each_kind_takes_off_goods_of_999_fen_and_freight_of_800(discount, discount_fen):
    items = [PricedItem(333, 3), PricedItem(500, 1, in_scope=False)]
    try:
        assert price(items, freight=Freight(800), discount=discount).discount_fen == discount_fen
    except NoDiscount as no:
        assert no.why == discount_fen


@settings(max_examples=50)
@given(scoped_items, st.integers(0, 99), st.none() | prices)
def test_a_higher_percentage_never_takes_off_less(items, percent, most_fen):
    def off(percent):
        discount = Discount(Kind.PERCENT, percent=percent, most_fen=most_fen)
        try:
            return price(items, freight=Freight(0), discount=discount).discount_fen
        except NoDiscount:
            return 0

    assert off(percent) <= off(percent + 1)


@settings(max_examples=50)
@given(discounts)
def test_a_discount_reads_back_as_it_was_written_down(discount):
    assert discount_of(terms_of(discount)) == discount


@settings(max_examples=50)
@given(st.lists(st.integers(0, 10**14), max_size=30), st.data())
def test_a_spread_adds_up_and_differs_from_its_exact_share_by_less_than_one(weights, data):
    total = data.draw(st.integers(0, sum(weights)))
    parts = spread(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert 0 <= part <= weight
        assert abs(part * sum(weights) - total * weight) < max(1, sum(weights))


@pytest.mark.parametrize("total", [-1, 4])
def test_more_than_all_and_less_than_nothing_can_t_be_spread(total):
    with pytest.raises(ValueError, match="not within"):
        spread(total, [1, 2])
