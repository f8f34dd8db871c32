"""Entries as bytes: no two entries have the same, and a receipt tells nothing without its nonce."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lottery.draws import merkle
from lottery.draws.leaves import Leaf, new_nonce
from lottery.verify_draw import leaf_hash

LEAF = Leaf("240804202700000001", 5, 3, bytes(range(16)))

leaves = st.builds(
    Leaf,
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=64),
    st.integers(0, 10**11),
    st.integers(1, 10**11),
    st.binary(min_size=16, max_size=16),
)


def decoded(data):
    """Back from bytes: what makes the encoding one to one."""
    end = 1 + data[0]
    first, count = (int.from_bytes(data[at : at + 8], "big") for at in (end, end + 8))
    return Leaf(data[1:end].decode(), first, count, data[end + 16 :])


@given(leaves)
def test_bytes_say_exactly_what_the_entry_is(leaf):
    assert decoded(leaf.encode()) == leaf


@given(leaves)
def test_the_receipt_is_the_hash_of_the_leaf(leaf):
    said = [leaf.entry_no, leaf.first, leaf.count, leaf.nonce.hex()]
    assert leaf.receipt == merkle.leaf_hash(leaf.encode()).hex() == leaf_hash(said).hex()


@pytest.mark.parametrize(
    ("name", "value"),
    [("entry_no", "240804202700000002"), ("first", 6), ("count", 4), ("nonce", bytes(16))],
)
def test_another_entry_has_another_receipt(name, value):
    assert replace(LEAF, **{name: value}).receipt != LEAF.receipt


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("entry_no", ""),
        ("entry_no", "x" * 65),
        ("entry_no", "一"),
        ("entry_no", "a\n"),
        ("first", -1),
        ("first", 10**12),
        ("count", 0),
        ("count", 10**12),
        ("nonce", bytes(15)),
        ("nonce", bytes(17)),
    ],
)
def test_what_is_no_entry_has_no_receipt(name, value):
    with pytest.raises(ValueError, match=r"not an entry|no .* shares|a nonce"):
        replace(LEAF, **{name: value})


def test_nonces_are_new():
    assert len({new_nonce() for _ in range(100)}) == 100
