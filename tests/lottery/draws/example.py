"""The example of docs/draw.md, computed: `python -m tests.lottery.draws.example` prints it."""

import hashlib
import hmac
from dataclasses import replace
from datetime import datetime

from lottery.draws import classic, permutation, terms, transcript
from lottery.draws.encoding import millisecond_text
from lottery.draws.leaves import Leaf
from lottery.draws.merkle import leaf_hash
from lottery.draws.permutation import Numbers
from tests.lottery.draws.facts import BEACON_TERMS, ROUNDS, SEED

ROUND = ROUNDS[3]
TERMS = replace(
    BEACON_TERMS,
    serial="20240804-01",
    prize_title="一部手机",
    total_shares=10,
    minimum_shares=5,
    per_user_limit=None,
    ends_at="2024-08-04T20:28:22.500000Z",
)
CLOSED_AT = datetime.fromisoformat("2024-08-04T20:28:22.731Z")
LEAVES = [
    Leaf("240804202700000001", 0, 4, bytes.fromhex("00112233445566778899aabbccddeeff")),
    Leaf("240804202701000002", 4, 1, bytes.fromhex("0123456789abcdef0123456789abcdef")),
    Leaf("240804202702000003", 5, 3, bytes.fromhex("fedcba9876543210fedcba9876543210")),
]


def published() -> transcript.Transcript:
    """The example's transcript."""
    return transcript.of_commit_beacon(
        terms=TERMS, seed=SEED, leaves=LEAVES, closed_at=CLOSED_AT, pulse=ROUND.pulse
    )


def values() -> dict[str, str]:
    """What is computed on the way, in its order."""
    said = published()
    key, draw_key = terms.permutation_key(SEED), terms.draw_key(SEED)
    first_block = hmac.digest(key, bytes([1]) + (1).to_bytes(4, "big"), "sha256")
    message = bytes.fromhex(said["root"]) + ROUND.number.to_bytes(8, "big") + ROUND.pulse.value
    digest = hmac.digest(draw_key, message + bytes(4), "sha256")
    found = {
        "seed": SEED.hex(),
        "canonical JSON of the terms": TERMS.canonical().decode(),
        "commitment": said["commitment"],
        "permutation key": key.hex(),
        "draw key": draw_key.hex(),
        "a, b, r": f"4, 3, {permutation.rounds_of(10)}",
        "digest of F(1, 0) to F(1, 3)": first_block.hex(),
        "F(1, 1)": str(int.from_bytes(first_block[8:16], "big")),
        "numbers of shares 0 to 9": " ".join(
            str(number) for number in Numbers(SEED, 10, TERMS.first_number).numbers(0, 10)
        ),
    }
    for place, leaf in enumerate(LEAVES, start=1):
        found[f"leaf {place}"] = leaf.encode().hex()
        found[f"receipt {place}"] = leaf.receipt
    left = hashlib.sha256(
        b"\x01" + leaf_hash(LEAVES[0].encode()) + leaf_hash(LEAVES[1].encode())
    ).hexdigest()
    return {
        **found,
        "node over leaves 1 and 2": left,
        "root": said["root"],
        "closed_at + beacon_delay_seconds": "2024-08-04T20:29:22.731000Z",
        "round": str(ROUND.number),
        "signed message": hashlib.sha256(ROUND.number.to_bytes(8, "big")).hexdigest(),
        "signature": ROUND.signature,
        "value": ROUND.pulse.value.hex(),
        "digest(0)": digest.hex(),
        "first word": str(int.from_bytes(digest[:8], "big")),
        "index": str(said["index"]),
        "number": str(said["number"]),
        "winning_entry_no": said["winning_entry_no"],
        **classic_values(),
    }


def classic_values() -> dict[str, str]:
    """The same period, had it been sold out and promised a classic draw."""
    times = [
        datetime.fromisoformat(f"2024-08-04T{clock}Z") for clock in ("01:05:07.042", "16:00:00")
    ]
    number = classic.winning_number(
        buy_times=times, public_number=12_345, total=10, first_number=TERMS.first_number
    )
    return {
        **{f"clock of {millisecond_text(at)}": str(classic.clock_digits(at)) for at in times},
        "classic number with public number 12345": str(number),
        "classic index": str(Numbers(SEED, 10, TERMS.first_number).index(number)),
    }


if __name__ == "__main__":
    print("\n".join(f"{name} = {value}" for name, value in values().items()))
    print(transcript.canonical(published()).decode())
