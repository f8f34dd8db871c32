"""Facts to draw from: real rounds of quicknet, and periods that closed just before one of them."""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lottery.draws import transcript
from lottery.draws.beacon_draw import Pulse
from lottery.draws.beacons import Local
from lottery.draws.identity import LOCAL_SECONDS, QUICKNET
from lottery.draws.leaves import Leaf
from lottery.draws.terms import Terms

SEED = bytes(range(32))
SECRET = b"a secret that only the shop knows"


@dataclass(frozen=True)
class Round:
    """A round as the network published it: signature and randomness in hex."""

    number: int
    signature: str
    randomness: str

    @property
    def pulse(self) -> Pulse:
        return Pulse(self.number, bytes.fromhex(self.randomness), bytes.fromhex(self.signature))


# Known from test suites of several public projects that verify drand (drand-verify's round 123,
# contracts that check rounds on chains, ...). A signature that the key has not made is not good, so
# these can't be invented either.
ROUNDS = [
    Round(
        1,
        "b55e7cb2d5c613ee0b2e28d6750aabbb78c39dcc96bd9d38c2c2e12198df9557"
        "1de8e8e402a0cc48871c7089a2b3af4b",
        "1466a6cd24e327188770752f6134001c64d6efcc590ccc26b721611ad96f165a",
    ),
    Round(
        123,
        "b75c69d0b72a5d906e854e808ba7e2accb1542ac355ae486d591aa9d43765482"
        "e26cd02df835d3546d23c4b13e0dfc92",
        "fb8f7bc29bf24db51871ec8c79f3a1e4bd0557bc0dfcee9ed1d924e69d1c60dc",
    ),
    Round(
        8_193,
        "8632896dc6436e5757a55efaa7b3eea5d1027dc6ac1a0dca90dcff21504117b8"
        "a525296fa25a86a5c8b972adf7bfa366",
        "4c0bf8e1e0091137dabdba0acdd89fddc3641deb037a4c6be948899ccfd300e5",
    ),
    Round(
        10_000_000,
        "a187c9f5800521e986b5658924696682071ce7ae965486e8fd08bc2c4758bdbb"
        "9ed9ecb7beee392a38214e321ecd434f",
        "5e6508f1a1f689accfc8b027dec7eb999b20b4f66582b2621231cabf9601bf57",
    ),
    Round(
        31_799_517,
        "b7a6d29a93f17085866bf67bed95be9c3b46fd74e7cab12bbf91340f27d99ecc"
        "83bc5d46ff4b2b4c6f28aa975bf69fcc",
        "1e3f931ad3c2321e8c572135aabc96e27ce6cf1e5a807f0b4aa073622b946ada",
    ),
]
LATEST = ROUNDS[-1]

BEACON_TERMS = Terms(
    scheme="commit-beacon",
    serial="20260901-01",
    prize_title='一部手机 "Pro" 5\\6\t<7>',
    currency="points",
    share_price=100,
    total_shares=1_000,
    minimum_shares=10,
    per_user_limit=200,
    first_number=1_000_002,
    ends_at="2026-08-31T00:00:00.000000Z",
    beacon=QUICKNET,
    beacon_delay_seconds=60,
)
LOCAL_TERMS = replace(BEACON_TERMS, beacon=LOCAL_SECONDS, beacon_delay_seconds=5)
CLASSIC_TERMS = replace(
    BEACON_TERMS,
    scheme="classic",
    beacon=None,
    beacon_delay_seconds=0,
    public_number_source="第一期开奖号码",
)


def closing_for(terms: Terms, round_number: int) -> datetime:
    """A moment whose draw uses that round: half a second before it is too late."""
    due = terms.beacon.time_of(round_number)
    return due - timedelta(seconds=terms.beacon_delay_seconds, milliseconds=500)


def leaves_of(shares: int, *, seed: int = 7, most: int = 30) -> list[Leaf]:
    """Entries of 1 to `most` shares that tile `shares`."""
    dice = random.Random(seed)
    leaves, first = [], 0
    while first < shares:
        count = min(dice.randint(1, most), shares - first)
        leaves.append(Leaf(f"26083100{len(leaves):06d}", first, count, dice.randbytes(16)))
        first += count
    return leaves


def beacon_transcript(terms: Terms = BEACON_TERMS, *, shares: int = 700) -> dict:
    """Drawn with a real round of quicknet."""
    return transcript.of_commit_beacon(
        terms=terms,
        seed=SEED,
        leaves=leaves_of(shares),
        closed_at=closing_for(terms, LATEST.number),
        pulse=LATEST.pulse,
    )


def local_transcript(terms: Terms = LOCAL_TERMS, *, shares: int = 700) -> dict:
    """Drawn with a local beacon."""
    round_number = 1_788_000_000
    return transcript.of_commit_beacon(
        terms=terms,
        seed=SEED,
        leaves=leaves_of(shares),
        closed_at=closing_for(terms, round_number),
        pulse=Local(secret=SECRET).fetch(round_number),
    )


def buy_times(count: int = 50) -> list[datetime]:
    """Of a busy minute around midnight in China, to the microsecond."""
    start = datetime.fromisoformat("2026-08-30T15:59:30.000001Z")
    dice = random.Random(9)
    return [start + timedelta(microseconds=dice.randrange(60_000_000)) for _ in range(count)]


def classic_transcript(terms: Terms = CLASSIC_TERMS) -> dict:
    """Drawn from buy times and a public number, sold out."""
    return transcript.of_classic(
        terms=terms,
        seed=SEED,
        leaves=leaves_of(terms.total_shares),
        closed_at=datetime.fromisoformat("2026-08-30T16:01:00Z"),
        buy_times=buy_times(),
        public_number=54_321,
    )


def saved_of(published: dict, *, entry: int = 3) -> dict:
    """What a careful shopper saved of it, as the verifier takes it."""
    beacon = published["beacon"]
    entry_no, first, count, nonce = published["entries"][entry]
    return {
        "commitment": published["commitment"],
        "root": published["root"],
        "round": beacon and beacon["round"],
        "receipt": Leaf(entry_no, first, count, bytes.fromhex(nonce)).receipt,
        "number": published["number"],
    }
