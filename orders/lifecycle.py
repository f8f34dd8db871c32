"""What people and time do to a placed order: cancel, expire, accept, refuse, ship, confirm, and try
again what failed of an error of ours.

Each step locks the order's row, looks at the state that holds now, moves it, and gives units or
money back in the same transaction where the move calls for it.
"""

from typing import TYPE_CHECKING

from orders import notices
from orders.models import Order
from orders.payments.models import OPEN, Payment, Refund
from orders.payments.services import payments_abandon, refund_decide
from orders.pending import checkout_queue
from orders.selectors import is_overdue, order_locked
from orders.settlement import tell_gates
from orders.states import State
from orders.transitions import move, release
from shop import transactions
from shop.accounts.selectors import address_snapshot
from shop.errors import OrderState
from shop.pools import gate
from shop.pools.tasks import drain_bell
from shop.pools.waiting import INTERNAL, drop_given_up

if TYPE_CHECKING:
    from shop.accounts.models import User

# Orders of one sweep: a lock on each is held until its units are back.
BATCH = 100
# Once it is shipped, an order comes back as a return, not as a refusal.
REFUSABLE = frozenset({State.PAID, State.ACCEPTED})
ADDRESSABLE = frozenset({State.PENDING, State.UNPAID, State.CLOSING, State.PAID, State.ACCEPTED})


def order_cancel(*, user: "User", order_no: str) -> Order:
    """Cancels an order that is not paid; its units are back when this returns.

    A payment that is still open is closed at its provider afterwards; money that comes all the
    same is refunded. Cancelling a cancelled order changes nothing. Raises NotFound, OrderState.
    """

    def write() -> Order:
        order = order_locked(order_no=order_no, user=user)
        if order.status == State.CANCELLED:
            return order
        if order.status_now == State.EXPIRED:
            raise OrderState(order_status=order.status_now)
        if order.status == State.PENDING:
            # It holds nothing yet; its gate let somebody through for it.
            move([order], State.CANCELLED, actor="shopper", queue=None)
            tell_gates([order])
            return order
        move([order], State.CANCELLED, actor="shopper")
        payments_abandon([order])
        release([order])
        return order

    return transactions.run(write)


def orders_expire() -> int:
    """Expires one batch of overdue orders and gives their units back; returns how many it moved.

    Any number of these may run at once: each locks its own rows and skips those of others. An
    order with an open payment becomes `closing` instead, until its provider has answered.
    """

    def write() -> int:
        # Through the (status, expires_at) index. Who skips what is locked waits for nobody, so
        # the order in which these rows are locked can't deadlock.
        overdue = list(
            Order.objects.filter(is_overdue())
            .select_for_update(skip_locked=True)
            .order_by("expires_at")[:BATCH]
        )
        with_money_coming = set(
            Payment.objects.filter(order__in=overdue, status__in=OPEN).values_list(
                "order_id", flat=True
            )
        )
        closing = [order for order in overdue if order.pk in with_money_coming]
        expired = [order for order in overdue if order.pk not in with_money_coming]
        if closing:
            move(closing, State.CLOSING, actor="sweeper")
            payments_abandon(closing)
        if expired:
            move(expired, State.EXPIRED, actor="sweeper")
            release(expired)
        return len(overdue)

    return transactions.run(write)


def order_confirm_receipt(*, user: "User", order_no: str) -> Order:
    """The shopper has the parcel. Confirming twice changes nothing. Raises NotFound, OrderState."""

    def write() -> Order:
        order = order_locked(order_no=order_no, user=user)
        if order.status != State.COMPLETED:
            move([order], State.COMPLETED, actor="shopper")
        return order

    return transactions.run(write)


