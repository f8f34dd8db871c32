"""Beacons: real rounds of quicknet are believed and nothing else is, whoever answers."""

import hashlib
import json
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lottery import verify_draw
from lottery.draws import bls
from lottery.draws.beacon_draw import Pulse
from lottery.draws.beacons import Beacon, BeaconUnavailable, Drand, Local
from lottery.draws.identity import LOCAL_SECONDS, QUICKNET, BeaconIdentity
from tests.lottery.draws import relays
from tests.lottery.draws.facts import LATEST, ROUNDS, SECRET
from tests.ops.processes import ROOT, closed_port

# Of the chain's /info, beside what is in QUICKNET.
GROUP_HASH = "f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e"
BEACON_ID = b"quicknet"

# The latest round's signature plus a point that pairings don't see: the group's order times the
# point of the curve with the least x above 1. (Computed beforehand: a test that imports py_ecc by
# itself raises the recursion limit for all others.)
MOVED = bytes.fromhex(
    "96affdccb07f269eb707730c5c8e9fbfa735840b740839955ffbae022046a8bd"
    "4f79d6dc5ebf8de765c009a113fc0f41"
)

GENESIS = datetime(2023, 8, 23, 15, 9, 27, tzinfo=UTC)
SECOND, MICROSECOND = timedelta(seconds=1), timedelta(microseconds=1)


@pytest.fixture(scope="module")
def relay():
    with relays.relay() as server:
        yield server


def drand_at(server, *names, timeout_seconds=60.0):
    server.asked.clear()
    relays = [server.url(name) for name in names]
    return Drand(relays=relays, timeout_seconds=timeout_seconds)


def test_the_chain_is_the_one_whose_hash_is_known_everywhere():
    # As drand hashes its chain information: a wrong digit anywhere in QUICKNET would show.
    known = (
        QUICKNET.period_seconds.to_bytes(4, "big")
        + QUICKNET.genesis.to_bytes(8, "big")
        + bytes.fromhex(QUICKNET.public_key)
        + bytes.fromhex(GROUP_HASH)
        + BEACON_ID
    )
    assert hashlib.sha256(known).hexdigest() == QUICKNET.chain_hash


@pytest.mark.parametrize("known", ROUNDS, ids=lambda known: str(known.number))
def test_real_rounds_are_believed(known):
    assert hashlib.sha256(bytes.fromhex(known.signature)).hexdigest() == known.randomness
    assert Drand().verify(known.pulse)


def test_a_round_is_not_believed_as_another():
    assert not Drand().verify(replace(LATEST.pulse, round=LATEST.number - 1))
    assert not Drand().verify(replace(LATEST.pulse, round=0))


def test_a_value_is_not_believed_apart_from_its_signature():
    assert not Drand().verify(replace(LATEST.pulse, value=ROUNDS[0].pulse.value))


def test_a_signature_is_not_believed_with_another_key():
    # The key with its sign turned is a point of the same group.
    turned = f"{int(QUICKNET.public_key[:2], 16) ^ 0x20:02x}{QUICKNET.public_key[2:]}"
    assert not Drand(identity=replace(QUICKNET, public_key=turned)).verify(LATEST.pulse)


def pulse_of(signature):
    return Pulse(LATEST.number, hashlib.sha256(signature).digest(), signature)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(48),
        b"\xff" * 48,
        bytes.fromhex(relays.INFINITY),
        bytes.fromhex(LATEST.signature) + b"\x00",
    ],
    ids=["empty", "zeros", "ones", "infinity", "long"],
)
def test_bytes_that_are_no_signature_are_not_believed(signature):
    assert not Drand().verify(pulse_of(signature))


def test_a_round_has_one_good_signature_and_none_can_be_made_from_it():
    assert not Drand().verify(pulse_of(MOVED))
    assert not verify_draw.is_signed(MOVED, bytes.fromhex(QUICKNET.public_key), LATEST.number)


