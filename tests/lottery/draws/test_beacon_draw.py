"""The draw by a beacon: one winner from the same facts, each sold share as likely as the next."""

import hashlib
import hmac
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lottery import verify_draw
from lottery.draws import merkle
from lottery.draws.beacon_draw import fair_index, winning_index, words
from tests.lottery.draws.facts import SEED, leaves_of
from tests.lottery.draws.statistics import ONE_IN_TEN_THOUSAND, equally, surprise

ROOT = hashlib.sha256(b"root").digest()

hashes = st.binary(min_size=32, max_size=32)


def value_of(number):
    return hashlib.sha256(b"value %d" % number).digest()


def index_of(number, *, shares, root=ROOT, seed=SEED):
    return winning_index(
        seed=seed, root=root, round_number=number, value=value_of(number), shares_sold=shares
    )


def test_ten_thousand_draws_favour_no_share():
    drawn = Counter(index_of(number, shares=97) for number in range(10_000))
    assert surprise(drawn, equally(range(97))) < ONE_IN_TEN_THOUSAND


def test_ten_thousand_draws_favour_no_entry_beyond_its_shares():
    leaves = leaves_of(400, most=60)
    root = merkle.root(leaf.encode() for leaf in leaves)
    holder = [leaf.entry_no for leaf in leaves for _ in range(leaf.count)]
    drawn = Counter(holder[index_of(number, shares=400, root=root)] for number in range(10_000))
    chances = {leaf.entry_no: leaf.count / 400 for leaf in leaves}
    assert surprise(drawn, chances) < ONE_IN_TEN_THOUSAND


def test_a_source_with_favourites_would_be_noticed():
    drawn = Counter(min(index_of(number, shares=100), 96) for number in range(10_000))
    assert surprise(drawn, equally(range(97))) > 10


@given(hashes, hashes, hashes, st.integers(1, 2**53 - 1), st.integers(1, 2**64 - 1))
def test_a_program_written_from_the_page_alone_draws_the_same(seed, root, value, number, shares):
    # Among so many shares that every second word is unfair, the counter is seen at work too.
    for sold in (shares, 2**63 + 1, 1 + shares % 1_000):
        index = winning_index(
            seed=seed, root=root, round_number=number, value=value, shares_sold=sold
        )
        assert 0 <= index < sold
        assert index == verify_draw.drawn_index(seed, root, number, value, sold)


@pytest.mark.parametrize(
    ("found", "shares", "index"),
    [
        ([5], 3, 2),
        ([2**64 - 1, 5], 3, 2),  # 2^64 mod 3 is 1: the last word is one too many
        ([2**64 - 2], 3, 2),
        ([2**64 - 1], 1, 0),
        ([2**64 - 1], 2**32, 2**32 - 1),  # a power of two wastes nothing
        ([2**63 + 1, 2**64 - 1, 7], 2**63 + 1, 7),
    ],
)
def test_a_word_that_would_favour_the_first_shares_is_drawn_again(found, shares, index):
    assert fair_index(iter(found), shares) == index


def test_words_are_four_of_each_digest_and_go_on():
    key, message = b"k" * 32, b"m"
    expected = [
        int.from_bytes(digest[at : at + 8], "big")
        for counter in range(3)
        for digest in [hmac.digest(key, message + counter.to_bytes(4, "big"), "sha256")]
        for at in range(0, 32, 8)
    ]
    assert list(islice(words(key, message), 12)) == expected


@pytest.mark.parametrize("changed", ["seed", "root", "round_number", "value"])
def test_every_fact_decides(changed):
    facts = {"seed": SEED, "root": ROOT, "round_number": 5, "value": value_of(5)}
    other = {"seed": bytes(32), "root": value_of(1), "round_number": 6, "value": value_of(6)}
    before = winning_index(**facts, shares_sold=10**12)
    assert winning_index(**{**facts, changed: other[changed]}, shares_sold=10**12) != before
    assert winning_index(**facts, shares_sold=10**12) == before


@pytest.mark.parametrize(
    ("root", "value", "shares"),
    [(b"", ROOT, 1), (ROOT, b"", 1), (ROOT, ROOT, 0), (ROOT, ROOT, 2**64)],
)
def test_without_a_fact_there_is_no_draw(root, value, shares):
    with pytest.raises(ValueError, match="a draw needs"):
        winning_index(seed=SEED, root=root, round_number=1, value=value, shares_sold=shares)
