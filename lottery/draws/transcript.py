"""The published transcript: all facts of a draw, from which anybody computes the winner again.

Built from the facts alone, so whoever builds it again has the same bytes. Nothing is taken on trust
on the way in: entries that do not tile the shares sold, a round that is not the one the terms name,
too few shares or the wrong scheme raise ValueError, and nothing is published.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TypedDict

from lottery.draws import classic, merkle
from lottery.draws.beacon_draw import Pulse, winning_index
from lottery.draws.encoding import (
    canonical_json,
    millisecond_text,
    moment_text,
)
from lottery.draws.identity import BeaconIdentity
from lottery.draws.leaves import Leaf
from lottery.draws.permutation import Numbers
from lottery.draws.terms import CLASSIC, COMMIT_BEACON, Terms, commitment

VERSION = 1


class BeaconFacts(TypedDict):
    """`value` and `signature` in hex. `independent`: nobody who knows the seed could know the value
    before its time."""

    name: str
    round: int
    value: str
    signature: str
    independent: bool


class ClassicFacts(TypedDict):
    """`buy_times` in ascending order, UTC, three digits of a second."""

    buy_times: list[str]
    public_number: int


class Transcript(TypedDict):
    """One of `beacon` and `classic` is None, by the scheme. `entries`: [entry_no, first, count,
    nonce in hex], ascending."""

    version: int
    scheme: str
    terms: dict[str, object]
    commitment: str
    seed: str
    entries: list[list[str | int]]
    root: str
    shares_sold: int
    closed_at: str
    beacon: BeaconFacts | None
    classic: ClassicFacts | None
    index: int
    number: int
    winning_entry_no: str


def draw_round(*, beacon: BeaconIdentity, closed_at: datetime, delay_seconds: int) -> int:
    """The round that a period which closed at `closed_at` is drawn with."""
    return beacon.round_after(closed_at + timedelta(seconds=delay_seconds))


def of_commit_beacon(
    *,
    terms: Terms,
    seed: bytes,
    leaves: Iterable[Leaf],
    closed_at: datetime,
    pulse: Pulse,
) -> Transcript:
    """The transcript of a draw with `pulse`, which the caller has verified."""
    if terms.scheme != COMMIT_BEACON or terms.beacon is None:
        raise ValueError(f"these terms promise a draw by {terms.scheme}")
    delay = terms.beacon_delay_seconds
    due = draw_round(beacon=terms.beacon, closed_at=closed_at, delay_seconds=delay)
    if pulse.round != due:
        raise ValueError(f"drawn with round {due}, not {pulse.round}")
    if pulse.value != hashlib.sha256(pulse.signature).digest():
        raise ValueError("the value is not the signature's")
    entries = _tiled(leaves, terms)
    root = _root(entries)
    index = winning_index(
        seed=seed,
        root=root,
        round_number=pulse.round,
        value=pulse.value,
        shares_sold=_shares(entries),
    )
    facts: BeaconFacts = {
        "name": terms.beacon.name,
        "round": pulse.round,
        "value": pulse.value.hex(),
        "signature": pulse.signature.hex(),
        "independent": terms.beacon.independent,
    }
    numbers = Numbers(seed, terms.total_shares, terms.first_number)
    return _transcript(
        terms, seed, entries, root, closed_at, index, numbers.number(index), beacon=facts
    )


def of_classic(
    *,
    terms: Terms,
    seed: bytes,
    leaves: Iterable[Leaf],
    closed_at: datetime,
    buy_times: Iterable[datetime],
    public_number: int,
) -> Transcript:
    """The transcript of a draw of a sold-out period. `buy_times`: those of the whole site up to
    `closed_at`, of which the last 50 count; `public_number`: 0 to 99999."""
    if terms.scheme != CLASSIC:
        raise ValueError(f"these terms promise a draw by {terms.scheme}")
    entries = _tiled(leaves, terms)
    if _shares(entries) != terms.total_shares:
        raise ValueError(f"sold {_shares(entries)} of {terms.total_shares}: not sold out")
    last = classic.last_buy_times(buy_times)
    if last and last[-1] > closed_at:
        raise ValueError("a buy time after the close")
    number = classic.winning_number(
        buy_times=last,
        public_number=public_number,
        total=terms.total_shares,
        first_number=terms.first_number,
    )
    index = Numbers(seed, terms.total_shares, terms.first_number).index(number)
    facts: ClassicFacts = {
        "buy_times": [millisecond_text(moment) for moment in last],
        "public_number": public_number,
    }
    root = _root(entries)
    return _transcript(terms, seed, entries, root, closed_at, index, number, classic_facts=facts)


def canonical(transcript: Transcript) -> bytes:
    """The bytes to publish."""
    return canonical_json(transcript)


def _tiled(leaves: Iterable[Leaf], terms: Terms) -> Sequence[Leaf]:
    """The entries by their first share, which hold every share sold exactly once."""
    entries = sorted(leaves, key=lambda leaf: leaf.first)
    free = 0
    for entry in entries:
        if entry.first != free:
            raise ValueError(f"share {free} and entry {entry.entry_no} do not meet")
        free += entry.count
    if not max(1, terms.minimum_shares) <= free <= terms.total_shares:
        raise ValueError(f"no draw with {free} shares sold")
    if len({entry.entry_no for entry in entries}) != len(entries):
        raise ValueError("two entries with one number")
    return entries


def _shares(entries: Sequence[Leaf]) -> int:
    return entries[-1].first + entries[-1].count


def _root(entries: Sequence[Leaf]) -> bytes:
    return merkle.root(entry.encode() for entry in entries)


def _transcript(
    terms: Terms,
    seed: bytes,
    entries: Sequence[Leaf],
    root: bytes,
    closed_at: datetime,
    index: int,
    number: int,
    *,
    beacon: BeaconFacts | None = None,
    classic_facts: ClassicFacts | None = None,
) -> Transcript:
    winner = entries[bisect_right(entries, index, key=lambda entry: entry.first) - 1]
    return {
        "version": VERSION,
        "scheme": terms.scheme,
        "terms": asdict(terms),
        "commitment": commitment(seed, terms),
        "seed": seed.hex(),
        "entries": [[e.entry_no, e.first, e.count, e.nonce.hex()] for e in entries],
        "root": root.hex(),
        "shares_sold": _shares(entries),
        "closed_at": moment_text(closed_at),
        "beacon": beacon,
        "classic": classic_facts,
        "index": index,
        "number": number,
        "winning_entry_no": winner.entry_no,
    }
