"""Whatever is changed in a transcript, the verifier says WRONG; and what only saved facts show.

Tamperers come in two kinds: those who change a value, and those who know the page and make
everything else fit again.
"""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lottery import verify_draw
from lottery.draws.transcript import canonical
from lottery.verify_draw import NOT_CHECKED, OK, WRONG, Permutation, leaf_hash, merkle_root, verify
from tests.lottery.draws.facts import (
    ROUNDS,
    beacon_transcript,
    classic_transcript,
    local_transcript,
    saved_of,
)


def published(build: Callable[[], dict]) -> dict[str, Any]:
    """As a stranger reads it."""
    return json.loads(canonical(build()))


BUILDS = [beacon_transcript, local_transcript, classic_transcript]


@pytest.fixture(scope="module", params=BUILDS, ids=["drand", "local", "classic"])
def said(request):
    return published(request.param)


@pytest.fixture
def quick(monkeypatch):
    """Without the beacon's signature, which takes a quarter of a second each time."""
    monkeypatch.setattr(verify_draw, "HAS_BLS", False)


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """The way to every member and element, the leaves and what holds them."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, key)
            yield from places(inner, (*path, key))


def at(value: Any, path: tuple) -> Any:
    for key in path:
        value = value[key]
    return value


def with_value(said: dict, path: tuple, value: Any) -> dict:
    changed = copy.deepcopy(said)
    at(changed, path[:-1])[path[-1]] = value
    return changed


def without(said: dict, path: tuple) -> dict:
    changed = copy.deepcopy(said)
    del at(changed, path[:-1])[path[-1]]
    return changed


def others(value: Any, path: tuple) -> list[Any]:
    """Values of the same type, and like what was there, but another."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1, -value, value + 2**64]
    if value is None:
        return []
    if isinstance(value, str) and path in {("closed_at",), ("terms", "ends_at")}:
        # Another hour: within its round's three seconds a moment is not bound, as the page says.
        return [value.replace("T", "T2") if "T1" not in value else value.replace("T1", "T0")]
    if isinstance(value, str) and path[:2] == ("classic", "buy_times"):
        digit = int(value[-2])
        return [f"{value[:-2]}{(digit + 1) % 10}Z"]
    if isinstance(value, str):
        return [flipped(value, 0), flipped(value, len(value) // 2), flipped(value, -1), f"{value}0"]
    if isinstance(value, list):
        return [value[1:], value[:-1], value[::-1], [*value, value[0]], [*value[1:], value[0]]]
    return [{**value, "more": 1}]


def flipped(text: str, place: int) -> str:
    place %= len(text)
    other = "1" if text[place] == "0" else "0"
    return text[:place] + other + text[place + 1 :]


RETYPED = [None, True, 0, 1, -1, 2**70, 0.5, "", "0", "x" * 70, [], {}, [[]], "\ud800", "\x00"]


def verdicts(said: Any, **saved: Any) -> list[str]:
    return [step.verdict for step in verify(said, **saved)]


def wrong(said: Any, **saved: Any) -> set[str]:
    return {step.name for step in verify(said, **saved) if step.verdict == WRONG}


def test_nothing_is_wrong_before(said):
    assert wrong(said, **saved_of(said)) == set()
    assert wrong(said) == set()


def test_every_value_changed_is_seen(said, quick):
    looked_at = 0
    for path in places(said):
        for value in others(at(said, path), path):
            if value != at(said, path):
                assert wrong(with_value(said, path, value)), (path, value)
                looked_at += 1
    assert looked_at > 700


def test_every_value_taken_out_is_seen(said, quick):
    for path in places(said):
        assert wrong(without(said, path)), path


def test_every_value_of_another_type_is_seen(said, quick):
    for path in places(said):
        there = at(said, path)
        for value in RETYPED:
            if (type(value), value) != (type(there), there):
                assert wrong(with_value(said, path, value)), (path, value)


def test_everything_more_is_seen(said, quick):
    for path in [(), *places(said)]:
        if isinstance(at(said, path), dict):
            assert wrong(with_value(said, (*path, "note"), "trust me")), path


# --- those who make everything else fit


def fitted(said: dict) -> dict:
    """A transcript in which commitment, root and outcome follow from what else it says."""
    terms, seed = said["terms"], bytes.fromhex(said["seed"])
    said["commitment"] = verify_draw.hashlib.sha256(
        b"scarce/draw/v1/commitment" + seed + verify_draw.canonical_json(terms)
    ).hexdigest()
    said["root"] = merkle_root([leaf_hash(entry) for entry in said["entries"]]).hex()
    beacon, numbers = said["beacon"], Permutation(seed, terms["total_shares"])
    if beacon is None:
        digits = sum(verify_draw.clock_digits(text) for text in said["classic"]["buy_times"])
        place = (digits + said["classic"]["public_number"]) % terms["total_shares"]
        said["index"] = numbers.back(place)
    else:
        value = bytes.fromhex(beacon["value"])
        said["index"] = verify_draw.drawn_index(
            seed, bytes.fromhex(said["root"]), beacon["round"], value, said["shares_sold"]
        )
        place = numbers.forth(said["index"])
    said["number"] = terms["first_number"] + place
    for entry_no, first, count, _ in said["entries"]:
        if first <= said["index"] < first + count:
            said["winning_entry_no"] = entry_no
    return said


@pytest.fixture
def told():
    """The drand transcript, to be tampered with."""
    return published(beacon_transcript)


def test_fitting_changes_nothing_in_what_is_right(told):
    assert fitted(copy.deepcopy(told)) == told


def drop_entry(said):
    del said["entries"][3]


def overlap(said):
    said["entries"][4][1] -= 1
    said["entries"][4][2] += 1


def shift(said):
    said["entries"][4][1] -= 1


def sell_more_than_there_are(said):
    said["entries"][-1][2] += 1_000
    said["shares_sold"] += 1_000


def count_one_more(said):
    said["shares_sold"] += 1


def one_number_twice(said):
    said["entries"][5][0] = said["entries"][6][0]


def sell_too_few(said):
    said["terms"]["minimum_shares"] = 701


def another_round(said):
    said["beacon"].update(
        round=ROUNDS[3].number, value=ROUNDS[3].randomness, signature=ROUNDS[3].signature
    )


def closed_later(said):
    said["closed_at"] = said["closed_at"].replace("2026", "2027")


def value_of_its_own(said):
    said["beacon"]["value"] = "00" * 32


def signature_of_its_own(said):
    said["beacon"]["signature"] = ROUNDS[0].signature
    said["beacon"]["value"] = ROUNDS[0].randomness


def chain_of_its_own(said):
    said["terms"]["beacon"]["chain_hash"] = "00" * 32


def not_independent(said):
    said["beacon"]["independent"] = False


@pytest.mark.parametrize(
    ("tamper", "seen_by"),
    [
        (drop_entry, {"entries"}),
        (overlap, {"entries"}),
        (shift, {"entries"}),
        (sell_more_than_there_are, {"entries"}),
        (count_one_more, {"entries"}),
        (one_number_twice, {"entries"}),
        (sell_too_few, {"entries"}),
        (another_round, {"round"}),
        (closed_later, {"round"}),
        (value_of_its_own, {"beacon's value"}),
        (signature_of_its_own, {"beacon's signature"}),
        (chain_of_its_own, {"beacon's value"}),
        (not_independent, {"beacon's value"}),
    ],
)
def test_each_step_sees_what_no_other_does(told, tamper, seen_by):
    tamper(told)
    seen = wrong(fitted(told))
    # Where no share can be drawn from such entries, the steps of the outcome see it too.
    assert seen - {"index", "number", "winner"} == seen_by


@pytest.mark.parametrize(
    ("name", "value", "seen_by"),
    [
        ("commitment", "00" * 32, {"commitment"}),
        ("root", "00" * 32, {"root", "index"}),
        ("index", 30, {"index", "number"}),
        ("number", 1_000_762, {"number"}),
        ("winning_entry_no", "26083100000004", {"winner"}),
    ],
)
def test_each_outcome_has_its_step(told, name, value, seen_by):
    assert wrong({**told, name: value}) == seen_by


def test_a_signature_that_is_none_is_seen_only_with_the_library(told, quick):
    signature_of_its_own(told)
    steps = {step.name: step for step in verify(fitted(told))}
    assert {step.verdict for step in steps.values()} == {OK, NOT_CHECKED}
    said = steps["beacon's signature"]
    assert said.verdict == NOT_CHECKED
    assert "py_ecc" in said.detail
    assert said.detail.startswith("WHETHER THE BEACON SAID THIS")


def test_a_local_beacon_is_called_what_it_is():
    (step,) = (
        step for step in verify(published(local_transcript)) if step.name == "beacon's signature"
    )
    assert (step.verdict, step.detail[:29]) == (NOT_CHECKED, "THE BEACON IS NOT INDEPENDENT")


def test_a_chain_of_its_own_that_admits_it_is_not_taken_for_independent(told):
    chain_of_its_own(told)
    not_independent(told)
    steps = {step.name: step for step in verify(fitted(told))}
    assert wrong(told) == set()
    assert steps["beacon's signature"].verdict == NOT_CHECKED
    assert "NOT INDEPENDENT" in steps["beacon's signature"].detail


# --- what nothing but saved facts can show


def other_seed(said):
    """As an operator would who knows the value: seeds until its own entry wins."""
    for number in range(10_000):
        said["seed"] = f"{number:064x}"
        if fitted(said)["winning_entry_no"] == said["entries"][0][0]:
            return said
    raise AssertionError("no such seed")


def other_nonce(said):
    """The same with the nonce of its own entry."""
    for number in range(10_000):
        said["entries"][0][3] = f"{number:032x}"
        if fitted(said)["winning_entry_no"] == said["entries"][0][0]:
            return said
    raise AssertionError("no such nonce")


def other_close(said):
    """It closed at another time, it says now, and another round was due."""
    said["closed_at"] = "2024-08-04T20:28:22.000000Z"
    another_round(said)
    return fitted(said)


@pytest.mark.parametrize(
    ("cheat", "shown_by"),
    [
        (other_seed, {"commitment"}),
        (other_nonce, {"root"}),
        (other_close, {"round"}),
    ],
)
def test_only_what_was_saved_before_shows_an_operator_who_knew_the_value(told, cheat, shown_by):
    saved = saved_of(told)
    del saved["number"]
    cheated = cheat(copy.deepcopy(told))
    assert cheated["winning_entry_no"] != told["winning_entry_no"] or cheat is other_close
    assert wrong(cheated) == set()
    assert wrong(cheated, **saved) == {f"saved {name}" for name in shown_by}
    # Everybody else's receipt is still good, which is why a receipt alone is not enough.
    assert wrong(cheated, receipt=saved["receipt"]) == set()


def test_a_dropped_entry_is_shown_by_its_receipt(told):
    saved = saved_of(told)
    gone = told["entries"].pop(3)
    for entry in told["entries"][3:]:
        entry[1] -= gone[2]
    told["shares_sold"] -= gone[2]
    assert wrong(fitted(told)) == set()
    assert wrong(told, receipt=saved["receipt"]) == {"your receipt"}


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("commitment", "saved commitment"),
        ("root", "saved root"),
        ("round", "saved round"),
        ("receipt", "your receipt"),
        ("number", "announced number"),
    ],
)
def test_what_was_saved_is_compared(told, name, step):
    saved = saved_of(told)
    assert wrong(told, **{name: saved[name]}) == set()
    other = saved[name] + 1 if isinstance(saved[name], int) else flipped(saved[name], 5)
    assert wrong(told, **{name: other}) == {step}


def test_what_was_not_saved_is_said_to_be_missing(told):
    missing = {step.name for step in verify(told) if step.verdict == NOT_CHECKED}
    assert missing == {"saved commitment", "saved root", "saved round", "your receipt"}
    everything = saved_of(told)
    assert {step.verdict for step in verify(told, **everything)} == {OK}


def test_classic_says_what_it_can_not_show():
    steps = {step.name: step for step in verify(published(classic_transcript))}
    assert steps["public facts"].verdict == NOT_CHECKED
    assert "第一期开奖号码" in steps["public facts"].detail
    assert wrong(published(classic_transcript), round=5) == {"saved round"}
