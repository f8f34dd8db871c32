"""Whether a rehearsal went as the shop promises. Pure: it judges what others counted."""

from collections.abc import Sequence
from dataclasses import dataclass

from orders.rehearsal.figures import Seen

# Lines named for one check; more would not help.
NAMED = 20


@dataclass(frozen=True, slots=True)
class Stock:
    """Where the units of the sale's pool went while the rehearsal ran: `before` and `after` by its
    counter; given `back` and `added` (or, below zero, withdrawn) by its ledger; `sold` to the
    rehearsal by its orders."""

    before: int
    after: int
    back: int
    added: int
    sold: int

    @property
    def others(self) -> int:
        """Units that somebody else bought meanwhile."""
        return max(0, self.before + self.back + self.added - self.after - self.sold)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the verdict, with the lines that break it."""

    what: str
    ok: bool
    figure: str
    broken: Sequence[str] = ()

    def __str__(self) -> str:
        return f"{'ok    ' if self.ok else 'BROKEN'}  {self.what}: {self.figure}"


def units_due(stock: Stock, *, visits: int, told_sold_out: int) -> tuple[int, int]:
    """The least and the most units that the rehearsal must have got: min(stock, demand).

    The two differ where somebody never got a final answer, since then the demand is not known
    exactly, and where units were given back or moved meanwhile, since then the stock is not. A
    shopper counts as demand who got a unit or was told that none is left, so nobody may be told so
    while one is.
    """
    least = min(stock.before - stock.others + min(0, stock.added), stock.sold + told_sold_out)
    most = min(stock.before + stock.back + max(0, stock.added), visits)
    return max(0, least), most


def judge(
    *,
    seen: Seen,
    stock: Stock,
    pending: int,
    disagreements: Sequence[str],
    broken_promises: Sequence[str],
) -> list[Check]:
    """The verdict, line by line. `pending`: orders of the sale that were not settled in time."""
    visits = len(seen.purchases)
    told = sum(one.told_sold_out for one in seen.purchases)
    least, most = units_due(stock, visits=visits, told_sold_out=told)
    expected = str(most) if least == most else f"{least} to {most}"
    return [
        Check(
            "units sold are the smaller of stock and demand",
            least <= stock.sold <= most,
            f"{stock.sold} sold, {expected} expected",
        ),
        Check("every order is settled", pending == 0, f"{pending} pending"),
        _none("what the shoppers were told is in the database", disagreements, "disagreements"),
        _none("every answer is one of the contract's", seen.unexpected, "others"),
        _none("the audit finds every promise kept", broken_promises, "rows that break one"),
    ]


def _none(what: str, lines: Sequence[str], noun: str) -> Check:
    named = [*lines[:NAMED], *(["and more"] if len(lines) > NAMED else [])]
    return Check(what, not lines, f"{len(lines)} {noun}", named)
