"""Beacons: values that come at a known time and that nobody can know before it.

`Drand` asks the public network and believes only what the chain's key has signed, so it does not
matter whose server answers. `Local` is for a shop without a network, a rehearsal or a test: it is
derived from a secret of the shop, so it is not independent, and every transcript says so. What
can't be had raises BeaconUnavailable; no value is ever made up in its place: ask again later.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import aiohttp

from lottery.draws import bls
from lottery.draws.beacon_draw import Pulse
from lottery.draws.identity import DRAND, LOCAL, LOCAL_SECONDS, QUICKNET, BeaconIdentity

__all__ = ["Beacon", "BeaconUnavailable", "Drand", "Local", "Pulse"]

# Relays of the League of Entropy; any server that passes their answers on will do.
RELAYS = (
    "https://api.drand.sh",
    "https://api2.drand.sh",
    "https://api3.drand.sh",
    "https://drand.cloudflare.com",
)
# An answer has about 250 bytes.
MAX_ANSWER_BYTES = 4096

LOCAL_LABEL = b"scarce/draw/v1/local-beacon"
SHORTEST_SECRET = 16


class BeaconUnavailable(Exception):
    """The round can't be had now: not due yet, nobody answered, or no answer was good."""


class Beacon(Protocol):
    """`round_number` counts from 1. Times are exact: a round is due at `time_of` it."""

    @property
    def name(self) -> str:
        """`drand` or `local`."""

    @property
    def identity(self) -> BeaconIdentity:
        """What the terms of a period name it by."""

    @property
    def independent(self) -> bool:
        """Whether nobody in the shop can know a value before its time."""

    def round_after(self, moment: datetime) -> int:
        """The first round that is due at `moment` or later."""

    def time_of(self, round_number: int) -> datetime:
        """When the round is due."""

    def fetch(self, round_number: int) -> Pulse:
        """The round's pulse, verified. Raises BeaconUnavailable."""

    def verify(self, pulse: Pulse) -> bool:
        """Whether the beacon said this in that round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drand:
    """A drand chain of scheme bls-unchained-g1-rfc9380. The relays are asked in turn, each for at
    most `timeout_seconds` from the first look-up to the last byte."""

    relays: Sequence[str] = RELAYS
    identity: BeaconIdentity = QUICKNET
    timeout_seconds: float = 5.0
    name: str = DRAND

    @property
    def independent(self) -> bool:
        return self.identity.independent

    def round_after(self, moment: datetime) -> int:
        return self.identity.round_after(moment)

    def time_of(self, round_number: int) -> datetime:
        return self.identity.time_of(round_number)

    def fetch(self, round_number: int) -> Pulse:
        """Not to be called inside a transaction, nor from a running event loop."""
        refusals = []
        for relay in self.relays:
            url = f"{relay.rstrip('/')}/{self.identity.chain_hash}/public/{round_number}"
            try:
                answer = asyncio.run(_get(url, self.timeout_seconds))
                pulse = _pulse(answer, round_number)
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                refusals.append(f"{relay}: {type(error).__name__} {error}"[:200])
                continue
            if self.verify(pulse):
                return pulse
            refusals.append(f"{relay}: not signed by the chain's key")
        raise BeaconUnavailable(f"round {round_number}: {'; '.join(refusals) or 'no relay'}")

    def verify(self, pulse: Pulse) -> bool:
        if pulse.round < 1 or pulse.value != hashlib.sha256(pulse.signature).digest():
            return False
        return bls.is_signature(
            signature=pulse.signature,
            public_key=bytes.fromhex(self.identity.public_key or ""),
            message=hashlib.sha256(pulse.round.to_bytes(8, "big")).digest(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """Rounds are seconds since 1970; a round's signature is an HMAC of its number with `secret`, so
    a second draw has the same bytes. Whoever has the secret knows all values in advance."""

    secret: bytes
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    name: str = LOCAL
    identity: BeaconIdentity = LOCAL_SECONDS

    @property
    def independent(self) -> bool:
        return False

    def round_after(self, moment: datetime) -> int:
        return self.identity.round_after(moment)

    def time_of(self, round_number: int) -> datetime:
        return self.identity.time_of(round_number)

    def fetch(self, round_number: int) -> Pulse:
        if len(self.secret) < SHORTEST_SECRET:
            raise BeaconUnavailable(f"its secret is shorter than {SHORTEST_SECRET} bytes")
        if self.now() < self.time_of(round_number):
            raise BeaconUnavailable(f"round {round_number} is not due yet")
        return self._pulse(round_number)

    def verify(self, pulse: Pulse) -> bool:
        if len(self.secret) < SHORTEST_SECRET or pulse.round < 1:
            return False
        known = self._pulse(pulse.round)
        return hmac.compare_digest(pulse.signature + pulse.value, known.signature + known.value)

    def _pulse(self, round_number: int) -> Pulse:
        message = LOCAL_LABEL + round_number.to_bytes(8, "big")
        signature = hmac.digest(self.secret, message, "sha256")
        return Pulse(round_number, hashlib.sha256(signature).digest(), signature)


async def _get(url: str, timeout_seconds: float) -> bytes:
    """The body of a 200, of at most MAX_ANSWER_BYTES; ValueError for another answer."""
    timeout = aiohttp.ClientTimeout(total=timeout_seconds)
    # Nothing is unpacked and no redirect followed: a relay may be anybody.
    async with (
        aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
        session.get(url, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as answer,
    ):
        if answer.status != 200:
            raise ValueError(f"answered {answer.status}")
        try:
            await answer.content.readexactly(MAX_ANSWER_BYTES + 1)
        except asyncio.IncompleteReadError as all_of_it:
            return all_of_it.partial
        raise ValueError("answered too much")


def _pulse(answer: bytes, round_number: int) -> Pulse:
    """The pulse in a relay's answer, not verified. ValueError for anything else."""
    try:
        said = json.loads(answer)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(said, dict) or said.get("round") != round_number:
        raise ValueError("answered something else")
    signature = bytes.fromhex(str(said.get("signature")))
    return Pulse(round_number, hashlib.sha256(signature).digest(), signature)
