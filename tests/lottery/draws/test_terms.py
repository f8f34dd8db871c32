"""What is promised can't be changed afterwards, and the seed stays secret until it is told."""

from dataclasses import fields, replace

import pytest

from lottery.draws import terms
from lottery.draws.identity import LOCAL_SECONDS, QUICKNET
from lottery.draws.terms import commitment, draw_key, new_seed, permutation_key
from tests.lottery.draws.facts import BEACON_TERMS, CLASSIC_TERMS, LOCAL_TERMS, SEED

OTHERS = {
    "scheme": None,  # changes more than itself: see below
    "serial": "20260901-02",
    "prize_title": "一部手机",
    "currency": "cny",
    "share_price": 101,
    "total_shares": 1_001,
    "minimum_shares": 11,
    "per_user_limit": None,
    "first_number": 1_000_001,
    "ends_at": None,
    "beacon": LOCAL_SECONDS,
    "beacon_delay_seconds": 61,
    "public_number_source": None,
}


@pytest.mark.parametrize("name", sorted(OTHERS.keys() - {"scheme", "public_number_source"}))
def test_other_terms_are_another_commitment(name):
    other = replace(BEACON_TERMS, **{name: OTHERS[name]})
    assert commitment(SEED, other) != commitment(SEED, BEACON_TERMS)


def test_each_field_of_terms_was_looked_at():
    assert {field.name for field in fields(BEACON_TERMS)} == OTHERS.keys()


def test_another_scheme_or_source_is_another_commitment():
    freely = replace(CLASSIC_TERMS, public_number_source=None)
    promised = [BEACON_TERMS, LOCAL_TERMS, CLASSIC_TERMS, freely]
    assert len({commitment(SEED, one) for one in promised}) == len(promised)


def test_another_seed_is_another_commitment():
    assert commitment(SEED, BEACON_TERMS) != commitment(bytes(32), BEACON_TERMS)


@pytest.mark.parametrize("seed", [b"", SEED[:31], SEED + b"x"])
def test_a_seed_is_32_bytes(seed):
    with pytest.raises(ValueError, match="32 bytes"):
        commitment(seed, BEACON_TERMS)


def test_seeds_are_new():
    assert len({new_seed() for _ in range(100)}) == 100
    assert len(new_seed()) == 32


def test_the_two_keys_and_the_commitment_have_nothing_in_common():
    known = {permutation_key(SEED), draw_key(SEED), bytes.fromhex(commitment(SEED, BEACON_TERMS))}
    assert len(known) == 3
    assert len({terms.COMMITMENT_TAG, terms.PERMUTATION_LABEL, terms.DRAW_LABEL}) == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scheme", "coin"),
        ("serial", ""),
        ("serial", 7),
        ("prize_title", None),
        ("currency", ""),
        ("share_price", -1),
        ("share_price", 1.0),
        ("share_price", True),
        ("total_shares", 0),
        ("total_shares", 10**12 + 1),
        ("minimum_shares", -1),
        ("minimum_shares", 1_001),
        ("per_user_limit", 0),
        ("first_number", -1),
        ("first_number", 2**53),
        ("ends_at", "tomorrow"),
        ("beacon", None),
        ("beacon_delay_seconds", 0),
        ("beacon_delay_seconds", 86_401),
        ("public_number_source", "the news"),
    ],
)
def test_nonsense_is_nothing_to_commit_to(name, value):
    with pytest.raises(ValueError, match=r"no terms|not a moment"):
        replace(BEACON_TERMS, **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("beacon", QUICKNET), ("beacon_delay_seconds", 60), ("public_number_source", "")],
)
def test_classic_uses_no_beacon(name, value):
    with pytest.raises(ValueError, match="no terms"):
        replace(CLASSIC_TERMS, **{name: value})


def test_half_a_character_is_nothing_to_commit_to():
    with pytest.raises(ValueError, match="surrogates"):
        commitment(SEED, replace(BEACON_TERMS, prize_title="\ud800"))
