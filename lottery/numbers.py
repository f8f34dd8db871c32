"""The numbers of a period's shares, and the leaves of its entries. Nothing stores them: they follow
from the period's seed, and from what an entry got."""

from functools import lru_cache

from lottery.draws.leaves import Leaf
from lottery.draws.permutation import Numbers
from lottery.models import Period

# Periods whose tables a process keeps.
KEPT = 64


@lru_cache(maxsize=KEPT)
def _numbers(seed: str, total_shares: int, first_number: int) -> Numbers:
    return Numbers(bytes.fromhex(seed), total_shares, first_number)


def numbers_of(period: Period) -> Numbers:
    """Share index -> number, for a period."""
    return _numbers(period.seed, period.total_shares, period.first_number)


def leaf_of(entry_no: str, first: int, count: int, nonce: str) -> Leaf:
    """An entry as it stands under its period's root; `nonce` as it is stored."""
    return Leaf(entry_no=entry_no, first=first, count=count, nonce=bytes.fromhex(nonce))
