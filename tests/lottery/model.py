"""What must become of a period's entries, by plain arithmetic over what each of them wants.

Who is before whom, what limit and wallet leave, what is left: it knows nothing of movements,
postings, indexes or Redis, so it can't share a mistake with them.
"""

from collections import Counter
from dataclasses import dataclass

from lottery.models import Entry, Period
from shop.accounts.models import User
from shop.pools import gate
from tests.faults.model import UNKNOWN
from tests.kit.hows import How
from tests.kit.periods import PRICE

TOTAL = 12


@dataclass(slots=True)
class Attempt:
    """What a user asked for under one key, and the entry that it was told of ("": none)."""

    user: User
    key: str
    shares: int
    partial: bool
    entry_no: str = ""
    # It died on its way: nothing is stored of it, and the gate may know its key.
    is_lost: bool = False


class Books:
    """A period's entries as they are now, and what follows from them. Users by id."""

    def __init__(self, period: Period, funds: dict[int, int]) -> None:
        rows = Entry.objects.filter(period=period).select_related("shares")
        self.entries = list(rows.order_by("pk"))
        self.pending = [entry for entry in self.entries if entry.status == "pending"]
        # Shares that are somebody's for good; what is left of what they were given.
        self.held: Counter[int] = Counter()
        self.purse = Counter(funds)
        for entry in self.entries:
            if entry.status in ("confirmed", "refunded"):
                self.held[entry.user_id] += entry.shares.count
            if entry.status == "confirmed":
                self.purse[entry.user_id] -= entry.shares.count * PRICE

    @property
    def left(self) -> int:
        return TOTAL - sum(self.held.values())

    def fates(self) -> dict[str, str]:
        """What became of each that is settled: its failure, or how many shares."""
        settled = [entry for entry in self.entries if entry.status != "pending"]
        return {one.entry_no: one.failure or str(one.shares.count) for one in settled}

    def settled_in_order(self, *, is_open: bool, limit: int | None) -> dict[str, str]:
        """What becomes of those who wait: first come, first served. As `fates`."""
        left, held, purse = self.left, Counter(self.held), Counter(self.purse)
        fates = {}
        for entry in self.pending:
            who, shares = entry.user_id, entry.wanted
            if entry.allow_partial and 0 < left < shares:
                shares = left
            if not is_open:
                fate = "ended"
            elif limit is not None and held[who] + shares > limit:
                fate = "purchase_limit"
            elif shares > left:
                fate = "sold_out"
            elif shares * PRICE > purse[who]:
                fate = "insufficient_balance"
            else:
                fate = str(shares)
                left -= shares
                held[who] += shares
                purse[who] -= shares * PRICE
            fates[entry.entry_no] = fate
        return fates


class Arithmetic:
    """One period with its users, and what was done to it."""

    period: Period
    users: list[User]
    how: How
    # Shares that one user may have.
    limit: int | None
    # What each user was given.
    funds: dict[int, int]
    # Its time is up.
    is_over: bool
    # Something has happened that the gate may not know, or knows wrongly.
    disturbed: bool

    def books(self) -> Books:
        return Books(self.period, self.funds)

    def state(self) -> str:
        return Period.objects.values_list("status", flat=True).get(pk=self.period.pk)

    def is_open(self) -> bool:
        return self.state() == "open"

    def settled_in_order(self) -> dict[str, str]:
        return self.books().settled_in_order(is_open=self.is_open(), limit=self.limit)

    def foretold(self, attempt: Attempt, *, is_deaf: bool) -> str:
        """What the user must be told, or unknown where a gate may say what it likes."""
        if not self.is_open() or self.is_over:
            return "ended"
        books = self.books()
        who, shares, left = attempt.user.pk, attempt.shares, books.left
        if self.limit is not None and shares > self.limit:
            return "purchase_limit"
        if attempt.partial and 0 < left < shares:
            shares = left
        if self.how.gated:
            if is_deaf or not gate.client().exists(*gate.names(self.period.pool_id)):
                return "unavailable"
            if self.disturbed:
                return UNKNOWN
            waits = sum(one.wanted for one in books.pending if one.user_id == who)
            if self.limit is not None and books.held[who] + waits + shares > self.limit:
                return "purchase_limit"
            left -= sum(one.wanted for one in books.pending)
            if attempt.partial and 0 < left < shares:
                shares = left
        if left < shares:
            return "sold_out" if left <= 0 else "insufficient_stock"
        if self.how.queued:
            return ""
        if self.limit is not None and books.held[who] + shares > self.limit:
            return "purchase_limit"
        return "" if books.purse[who] >= shares * PRICE else "insufficient_balance"
