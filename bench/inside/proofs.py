"""Proofs of draws in the hands of the verifier, as a stranger would start it."""

import hashlib
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.local.processes import ROOT
from lottery.draws.beacon_draw import Pulse
from lottery.draws.identity import LOCAL_SECONDS
from lottery.draws.leaves import Leaf, new_nonce
from lottery.draws.terms import COMMIT_BEACON, Terms, new_seed
from lottery.draws.transcript import canonical, draw_round, of_commit_beacon

VERIFIER = ROOT / "lottery" / "verify_draw.py"
# Shares of one entry, at most.
MOST_SHARES = 100


@dataclass(frozen=True, slots=True)
class Verified:
    """What the verifier said of a proof, and how long it took, its own start included."""

    is_faulty: bool
    seconds: float


def verified(proof: Path, *, commitment: str) -> Verified:
    """Hands a proof to the verifier: a process of its own that has Python and nothing else."""
    # -S: no packages. So it can't check whether a beacon has signed, which takes seconds by itself.
    command: list[str | Path] = [
        *(sys.executable, "-I", "-S", VERIFIER, proof),
        *("--commitment", commitment),
    ]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=False)
    return Verified(done.returncode != 0, time.perf_counter() - started)


def write_proof(file: Path, *, entries: int, shares: int) -> str:
    """Writes the proof of a period of `shares` shares that sold some to each of so many entries;
    returns its commitment."""
    terms = Terms(
        scheme=COMMIT_BEACON,
        serial="1",
        prize_title="杯",
        currency="points",
        share_price=1,
        total_shares=shares,
        minimum_shares=1,
        per_user_limit=None,
        first_number=1_000_002,
        ends_at=None,
        beacon=LOCAL_SECONDS,
        beacon_delay_seconds=5,
    )
    closed_at = datetime.now(UTC)
    signature = secrets.token_bytes(32)
    due = draw_round(
        beacon=LOCAL_SECONDS, closed_at=closed_at, delay_seconds=terms.beacon_delay_seconds
    )
    transcript = of_commit_beacon(
        terms=terms,
        seed=new_seed(),
        leaves=_leaves(entries),
        closed_at=closed_at,
        pulse=Pulse(due, hashlib.sha256(signature).digest(), signature),
    )
    file.write_bytes(canonical(transcript))
    return transcript["commitment"]


def _leaves(entries: int) -> Iterator[Leaf]:
    first = 0
    for number in range(entries):
        count = 1 + number % MOST_SHARES
        yield Leaf(f"260831{number:014d}", first, count, new_nonce())
        first += count
