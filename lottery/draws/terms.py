"""What a period promises before its first share is sold, and the seed that is fixed with it.

`commitment` is published when the period opens. It binds the seed and every word of the terms, and
says nothing about the seed. Two keys come from the seed: one for the numbers of shares, one for the
draw; neither tells the other. The seed is secret until the draw and is used for one period only.
"""

import hashlib
import hmac
import secrets
from dataclasses import asdict, dataclass

from lottery.draws.encoding import MAX_INTEGER, canonical_json, moment_of
from lottery.draws.identity import BeaconIdentity

COMMIT_BEACON, CLASSIC = "commit-beacon", "classic"

MAX_SHARES = 10**12
SEED_BYTES = 32

COMMITMENT_TAG = b"scarce/draw/v1/commitment"
PERMUTATION_LABEL = b"scarce/draw/v1/permutation"
DRAW_LABEL = b"scarce/draw/v1/draw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """`share_price` is in fen or points, by `currency`; `ends_at` as `moment_text` writes it, or
    None for a period that ends only when it is sold out; `per_user_limit` None is no limit.

    commit-beacon: the draw uses the first round of `beacon` that is due `beacon_delay_seconds`
    after the close, or later. classic: no beacon, and `public_number_source` says, before anybody
    can know it, which public number the draw will use.
    """

    scheme: str
    serial: str
    prize_title: str
    currency: str
    share_price: int
    total_shares: int
    minimum_shares: int
    per_user_limit: int | None
    first_number: int
    ends_at: str | None
    beacon: BeaconIdentity | None
    beacon_delay_seconds: int
    public_number_source: str | None = None

    def __post_init__(self) -> None:
        _require(self.scheme in (COMMIT_BEACON, CLASSIC), "scheme")
        for name in ("serial", "prize_title", "currency"):
            _require_text(name, getattr(self, name))
        _require_integer("share_price", self.share_price, 0, MAX_INTEGER)
        _require_integer("total_shares", self.total_shares, 1, MAX_SHARES)
        _require_integer("minimum_shares", self.minimum_shares, 0, self.total_shares)
        if self.per_user_limit is not None:
            _require_integer("per_user_limit", self.per_user_limit, 1, MAX_INTEGER)
        _require_integer("first_number", self.first_number, 0, MAX_INTEGER - MAX_SHARES)
        if self.ends_at is not None:
            moment_of(self.ends_at)
        if self.scheme == COMMIT_BEACON:
            _require(isinstance(self.beacon, BeaconIdentity), "commit-beacon needs a beacon")
            _require_integer("beacon_delay_seconds", self.beacon_delay_seconds, 1, 86_400)
            _require(self.public_number_source is None, "commit-beacon uses no public number")
        else:
            _require(self.beacon is None, "classic uses no beacon")
            _require_integer("beacon_delay_seconds", self.beacon_delay_seconds, 0, 0)
            if self.public_number_source is not None:
                _require_text("public_number_source", self.public_number_source)

    def canonical(self) -> bytes:
        """What is hashed: all fields by their names, as `canonical_json` writes them."""
        return canonical_json(asdict(self))


def new_seed() -> bytes:
    """32 bytes from the operating system: a new one for each period."""
    return secrets.token_bytes(SEED_BYTES)


def commitment(seed: bytes, terms: Terms) -> str:
    """64 hex digits to publish before the first share is sold."""
    _require(len(seed) == SEED_BYTES, "a seed is 32 bytes")
    return hashlib.sha256(COMMITMENT_TAG + seed + terms.canonical()).hexdigest()


def permutation_key(seed: bytes) -> bytes:
    """The key of the numbers."""
    return hmac.digest(seed, PERMUTATION_LABEL, "sha256")


def draw_key(seed: bytes) -> bytes:
    """The key of the draw."""
    return hmac.digest(seed, DRAW_LABEL, "sha256")


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"no terms to commit to: {what}")


def _require_integer(name: str, value: object, low: int, high: int) -> None:
    # `type`, because True is an int that JSON writes in another way.
    _require(type(value) is int and low <= value <= high, f"{name} is {low} to {high}: {value!r}")


def _require_text(name: str, value: object) -> None:
    _require(isinstance(value, str) and value != "", f"{name} is a text: {value!r}")