@pytest.mark.parametrize("module", [bls, verify_draw])
def test_without_a_look_at_the_group_there_would_be_many(monkeypatch, module):
    monkeypatch.setattr(module, "subgroup_check", lambda point: True)
    key = bytes.fromhex(QUICKNET.public_key)
    if module is bls:
        assert Drand().verify(pulse_of(MOVED))
    else:
        assert verify_draw.is_signed(MOVED, key, LATEST.number)


def test_a_key_that_is_no_key_signs_nothing():
    for key in (b"", bytes(96), b"\xc0" + bytes(95), bytes.fromhex(QUICKNET.public_key)[:48]):
        assert not bls.is_signature(
            signature=LATEST.pulse.signature, public_key=key, message=b"whatever"
        )


def test_nothing_signed_by_nobody_is_no_signature():
    # Points at infinity on both sides fulfil the equation for every round.
    signature, key = bytes.fromhex(relays.INFINITY), b"\xc0" + bytes(95)
    assert not bls.is_signature(signature=signature, public_key=key, message=b"whatever")
    assert not verify_draw.is_signed(signature, key, LATEST.number)


def test_a_good_relay_is_asked_and_believed(relay):
    assert drand_at(relay, "good").fetch(LATEST.number) == LATEST.pulse
    assert relay.asked == ["good"]


def test_relays_are_asked_in_turn_until_one_answers_well(relay):
    names = ["error", "other-signature", "garbage", "good", "missing"]
    assert drand_at(relay, *names).fetch(LATEST.number) == LATEST.pulse
    assert relay.asked == names[:4]


@pytest.mark.parametrize(
    "name", [*sorted(relays.ANSWERS.keys() - {"good"}), "moved", "cut", "no-http", "endless"]
)
def test_a_relay_that_answers_badly_is_no_beacon(relay, name):
    with pytest.raises(BeaconUnavailable, match=f"round {LATEST.number}: http://127"):
        drand_at(relay, name).fetch(LATEST.number)
    assert relay.asked == [name]


@pytest.mark.parametrize("name", ["silent", "slow"])
def test_a_relay_that_takes_too_long_is_left(relay, name):
    drand = drand_at(relay, name, *["good"] * 9, timeout_seconds=1.0)
    start = time.monotonic()
    assert drand.fetch(LATEST.number) == LATEST.pulse
    # One is enough, unless this machine is so slow that it is left as well.
    assert relay.asked == [name, *["good"] * (len(relay.asked) - 1)]
    # The slow one would have needed minutes, though no byte keeps it waiting long.
    assert time.monotonic() - start < 60


def test_where_nobody_listens_there_is_no_beacon():
    port = closed_port()
    with pytest.raises(BeaconUnavailable, match="Connect"):
        Drand(relays=[f"http://127.0.0.1:{port}"]).fetch(LATEST.number)


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://127.0.0.1", "http://[::1"])
def test_an_address_that_is_none_is_no_beacon(url):
    with pytest.raises(BeaconUnavailable):
        Drand(relays=[url]).fetch(LATEST.number)


def test_without_relays_there_is_no_beacon():
    with pytest.raises(BeaconUnavailable, match="no relay"):
        Drand(relays=[]).fetch(LATEST.number)


def test_what_a_relay_says_beside_the_signature_is_not_asked(relay, monkeypatch):
    lie = json.dumps({**relays.GOOD, "randomness": "00" * 32}).encode()
    monkeypatch.setitem(relays.ANSWERS, "good", (200, lie))
    assert drand_at(relay, "good").fetch(LATEST.number).value.hex() == LATEST.randomness


# --- the local beacon

NOW = datetime(2026, 8, 31, 12, tzinfo=UTC)


def local(secret=SECRET, now=NOW):
    return Local(secret=secret, now=lambda: now)


def test_a_local_beacon_says_the_same_again():
    number = local().round_after(NOW)
    assert local().fetch(number) == local(now=NOW + timedelta(days=400)).fetch(number)
    assert local().verify(local().fetch(number))


def test_a_local_beacon_says_something_else_in_each_round_and_for_each_secret():
    number = local().round_after(NOW)
    pulses = [
        local().fetch(number),
        local().fetch(number - 1),
        local(b"another secret of the shop").fetch(number),
    ]
    assert len({pulse.value for pulse in pulses}) == 3
    assert all(pulse.value == hashlib.sha256(pulse.signature).digest() for pulse in pulses)


