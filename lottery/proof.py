"""What a draw is made of, and its transcript: built from rows that nothing changes any more, so
whoever builds it has the same bytes (`docs/draw.md`)."""

import json
from collections.abc import Iterator
from datetime import datetime

from lottery.draws import transcript as transcripts
from lottery.draws.beacon_draw import Pulse
from lottery.draws.identity import BeaconIdentity
from lottery.draws.leaves import Leaf
from lottery.draws.terms import Terms
from lottery.draws.transcript import Transcript
from lottery.models import Period, Scheme, Shares
from lottery.numbers import leaf_of
from lottery.selectors import period_get
from shop.errors import NotFound

# Entries read at once.
CHUNK = 5_000


def leaves(period: Period) -> Iterator[Leaf]:
    """The entries of a closed period, in the order of their shares."""
    shares = Shares.objects.filter(pool_id=period.pool_id).order_by("first")
    rows = shares.values_list("entry__entry_no", "first", "count", "entry__nonce")
    for row in rows.iterator(chunk_size=CHUNK):
        yield leaf_of(*row)


def period_proof(period_id: int) -> bytes:
    """The transcript of a period that is drawn: the same bytes each time. Raises NotFound."""
    period = period_get(period_id)
    if period.status != Period.State.DRAWN:
        raise NotFound
    return transcripts.canonical(transcript_of(period, stored_pulse(period)))


def stored_pulse(period: Period) -> Pulse | None:
    """What the beacon of a drawn period said; None for a classic one."""
    if period.scheme == Scheme.CLASSIC:
        return None
    return Pulse(
        round=period.beacon_round or 0,
        value=bytes.fromhex(period.beacon_value),
        signature=bytes.fromhex(period.beacon_signature),
    )


def transcript_of(period: Period, pulse: Pulse | None) -> Transcript:
    """The transcript with what its beacon said (classic: None), from the rows as they are. Raises
    ValueError where they are not those of a period that can be drawn."""
    terms, seed = terms_of(period), bytes.fromhex(period.seed)
    if period.closed_at is None:
        raise ValueError("not closed")
    if pulse is not None:
        return transcripts.of_commit_beacon(
            terms=terms,
            seed=seed,
            leaves=leaves(period),
            closed_at=period.closed_at,
            pulse=pulse,
        )
    if period.public_number is None:
        raise ValueError("no public number")
    return transcripts.of_classic(
        terms=terms,
        seed=seed,
        leaves=leaves(period),
        closed_at=period.closed_at,
        buy_times=[datetime.fromisoformat(text) for text in period.buy_times or ()],
        public_number=period.public_number,
    )


def terms_of(period: Period) -> Terms:
    """The terms as they were committed to. Raises ValueError where they are none."""
    try:
        fields = json.loads(period.terms)
        if fields["beacon"] is not None:
            fields["beacon"] = BeaconIdentity(**fields["beacon"])
        return Terms(**fields)
    except (KeyError, TypeError) as error:
        raise ValueError(f"period {period.pk}: no terms: {error!r}") from error
