"""Which beacon a period is drawn with, beyond doubt, and when its rounds are due.

A beacon is named in the terms by all that tells it from another: a name alone would let an operator
run a beacon of its own under it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from lottery.draws.encoding import EPOCH, MICROSECOND

DRAND, LOCAL = "drand", "local"

# Seconds since 1970 to the year 10000, where calendars of programs end.
END_OF_TIME = 253_402_300_800


@dataclass(frozen=True, slots=True, kw_only=True)
class BeaconIdentity:
    """Round 1 is due at `genesis` (seconds since 1970), each further round `period_seconds` later.
    `chain_hash` and `public_key`, in hex, are those of a drand chain; a local beacon has none.
    """

    name: str
    chain_hash: str | None
    public_key: str | None
    genesis: int
    period_seconds: int

    def __post_init__(self) -> None:
        if self.name == DRAND:
            known = _is_hex(self.chain_hash, 32) and _is_hex(self.public_key, 96)
        else:
            known = self.name == LOCAL and self.chain_hash is None and self.public_key is None
        if not (known and 0 <= self.genesis < END_OF_TIME and 1 <= self.period_seconds < 2**20):
            raise ValueError(f"no beacon: {self}")

    @property
    def independent(self) -> bool:
        """Whether nobody in the shop can know a value before its time: only of public chains that
        are listed here by their key."""
        return self == QUICKNET

    def time_of(self, round_number: int) -> datetime:
        """When the round is due."""
        seconds = self.genesis + (round_number - 1) * self.period_seconds
        if not self.genesis <= seconds < END_OF_TIME:
            raise ValueError(f"no round {round_number}")
        return EPOCH + timedelta(seconds=seconds)

    def round_after(self, moment: datetime) -> int:
        """The first round that is due at `moment` or later; round 1 for all before it."""
        late = (moment - EPOCH) // MICROSECOND - self.genesis * 1_000_000
        return max(1, 1 - (-late // (self.period_seconds * 1_000_000)))


def _is_hex(value: str | None, length: int) -> bool:
    """Whether `value` is `length` bytes in lower-case hex."""
    try:
        return (
            value is not None and bytes.fromhex(value).hex() == value and len(value) == 2 * length
        )
    except ValueError:
        return False


# League of Entropy, scheme bls-unchained-g1-rfc9380. The chain hash is a hash of all the rest.
QUICKNET = BeaconIdentity(
    name=DRAND,
    chain_hash="52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
    public_key=(
        "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c"
        "8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb"
        "5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
    ),
    genesis=1_692_803_367,
    period_seconds=3,
)

# Its round numbers are the seconds since 1970.
LOCAL_SECONDS = BeaconIdentity(
    name=LOCAL, chain_hash=None, public_key=None, genesis=1, period_seconds=1
)
