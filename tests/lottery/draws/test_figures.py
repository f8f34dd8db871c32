"""What draws may cost. Processor time, the best of a few, beside what the same hash costs here:
what else runs on this machine, and how fast it is, is not measured."""

import hashlib
import json
import time
from dataclasses import replace

import pytest

from lottery import verify_draw
from lottery.draws import permutation
from lottery.draws.leaves import Leaf
from lottery.draws.permutation import Numbers
from lottery.draws.terms import commitment, new_seed
from lottery.draws.transcript import canonical, of_commit_beacon
from lottery.verify_draw import WRONG, parse, verify
from tests.lottery.draws.facts import BEACON_TERMS, LATEST, SEED, closing_for, saved_of

LARGE = replace(BEACON_TERMS, total_shares=10_000_000)


def seconds(action, *, times=5):
    """The least processor time that `action` took."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        action()
        taken.append(time.process_time() - start)
    return min(taken)


# Seconds for `many_hashes` where the bounds below were chosen.
HASHES_TOOK = 0.007


def many_hashes():
    for number in range(20_000):
        hashlib.sha256(number.to_bytes(8, "big")).digest()


@pytest.fixture(scope="module")
def slowness():
    """How much longer than there all takes here; at least 1."""
    return max(1.0, seconds(many_hashes) / HASHES_TOOK)


def numbers_of_a_thousand():
    assert len(Numbers(SEED, 10_000_000).numbers(5_000_000, 1_000)) == 1_000


def test_a_thousand_numbers_of_ten_million_take_less_than_ten_milliseconds(slowness):
    numbers_of_a_thousand()
    assert seconds(numbers_of_a_thousand) < 0.010 * slowness


def test_the_first_thousand_of_a_period_in_a_process_take_little_longer(slowness):
    def first():
        permutation._round_functions.cache_clear()
        numbers_of_a_thousand()

    assert seconds(first) < 0.030 * slowness


def test_opening_a_period_costs_nothing_worth_mentioning(slowness):
    def open_one():
        seed = new_seed()
        commitment(seed, LARGE)
        Numbers(seed, LARGE.total_shares)

    assert seconds(open_one, times=20) < 0.001 * slowness


def test_a_proof_of_a_hundred_thousand_entries_is_checked_in_less_than_five_seconds(
    monkeypatch, slowness
):
    monkeypatch.setattr(verify_draw, "HAS_BLS", False)
    leaves = [Leaf(f"260831{n:018d}", 7 * n, 7, n.to_bytes(16, "big")) for n in range(100_000)]
    said = of_commit_beacon(
        terms=LARGE,
        seed=SEED,
        leaves=leaves,
        closed_at=closing_for(LARGE, LATEST.number),
        pulse=LATEST.pulse,
    )
    text, saved = canonical(said), saved_of(said)

    def check():
        assert WRONG not in {step.verdict for step in verify(parse(text), **saved)}

    assert seconds(check, times=2) < 5 * slowness
    assert json.loads(text)["shares_sold"] == 700_000
