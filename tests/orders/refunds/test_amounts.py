"""The money of units: exact, however an order is taken apart."""

from hypothesis import given
from hypothesis import strategies as st

from orders.refunds.amounts import paid, part

MONEY = st.integers(0, 10**12)
LINES = st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 9999)), min_size=1, max_size=8)


@given(lines=LINES, freight_fen=MONEY, data=st.data())
def test_what_was_paid_is_split_into_lines_and_freight(lines, freight_fen, data):
    subtotals = [price_fen * count for price_fen, count in lines]
    off = [data.draw(st.integers(0, subtotal)) for subtotal in subtotals]
    discount_fen = sum(off) + data.draw(st.integers(0, freight_fen))

    was = paid(subtotals, off=off, freight_fen=freight_fen, discount_fen=discount_fen)

    assert sum(was.lines) + was.freight_fen == sum(subtotals) + freight_fen - discount_fen
    assert was.freight_fen >= 0
    for fen, subtotal in zip(was.lines, subtotals, strict=True):
        assert 0 <= fen <= subtotal


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
