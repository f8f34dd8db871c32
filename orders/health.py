"""How long the work that waits for a worker has waited, as a check of `shop.ops.health`.

Old work means that workers or beat are down or too slow, not that this process can't serve: the
check gives its age and lets whoever reads it decide. It fails only when it can't be read.
"""

from orders.models import Order
from orders.payments.models import Refund
from orders.pending import OrderQueue
from orders.selectors import is_overdue
from orders.states import State
from shop.ops.health import Figures, age, register


def backlog() -> Figures:
    """Seconds that the oldest has waited, 0 where none waits.

    `pending`: placed, its units not taken yet. `overdue`: unpaid past its time and not swept.
    `closing`: past its time, its provider has not said whether it is paid. `refund`: decided, the
    provider has not paid it back.
    """
    orders = Order.objects
    return {
        "oldest_pending_seconds": OrderQueue().waited(),
        "oldest_overdue_seconds": age(
            orders.filter(is_overdue()).order_by("expires_at"), "expires_at"
        ),
        "oldest_closing_seconds": age(
            orders.filter(status=State.CLOSING).order_by("expires_at"), "expires_at"
        ),
        "oldest_refund_seconds": age(
            Refund.objects.filter(status=Refund.Status.PENDING).order_by("created_at"),
            "created_at",
        ),
    }


register("orders", backlog)