def order_set_address(*, user: "User", order_no: str, address_id: int) -> Order:
    """Says where a sale order goes that was placed without an address, until the merchant has taken
    it; the same address again changes nothing. Raises NotFound, OrderState."""
    address = address_snapshot(user_id=user.pk, address_id=address_id)

    def write() -> Order:
        order = order_locked(order_no=order_no, user=user)
        if order.address == address:
            return order
        if order.address is not None or order.status_now not in ADDRESSABLE:
            raise OrderState(order_status=order.status_now)
        Order.objects.filter(pk=order.pk).update(address=address)
        return order

    return transactions.run(write)


def order_accept(*, order_no: str, operator: "User") -> Order:
    """The merchant takes a paid order. Raises NotFound, OrderState."""

    def write() -> Order:
        order = order_locked(order_no=order_no)
        move([order], State.ACCEPTED, actor="operator", operator=operator)
        return order

    return transactions.run(write)


def order_refuse(*, order_no: str, operator: "User", reason: str) -> Order:
    """The merchant does not take a paid order: its units are back at once, its money on the way.

    Raises NotFound, OrderState.
    """

    def write() -> Order:
        order = order_locked(order_no=order_no)
        if order.status not in REFUSABLE:
            raise OrderState(order_status=order.status)
        move([order], State.REFUNDING, actor="operator", operator=operator, reason=reason)
        _refund_whole(order, operator=operator, reason=reason)
        notices.order_refused(order)
        release([order])
        return order

    return transactions.run(write)


def _refund_whole(order: Order, *, operator: "User", reason: str) -> None:
    if order.total_fen == 0:
        move([order], State.REFUNDED, actor="operator", operator=operator, reason=reason)
        return
    # The one that paid it: any other that succeeded has a refund of its own already.
    payment = Payment.objects.get(
        order=order, status=Payment.Status.SUCCEEDED, refunds__isnull=True
    )
    refund_decide(
        order, payment, cause=Refund.Cause.REFUSED, amount_fen=order.total_fen, reason=reason
    )


def order_ship(*, order_no: str, operator: "User", courier: str, tracking_no: str) -> Order:
    """The parcel of an accepted order is on its way. Raises NotFound, OrderState."""

    def write() -> Order:
        order = order_locked(order_no=order_no)
        move(
            [order],
            State.SHIPPED,
            actor="operator",
            operator=operator,
            reason=f"{courier} {tracking_no}",
            courier=courier,
            tracking_no=tracking_no,
        )
        return order

    return transactions.run(write)


def order_retry(*, order_no: str, operator: "User") -> Order:
    """Puts an order that failed of an error of ours back into its queue, to be tried as often as a
    new one: at the price, and within the limits, of its first time.

    Raises NotFound, OrderState.
    """

    def write() -> tuple[Order, int]:
        order = _given_up(order_no)
        # Its queue exists: the order has waited there.
        queue_id = order.sale.queue_id if order.sale else checkout_queue()
        move(
            [order],
            State.PENDING,
            actor="operator",
            operator=operator,
            reason="tried again",
            queue_id=queue_id,
            attempts=0,
            failure="",
        )
        # Its units can't be had by others while it waits.
        held = {(line["pool"], order.user_id): line["count"] for line in order.snapshot}
        gate.hold_after_commit(held)
        return order, queue_id

    order, queue_id = transactions.run(write)
    drain_bell.ring(queue_id)
    return order


def order_drop(*, order_no: str, operator: "User") -> Order:
    """Leaves an order that failed of an error of ours as it is, and those to look after without it:
    its attempts are forgotten. Dropping a dropped one changes nothing. Raises NotFound, OrderState.
    """

    def write() -> Order:
        order = _given_up(order_no)
        drop_given_up(order, operator=operator)
        return order

    return transactions.run(write)


def _given_up(order_no: str) -> Order:
    """The order, locked. Raises OrderState unless it failed of an error of ours."""
    order = order_locked(order_no=order_no)
    if (order.status, order.failure) != (State.FAILED, INTERNAL):
        raise OrderState(order_status=order.status)
    return order
