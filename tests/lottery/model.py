"""What must become of a period's entries, by plain arithmetic over what each of them wants.

Who is before whom, what limit and wallet leave, what is left: it knows nothing of movements,
postings, indexes or Redis, so it can't share a mistake with them.
"""

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


class Arithmetic:
    """One period with its users, and what was done to it."""

    period: Period
    users: list[User]
    how: How
    # Shares that one user may have.
    limit: int | None
    # What each user (id) was given.
    funds: dict[int, int]
    # Its time is up.
    is_over: bool
    # Something has happened that the gate may not know, or knows wrongly.
    disturbed: bool

    def entries(self) -> list[Entry]:
        rows = Entry.objects.filter(period=self.period).select_related("shares")
        return list(rows.order_by("pk"))

    def pending(self) -> list[Entry]:
        return [entry for entry in self.entries() if entry.status == "pending"]

    def held(self, user_id: int | None = None) -> int:
        """Shares that are somebody's for good."""
        got = [one for one in self.entries() if one.status in ("confirmed", "refunded")]
        return sum(one.shares.count for one in got if user_id in (None, one.user_id))

    def purse(self, user_id: int) -> int:
        paid = [one for one in self.entries() if one.status == "confirmed"]
        spent = sum(one.shares.count for one in paid if one.user_id == user_id) * PRICE
        return self.funds[user_id] - spent

    def state(self) -> str:
        return Period.objects.values_list("status", flat=True).get(pk=self.period.pk)

    def is_open(self) -> bool:
        return self.state() == "open"

    def foretold(self, attempt: Attempt, *, is_deaf: bool) -> str:
        """What the user must be told, or unknown where a gate may say what it likes."""
        shares, left, mine = attempt.shares, TOTAL - self.held(), self.held(attempt.user.pk)
        if not self.is_open() or self.is_over:
            return "ended"
        if self.limit is not None and shares > self.limit:
            return "purchase_limit"
        if attempt.partial and 0 < left < shares:
            shares = left
        if self.how.gated:
            if is_deaf or not gate.client().exists(*gate.names(self.period.pool_id)):
                return "unavailable"
            if self.disturbed:
                return UNKNOWN
            waiting = self.pending()
            left -= sum(one.wanted for one in waiting)
            mine += sum(one.wanted for one in waiting if one.user_id == attempt.user.pk)
            if self.limit is not None and mine + shares > self.limit:
                return "purchase_limit"
            if attempt.partial and 0 < left < shares:
                shares = left
        if left < shares:
            return "sold_out" if left <= 0 else "insufficient_stock"
        if self.how.queued:
            return ""
        if self.limit is not None and mine + shares > self.limit:
            return "purchase_limit"
        return "" if self.purse(attempt.user.pk) >= shares * PRICE else "insufficient_balance"

    def settled_in_order(self) -> dict[str, str]:
        """What becomes of those who wait: first come, first served. By entry number, failure or
        the shares."""
        left, fates = TOTAL - self.held(), {}
        held = {user.pk: self.held(user.pk) for user in self.users}
        purse = {user.pk: self.purse(user.pk) for user in self.users}
        for entry in self.pending():
            user_id, shares = entry.user_id, entry.wanted
            if entry.allow_partial and 0 < left < shares:
                shares = left
            if not self.is_open():
                fate = "ended"
            elif self.limit is not None and held[user_id] + shares > self.limit:
                fate = "purchase_limit"
            elif shares > left:
                fate = "sold_out"
            elif shares * PRICE > purse[user_id]:
                fate = "insufficient_balance"
            else:
                fate = str(shares)
                left -= shares
                held[user_id] += shares
                purse[user_id] -= shares * PRICE
            fates[entry.entry_no] = fate
        return fates

    def fates(self, entry_nos: list[str]) -> dict[str, str]:
        return {
            entry.entry_no: entry.failure or str(entry.shares.count)
            for entry in self.entries()
            if entry.entry_no in entry_nos
        }
