"""The money of units: exact, however an order is taken apart."""

from hypothesis import given
from hypothesis import strategies as st

from orders.refunds.amounts import paid, part, spread

MONEY = st.integers(0, 10**12)
LINES = st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 9999)), min_size=1, max_size=8)


@given(amount=MONEY, over=st.lists(st.integers(0, 10**12), min_size=1, max_size=8))
def test_a_spread_adds_up_and_is_off_by_less_than_a_fen_anywhere(amount, over):
    shares = spread(amount, over=over)

    whole = sum(over)
    assert sum(shares) == (amount if whole else 0)
    for share, weight in zip(shares, over, strict=True):
        assert isinstance(share, int)
        assert whole == 0 or abs(share * whole - amount * weight) < whole


def test_the_largest_remainders_get_what_rounding_leaves_and_of_equal_ones_the_first():
    assert spread(100, over=[1, 1, 1]) == [34, 33, 33]
    assert spread(10, over=[1, 5, 3]) == [1, 6, 3]


@given(lines=LINES, freight_fen=MONEY, data=st.data())
def test_what_was_paid_is_split_into_lines_and_freight(lines, freight_fen, data):
    subtotals = [price_fen * count for price_fen, count in lines]
    discount_fen = data.draw(st.integers(0, sum(subtotals) + freight_fen))

    was = paid(subtotals, freight_fen=freight_fen, discount_fen=discount_fen)

    assert sum(was.lines) + was.freight_fen == sum(subtotals) + freight_fen - discount_fen
    assert was.freight_fen >= 0
    for fen, subtotal in zip(was.lines, subtotals, strict=True):
        assert 0 <= fen <= subtotal


def test_a_discount_that_says_whose_it_is_is_theirs_and_the_rest_is_the_freights():
    was = paid([1000, 500], freight_fen=800, discount_fen=900, of_lines=[0, 200])
    assert (was.lines, was.freight_fen) == ([1000, 300], 100)


@given(left_fen=MONEY, left=st.integers(1, 30), data=st.data())
def test_units_taken_and_put_back_in_any_order_never_cost_more_than_was_paid(left_fen, left, data):
    """Parts are taken, some are put back, and in the end all are taken: just what was paid."""
    fen, units, held = left_fen, left, []
    for _ in range(data.draw(st.integers(0, 12))):
        if held and data.draw(st.booleans()):
            back, count = held.pop(data.draw(st.integers(0, len(held) - 1)))
            fen, units = fen + back, units + count
        elif units:
            count = data.draw(st.integers(1, units))
            amount = part(left_fen=fen, left=units, count=count)
            assert 0 <= amount <= fen
            held.append((amount, count))
            fen, units = fen - amount, units - count
        assert sum(amount for amount, _ in held) <= left_fen
    while units:
        held.append((part(left_fen=fen, left=units, count=1), 1))
        fen, units = fen - held[-1][0], units - 1
    assert sum(amount for amount, _ in held) == left_fen
