"""How long the work that waits for a worker has waited, as a check of `shop.ops.health`.

Old work means that workers or beat are down or too slow, not that this process can't serve: the
check gives its age and lets whoever reads it decide. It fails only when it can't be read.
"""

from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Now

from orders.models import Order
from orders.payments.models import Refund
from orders.selectors import is_overdue
from orders.states import State
from shop.ops.health import Figures, register


def backlog() -> Figures:
    """Seconds that the oldest has waited, 0 where none waits.

    `pending`: placed, its units not taken yet. `overdue`: unpaid past its time and not swept.
    `closing`: past its time, its provider has not said whether it is paid. `refund`: decided, the
    provider has not paid it back.
    """
    orders = Order.objects
    return {
        # Pending orders have no `expires_at`, so the index order_due has the first of them first.
        "oldest_pending_seconds": _age(
            orders.filter(status=State.PENDING).order_by("expires_at", "pk"), "created_at"
        ),
        "oldest_overdue_seconds": _age(
            orders.filter(is_overdue()).order_by("expires_at"), "expires_at"
        ),
        "oldest_closing_seconds": _age(
            orders.filter(status=State.CLOSING).order_by("expires_at"), "expires_at"
        ),
        "oldest_refund_seconds": _age(
            Refund.objects.filter(status=Refund.Status.PENDING).order_by("created_at"),
            "created_at",
        ),
    }


def _age(rows: QuerySet[Any], since: str) -> float:
    """Seconds from the first row's `since` until now, both by the database's clock."""
    first = rows.values_list(since, Now()).first()
    return round((first[1] - first[0]).total_seconds(), 1) if first else 0.0


register("orders", backlog)
