"""The least of each thing that a test needs, made the way the shop makes it."""

from datetime import timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from django.utils import timezone

from goods.models import Category, Goods, Sku
from goods.sales.models import FlashSale
from goods.sales.services import SalePlan, sale_schedule
from goods.services import sku_create
from lottery.entries import EntryRequest, entry_place
from lottery.models import Entry, Period
from lottery.opening import PeriodPlan, period_open
from orders.checkout import Checkout, order_place
from orders.models import Order, ShippingMethod
from orders.payments.models import Payment
from orders.payments.services import sandbox_succeed
from orders.payments.starting import payment_start, top_up_start
from orders.sale_orders import SaleRequest, sale_order_place
from shop.accounts.models import Address, User
from shop.api.idempotency import RequestKey
from shop.pools.models import Placement
from shop.transactions import run
from shop.wallet.models import Currency, House
from shop.wallet.services import credit

_serial = count(1)


def make_user(name: str = "", **columns: object) -> User:
    """A shopper who could log in with the password "correct horse"."""
    username = name or f"shopper{next(_serial)}-{uuid4().hex[:6]}"
    return User.objects.create_user(username, password="correct horse", **columns)


def make_address(user: User) -> Address:
    return Address.objects.create(
        user=user, name="Li Lei", phone="13800000000", region="Shanghai", detail="1 Long Road"
    )


def make_goods(title: str = "茶", **columns: object) -> Goods:
    category, _ = Category.objects.get_or_create(title="饮料", defaults={"title_en": "Drinks"})
    return Goods.objects.create(category=category, title=title, **columns)


def make_sku(
    *, stock: int = 10, price_fen: int = 1000, strategy: str = "", goods: Goods | None = None
) -> Sku:
    """A SKU on sale with `stock` units, loaded through the pool's ledger."""
    sku = sku_create(
        goods=goods or make_goods(),
        code=f"T-{next(_serial)}-{uuid4().hex[:6]}",
        spec="500 g",
        price_fen=price_fen,
        stock=stock,
    )
    if strategy:
        sku.pool.strategy = strategy
        sku.pool.save(update_fields=["strategy"])
    return sku


def make_shipping(*, fee_fen: int = 800, free_above_fen: int | None = None) -> ShippingMethod:
    return ShippingMethod.objects.create(
        name="快递", name_en="Courier", fee_fen=fee_fen, free_above_fen=free_above_fen
    )


def make_sale(
    sku: Sku | None = None,
    *,
    total: int = 10,
    price_fen: int = 100,
    starts_in: timedelta = timedelta(minutes=-1),
    ends_in: timedelta = timedelta(hours=1),
    **terms: Any,
) -> FlashSale:
    """A sale of `total` units, scheduled as an operator would; it runs unless `starts_in` says
    otherwise. `terms`: the rest of a `SalePlan`. Without a SKU, of one that has twice as many."""
    now = timezone.now()
    return sale_schedule(
        SalePlan(
            sku=sku or make_sku(stock=2 * total),
            price_fen=price_fen,
            total=total,
            starts_at=now + starts_in,
            ends_at=now + ends_in,
            **terms,
        )
    )


def make_period(
    *, total_shares: int = 10, share_price: int = 5, prize_title: str = "银币", **terms: Any
) -> Period:
    """A period that has just opened, drawn by the shop's own beacon. `terms`: the rest of a
    `PeriodPlan`."""
    defaults: dict[str, Any] = {"beacon": "local"}
    return period_open(
        PeriodPlan(
            prize_title=prize_title,
            share_price=share_price,
            total_shares=total_shares,
            **defaults | terms,
        )
    )


def give_points(user: User, points: int) -> None:
    """Points of the house, out of nothing."""
    run(
        lambda: credit(
            user_id=user.pk,
            currency=Currency.POINTS,
            amount=points,
            house=House.GRANTS,
            reference=f"test-{uuid4().hex}",
            kind="grant",
        )
    )


def enter(
    user: User, period: Period, shares: int = 1, *, key: str = "", partial: bool = False
) -> Entry:
    """Buys shares as the view would. Raises the refusal."""
    wanted = EntryRequest(period_id=period.pk, shares=shares, allow_partial=partial)
    body = f"{shares} {partial}"
    return entry_place(key=request_key_of(user, key, body=body, route="entries"), wanted=wanted).row


def switch(sale: FlashSale, placement: str) -> FlashSale:
    """Lets the sale take its orders in the other way from now on."""
    FlashSale.objects.filter(pk=sale.pk).update(placement=Placement(placement))
    return sale


def request_key_of(
    user: User, key: str = "", body: str = "", *, route: str = "orders"
) -> RequestKey:
    return RequestKey(user.pk, route, key or uuid4().hex, body.ljust(64, "0")[:64])


def place_in(
    sale: FlashSale, user: User, count: int = 1, *, key: str = "", address: Address | None = None
) -> Order:
    """An order of `count` units of a sale that asks for no token, placed as the sale says."""
    answer = sale_order_place(
        key=request_key_of(user, key, route="sale-orders"),
        wanted=SaleRequest(sale.pk, count, address_id=address.pk if address else None),
    )
    return answer.row


def place(
    user: User, items: dict[Sku, int], *, key: str = "", address: Address | None = None
) -> Order:
    """An order of `items` (SKU -> count) placed through checkout, direct."""
    answer = order_place(
        user=user,
        key=request_key_of(user, key),
        checkout=Checkout(
            items={sku.pk: number for sku, number in items.items()},
            address_id=(address or make_address(user)).pk,
        ),
    )
    return answer.row


def overdue(order: Order) -> Order:
    """Lets the order's time be up, as far as the database's clock can tell."""
    Order.objects.filter(pk=order.pk).update(expires_at=order.created_at - timedelta(seconds=1))
    return order


def start_payment(user: User, order: Order, *, key: str = "") -> Payment:
    """An open payment of `order` at the sandbox."""
    return payment_start(
        user=user, order_no=order.order_no, key=request_key_of(user, key), provider="sandbox"
    ).row


def pay(user: User, order: Order) -> Payment:
    """A payment of `order` that has succeeded, and the shop knows."""
    payment = start_payment(user, order)
    sandbox_succeed(payment)
    payment.refresh_from_db()
    return payment


def pay_from_wallet(user: User, order: Order, *, key: str = "") -> Payment:
    """A payment of `order` from its owner's wallet."""
    return payment_start(
        user=user, order_no=order.order_no, key=request_key_of(user, key), provider="wallet"
    ).row


def start_top_up(user: User, amount_fen: int, *, key: str = "") -> Payment:
    """An open top-up at the sandbox."""
    return top_up_start(
        key=request_key_of(user, key, route="top-ups"), amount_fen=amount_fen, provider="sandbox"
    ).row


def top_up(user: User, amount_fen: int) -> Payment:
    """A top-up whose money has come, and the shop knows."""
    payment = start_top_up(user, amount_fen)
    sandbox_succeed(payment)
    payment.refresh_from_db()
    return payment


def overdue_top_up(payment: Payment) -> Payment:
    """Lets the top-up's time be up, as far as the database's clock can tell."""
    Payment.objects.filter(pk=payment.pk).update(
        expires_at=payment.created_at - timedelta(seconds=1)
    )
    return payment