def test_a_local_beacon_says_nothing_before_the_time():
    number = local().round_after(NOW)
    assert local().time_of(number) == NOW
    with pytest.raises(BeaconUnavailable, match="not due yet"):
        local(now=NOW - MICROSECOND).fetch(number)


@pytest.mark.parametrize("secret", [b"", b"short", b"x" * 15])
def test_a_local_beacon_without_a_secret_says_nothing(secret):
    with pytest.raises(BeaconUnavailable, match="secret"):
        local(secret).fetch(1)
    assert not local(secret).verify(local(secret + b"x" * 16).fetch(1))


def test_a_local_beacon_does_not_believe_what_it_has_not_said():
    pulse = local().fetch(1_000)
    for other in (
        replace(pulse, round=1_001),
        replace(pulse, round=0),
        replace(pulse, value=bytes(32)),
        replace(pulse, signature=bytes(32)),
        local(b"another secret of the shop").fetch(1_000),
    ):
        assert not local().verify(other)


# --- both

BEACONS: list[Beacon] = [Drand(), local()]


def test_only_the_public_network_is_independent():
    assert [beacon.independent for beacon in BEACONS] == [True, False]
    assert not Drand(identity=replace(QUICKNET, chain_hash="00" * 32)).independent
    assert [beacon.name for beacon in BEACONS] == ["drand", "local"]
    assert [beacon.identity for beacon in BEACONS] == [QUICKNET, LOCAL_SECONDS]


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        (GENESIS - timedelta(days=1), 1),
        (GENESIS, 1),
        (GENESIS + MICROSECOND, 2),
        (GENESIS + 3 * SECOND, 2),
        (GENESIS + 3 * SECOND + MICROSECOND, 3),
        # As published with the rounds themselves.
        (datetime.fromtimestamp(1_722_803_364, UTC), 10_000_000),
        (datetime.fromtimestamp(1_788_201_915, UTC), 31_799_517),
    ],
)
def test_rounds_of_quicknet_are_where_the_network_has_them(moment, number):
    assert Drand().round_after(moment) == number
    assert Drand().time_of(number) >= moment


def test_rounds_of_a_local_beacon_are_seconds():
    assert local().round_after(datetime.fromtimestamp(1_788_201_915, UTC)) == 1_788_201_915
    assert local().time_of(1_788_201_915) == datetime.fromtimestamp(1_788_201_915, UTC)


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(BEACONS),
)
def test_the_round_after_a_moment_is_the_first_that_is_not_before_it(moment, beacon):
    number = beacon.round_after(moment)
    assert beacon.time_of(number) >= moment > beacon.time_of(number - 1)


@pytest.mark.parametrize("number", [0, -1, 2**53])
def test_there_are_no_rounds_before_the_first_or_after_the_end_of_time(number):
    with pytest.raises(ValueError, match="no round"):
        Drand().time_of(number)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "moon"},
        {"chain_hash": None},
        {"chain_hash": QUICKNET.chain_hash.upper()},
        {"public_key": QUICKNET.public_key[:-2]},
        {"public_key": "x" * 192},
        {"genesis": -1},
        {"period_seconds": 0},
        {"name": "local"},
    ],
)
def test_what_names_no_beacon_is_refused(changes):
    with pytest.raises(ValueError, match="no beacon"):
        replace(QUICKNET, **changes)


def test_a_local_beacon_has_no_chain():
    with pytest.raises(ValueError, match="no beacon"):
        BeaconIdentity(
            name="local", chain_hash="00" * 32, public_key=None, genesis=1, period_seconds=1
        )


@pytest.mark.parametrize("module", ["lottery.draws.beacons", "lottery.verify_draw"])
def test_the_recursion_limit_stays_what_it_was(module):
    # py_ecc raises it to 100,000: a body nested that deeply would then kill a worker.
    code = f"import sys, {module}; print(sys.getrecursionlimit(), 'py_ecc' in sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert printed.split() == ["1000", "True"]
