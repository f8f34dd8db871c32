"""What shoppers ask for over HTTP under a key: where, and what it is called there."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Model, QuerySet

from goods.sales.models import FlashSale
from lottery.front import EntryDoor
from lottery.models import Entry, Period
from orders.front import SaleDoor
from orders.models import Order
from shop.api.front import Door

Scarce = FlashSale | Period


@dataclass(frozen=True, slots=True)
class Offer:
    """`units`: the member of the body that says how many; `number`: that of the answer which names
    what was stored, as a row of `model`; `of`: what that is a row of."""

    address: str
    door: type[Door]
    units: str
    number: str
    model: type[Order | Entry]
    of: str

    def path(self, target_id: object) -> str:
        return f"/api/v1{self.address.format(target_id)}"

    def stored(self, *targets: Model) -> QuerySet[Any]:
        """What is stored of all that was asked of these."""
        rows: QuerySet[Any] = self.model._default_manager.filter(**{f"{self.of}__in": targets})
        return rows


SALE_ORDERS = Offer("/flash-sales/{}/orders", SaleDoor, "count", "order_no", Order, "sale")
ENTRIES = Offer("/lottery/periods/{}/entries", EntryDoor, "shares", "entry_no", Entry, "period")


def offer_of(target: Scarce) -> Offer:
    """How this one is asked for."""
    return ENTRIES if isinstance(target, Period) else SALE_ORDERS
