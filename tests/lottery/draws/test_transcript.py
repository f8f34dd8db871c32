"""Transcripts: the same facts are the same bytes, and what can't be right is never published."""

import json
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from lottery.draws import transcript
from lottery.draws.beacon_draw import Pulse
from lottery.draws.identity import QUICKNET, BeaconIdentity
from lottery.draws.permutation import Numbers
from tests.lottery.draws.facts import (
    BEACON_TERMS,
    CLASSIC_TERMS,
    LATEST,
    LOCAL_TERMS,
    ROUNDS,
    SEED,
    beacon_transcript,
    buy_times,
    classic_transcript,
    closing_for,
    leaves_of,
    local_transcript,
)

CLOSED_AT = closing_for(BEACON_TERMS, LATEST.number)


def drawn(leaves, *, terms=BEACON_TERMS, closed_at=CLOSED_AT, pulse=LATEST.pulse):
    return transcript.of_commit_beacon(
        terms=terms, seed=SEED, leaves=leaves, closed_at=closed_at, pulse=pulse
    )


@pytest.mark.parametrize("build", [beacon_transcript, local_transcript, classic_transcript])
def test_the_same_facts_are_the_same_bytes(build):
    assert transcript.canonical(build()) == transcript.canonical(build())


def test_the_order_in_which_entries_come_makes_no_difference():
    leaves = leaves_of(700)
    random.Random(1).shuffle(leaves)
    assert drawn(leaves) == beacon_transcript()


def test_the_bytes_are_the_transcript():
    said = beacon_transcript()
    assert json.loads(transcript.canonical(said)) == said


@pytest.mark.parametrize("build", [beacon_transcript, local_transcript, classic_transcript])
def test_the_winner_holds_the_winning_share_with_the_winning_number(build):
    said = build()
    holder = [no for no, first, count, _ in said["entries"] for _ in range(count)]
    assert holder[said["index"]] == said["winning_entry_no"]
    assert Numbers(SEED, 1_000).number(said["index"]) == said["number"]
    assert 0 <= said["index"] < said["shares_sold"] == len(holder)


def test_only_quicknet_is_called_independent():
    another_chain = BeaconIdentity(
        name="drand",
        chain_hash="00" * 32,
        public_key=QUICKNET.public_key,
        genesis=QUICKNET.genesis,
        period_seconds=3,
    )
    said = drawn(leaves_of(700), terms=replace(BEACON_TERMS, beacon=another_chain))
    assert said["beacon"]["independent"] is False
    assert local_transcript()["beacon"]["independent"] is False
    assert beacon_transcript()["beacon"]["independent"] is True


def without(leaves, at):
    return leaves[:at] + leaves[at + 1 :]


def test_entries_that_do_not_tile_the_shares_are_not_drawn_from():
    leaves = leaves_of(700)
    for wrong in (
        without(leaves, 0),
        without(leaves, 5),
        [*leaves, leaves[5]],
        [*leaves[:-1], replace(leaves[-1], first=leaves[-1].first - 1)],
    ):
        with pytest.raises(ValueError, match="do not meet"):
            drawn(wrong)


def test_two_entries_with_one_number_are_not_drawn_from():
    leaves = leaves_of(700)
    with pytest.raises(ValueError, match="one number"):
        drawn([*leaves[:-1], replace(leaves[-1], entry_no=leaves[0].entry_no)])


@pytest.mark.parametrize("shares", [0, 9, 1_001])
def test_too_few_or_too_many_shares_are_not_drawn_from(shares):
    with pytest.raises(ValueError, match=f"no draw with {shares} shares"):
        drawn(leaves_of(shares))


@pytest.mark.parametrize("seconds", [-3, -60, 1, 3_600])
def test_another_round_than_the_one_that_follows_from_the_close_is_not_used(seconds):
    with pytest.raises(ValueError, match="not 31799517"):
        drawn(leaves_of(700), closed_at=CLOSED_AT + timedelta(seconds=seconds))


def test_the_round_is_the_first_that_is_due_after_close_and_delay():
    due = QUICKNET.time_of(LATEST.number)
    exactly = due - timedelta(seconds=60)
    said = drawn(leaves_of(700), closed_at=exactly)
    assert said["beacon"]["round"] == LATEST.number
    with pytest.raises(ValueError, match="drawn with round 31799518"):
        drawn(leaves_of(700), closed_at=exactly + timedelta(microseconds=1))


def test_a_value_that_is_not_the_signatures_is_not_used():
    pulse = Pulse(LATEST.number, ROUNDS[0].pulse.value, LATEST.pulse.signature)
    with pytest.raises(ValueError, match="the value"):
        drawn(leaves_of(700), pulse=pulse)


def classic(shares=1_000, *, terms=CLASSIC_TERMS, times=None, seconds=120):
    times = buy_times() if times is None else times
    return transcript.of_classic(
        terms=terms,
        seed=SEED,
        leaves=leaves_of(shares),
        closed_at=buy_times()[0] + timedelta(seconds=seconds),
        buy_times=times,
        public_number=1,
    )


def test_classic_draws_only_what_is_sold_out():
    with pytest.raises(ValueError, match="not sold out"):
        classic(999)


def test_classic_counts_no_buy_time_after_the_close():
    with pytest.raises(ValueError, match="after the close"):
        classic(seconds=-120)


def test_classic_publishes_the_last_fifty_buy_times_to_the_millisecond():
    times = classic(times=buy_times(200))["classic"]["buy_times"]
    assert len(times) == 50
    assert times == sorted(times)
    assert all(len(time) == len("2026-08-30T16:00:00.000Z") for time in times)


@pytest.mark.parametrize("terms", [CLASSIC_TERMS, LOCAL_TERMS])
def test_a_period_is_drawn_as_its_terms_promise(terms):
    with pytest.raises(ValueError, match=r"promise a draw by classic|drawn with round"):
        drawn(leaves_of(700), terms=terms)
    with pytest.raises(ValueError, match="promise a draw by commit-beacon"):
        classic(terms=BEACON_TERMS)
