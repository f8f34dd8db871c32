"""A draw as the verifier sees it that strangers run, for a page of this shop's own."""

from collections.abc import Sequence

from lottery.models import Period, Shares
from lottery.proof import period_proof
from lottery.verify_draw import Step, parse, verify

# Beyond these, a page takes too long: the verifier is run by hand.
MOST_ENTRIES = 20_000


def is_small(period: Period) -> bool:
    """Whether the verifier can be run while somebody waits for a page."""
    entries = Shares.objects.filter(pool_id=period.pool_id).values("pk")
    return entries[: MOST_ENTRIES + 1].count() <= MOST_ENTRIES


def draw_checked(period: Period) -> Sequence[Step]:
    """What the verifier says of a drawn period's transcript, beside what the shop has stored as
    published. Raises NotFound for one that is not drawn."""
    return verify(
        parse(period_proof(period.pk)),
        commitment=period.commitment,
        root=period.root,
        round=period.beacon_round,
        number=period.number,
    )
