"""What must become of a flash sale's orders, by plain arithmetic over what each of them wants.

Who is before whom, what the limit leaves, what is set apart: it knows nothing of movements, rows of
limits or Redis, so it can't share a mistake with them.
"""

from dataclasses import dataclass

from goods.sales import services
from goods.sales.models import FlashSale
from orders.models import Order
from orders.states import State
from shop.accounts.models import User
from shop.pools import gate
from shop.pools.models import Placement

HOLDING = {State.UNPAID, State.PAID}
UNKNOWN = "unknown"


@dataclass(slots=True)
class Attempt:
    """What a shopper asked for under one key, and the order it was told of ("": none)."""

    user: User
    key: str
    count: int
    order_no: str = ""
    # It died on its way: nothing is stored of it, and the gate may know its key.
    is_lost: bool = False


class Arithmetic:
    """One sale with its shoppers, and what was done to it."""

    sale: FlashSale
    users: list[User]
    # Units that one shopper may hold, and that were set apart.
    limit: int | None
    allotment: int
    paused: bool
    ended: bool
    # Something has happened that the gate may not know, or knows wrongly.
    disturbed: bool

    def orders(self) -> list[Order]:
        return list(Order.objects.filter(sale=self.sale).order_by("pk"))

    def pending(self) -> list[Order]:
        return [order for order in self.orders() if order.status == State.PENDING]

    def unsettled_or_unpaid(self) -> list[Order]:
        return [order for order in self.orders() if order.status in (State.PENDING, State.UNPAID)]

    def units_of(self, order: Order) -> list[dict[str, int]]:
        return order.snapshot if order.status in HOLDING else []

    def holds(self, user: User) -> int:
        mine = [order for order in self.orders() if order.user_id == user.pk]
        return sum(one["count"] for order in mine for one in self.units_of(order))

    def waits_for(self, user: User | None = None) -> int:
        waiting = [order for order in self.pending() if user is None or order.user_id == user.pk]
        return sum(one["count"] for order in waiting for one in order.snapshot)

    def left(self) -> int:
        held = sum(one["count"] for order in self.orders() for one in self.units_of(order))
        return self.allotment - held

    def foretold(self, attempt: Attempt, *, is_deaf: bool) -> str:
        """What a shopper must be told, or unknown where a gate may say what it likes."""
        if self.limit is not None and attempt.count > self.limit and self.is_open():
            return "purchase_limit"
        if not self.is_open():
            return "ended"
        if self.ended:
            return UNKNOWN  # died in between: accepted or not, nobody is promised
        queued = FlashSale.objects.get(pk=self.sale.pk).placement == Placement.QUEUED
        waiting, mine = 0, 0
        if self.sale.pool.gated:
            if is_deaf:
                return "unavailable"
            if not gate.client().exists(*gate.names(self.sale.pool_id)):
                return "unavailable"
            if self.disturbed:
                return UNKNOWN
            waiting, mine = self.waits_for(), self.waits_for(attempt.user)
        if self.paused:
            return "paused"
        remaining = self.left() - waiting
        short = remaining < attempt.count
        # The first look without a gate is at the stock, and queued it is the only one.
        looks_at_limit = self.limit is not None and (self.sale.pool.gated or not (queued or short))
        if looks_at_limit and self.holds(attempt.user) + mine + attempt.count > self.limit:
            return "purchase_limit"
        if short:
            return "sold_out" if remaining <= 0 else "insufficient_stock"
        return ""

    def settled_in_order(self) -> list[tuple[str, str]]:
        """What becomes of those who wait: first come, first served."""
        left, outcomes = self.left(), []
        held = {user.pk: self.holds(user) for user in self.users}
        for order in self.pending():
            count = order.snapshot[0]["count"]
            if not self.is_open():
                outcomes.append((order.order_no, "ended"))
            elif self.limit is not None and held[order.user_id] + count > self.limit:
                outcomes.append((order.order_no, "purchase_limit"))
            elif count > left:
                outcomes.append((order.order_no, "sold_out"))
            else:
                left -= count
                held[order.user_id] += count
                outcomes.append((order.order_no, "unpaid"))
        return outcomes

    def is_open(self) -> bool:
        return services.is_open(self.sale)
