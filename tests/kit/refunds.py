"""Paid orders, and what shoppers and operators do about refunds of them."""

from datetime import timedelta
from uuid import uuid4

from goods.models import Sku
from orders import lifecycle
from orders.checkout import Checkout, order_place
from orders.models import Order
from orders.payments import refunding
from orders.refunds import services
from orders.refunds.models import RefundRequest
from orders.refunds.selectors import shown
from shop.accounts.models import User
from tests.factories import make_address, make_shipping, pay, request_key_of
from tests.kit.coupons import claim, make_coupon


def paid_order(
    user: User, items: dict[Sku, int], *, freight_fen: int = 0, discount_fen: int = 0
) -> Order:
    """An order that is paid, with such freight and a coupon that takes so much off."""
    coupon = claim(user, make_coupon(off_fen=discount_fen)).pk if discount_fen else None
    order = order_place(
        user=user,
        key=request_key_of(user),
        checkout=Checkout(
            items={sku.pk: count for sku, count in items.items()},
            address_id=make_address(user).pk,
            shipping_method_id=make_shipping(fee_fen=freight_fen).pk,
            coupon_id=coupon,
        ),
    ).row
    assert order.discount_fen == discount_fen
    if order.total_fen:
        pay(user, order)
    order.refresh_from_db()
    return order


def sent(order: Order, operator: User, *, days_ago: int = 0) -> Order:
    """The order, accepted and shipped so long ago."""
    lifecycle.order_accept(order_no=order.order_no, operator=operator)
    lifecycle.order_ship(
        order_no=order.order_no, operator=operator, courier="SF", tracking_no="SF1"
    )
    age(order, days=days_ago)
    order.refresh_from_db()
    return order


def age(order: Order, **distance: float) -> None:
    """Lets everything that happened to the order have happened so much earlier."""
    gone = timedelta(**distance)
    for move in order.moves.all():
        order.moves.filter(pk=move.pk).update(created_at=move.created_at - gone)
    stored = Order.objects.get(pk=order.pk)
    Order.objects.filter(pk=order.pk).update(
        paid_at=stored.paid_at and stored.paid_at - gone,
        expires_at=stored.expires_at and stored.expires_at - gone,
    )


def ask(
    user: User, order: Order, items: dict[Sku, int] | None = None, *, key: str = ""
) -> RefundRequest:
    """What the shopper asks for: these units, or all that are left. Raises the refusal."""
    wanted = None if items is None else {sku.pk: count for sku, count in items.items()}
    return services.refund_request(
        user=user,
        order_no=order.order_no,
        key=request_key_of(user, key, body=str(wanted), route="order-refunds"),
        items=wanted,
        reason="broken",
    ).row


def accept(
    request: RefundRequest, operator: User, *, restock: bool = True, freight_fen: int | None = None
) -> bool:
    """An operator's yes. Raises the refusal."""
    return services.refund_accept(
        refund_no=request.refund_no, operator=operator, restock=restock, freight_fen=freight_fen
    )


def decline(request: RefundRequest, operator: User) -> bool:
    """An operator's no. Raises the refusal."""
    return services.refund_decline(
        refund_no=request.refund_no, operator=operator, reason="worn already"
    )


def begin(
    operator: User,
    order: Order,
    items: dict[Sku, int] | None = None,
    *,
    restock: bool = True,
    freight_fen: int | None = None,
    reference: str = "",
) -> RefundRequest:
    """What an operator begins. Raises the refusal."""
    return services.refund_start(
        order_no=order.order_no,
        operator=operator,
        items=None if items is None else {sku.pk: count for sku, count in items.items()},
        reason="sorry",
        restock=restock,
        freight_fen=freight_fen,
        reference=reference or f"admin-{uuid4().hex}",
    )


def told(request: RefundRequest) -> tuple[str, int]:
    """(status, amount in fen) as the shopper reads them now."""
    now = shown(RefundRequest.objects.get(pk=request.pk))
    return now.status, now.amount_fen


def send_money() -> None:
    """Providers are told of all refunds that are due."""
    while refunding.refunds_execute():
        pass
