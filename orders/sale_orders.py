"""From a shopper in front of a flash sale to an order.

The gate first (where the sale has one), then the one step that all orders share
(`orders.placement`). Prices, window and protection come from the sale's own terms; nothing that a
request says about them is looked at.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db import IntegrityError

from goods.sales.admission import refuse_outside_window
from goods.sales.models import Protection
from goods.sales.selectors import SaleTerms, sale_terms_lately
from goods.sales.tokens import sale_token_verify
from orders import shield
from orders.models import Order
from orders.placement import place_direct, place_queued
from shop.accounts.selectors import address_snapshot, require_active
from shop.api.idempotency import Answer, RequestKey, once
from shop.errors import Ended, PurchaseLimit, SoldOut, TokenRequired
from shop.numbers import new_number
from shop.pools import gate
from shop.pools.models import Placement
from shop.pools.passage import Stored, passage
from shop.pools.refusals import No, refusal_of, short
from shop.pools.services import Terms
from shop.pools.waiting import Queued
from shop.transactions import is_duplicate


@dataclass(frozen=True, slots=True)
class SaleRequest:
    """What a shopper asks of a sale. `client_address`: whom the gate counts requests for."""

    sale_id: int
    count: int
    address_id: int | None = None
    token: str = ""
    client_address: str = ""


def sale_order_place(*, key: RequestKey, wanted: SaleRequest) -> Answer[Order]:
    """Places the order, or finds the one that an earlier request with `key` placed.

    Raises NotFound, NotStarted, Paused, Ended, SoldOut, InsufficientStock, PurchaseLimit,
    RateLimited, TokenRequired, PermissionDenied (a disabled user), Busy, Unavailable,
    RequestInProgress, IdempotencyKeyReused. Then nothing of it is stored.
    """
    try:
        return once(key, Order.objects.all(), lambda key: _create(key, wanted))
    except IntegrityError as error:
        # The only unique columns of an order are its number, its key (`once` has looked) and this.
        if wanted.token and is_duplicate(error):
            raise TokenRequired from error
        raise


def _create(key: RequestKey, wanted: SaleRequest) -> Order:
    terms = sale_terms_lately(wanted.sale_id)
    try:
        return _order(terms, key, wanted)
    except (SoldOut, Ended) as refusal:
        shield.remember(terms.sale_id, refusal)
        raise


def _order(terms: SaleTerms, key: RequestKey, wanted: SaleRequest) -> Order:
    if not terms.is_open:
        raise Ended(sku=terms.sku_id)
    token_id = None
    if terms.protection != Protection.NONE:
        token_id = sale_token_verify(wanted.token, user_id=key.user_id, sale_id=terms.sale_id)
    if terms.per_user_limit is not None and wanted.count > terms.per_user_limit:
        raise PurchaseLimit(limit=terms.per_user_limit)
    address = (
        address_snapshot(user_id=key.user_id, address_id=wanted.address_id)
        if wanted.address_id is not None
        else None
    )

    def make(now: datetime) -> Order:
        return _new_order(
            terms, key=key, count=wanted.count, address=address, token_id=token_id, now=now
        )

    if not terms.gated:
        refuse_outside_window(terms)
        if terms.available < wanted.count:
            raise short(terms.available, sku=terms.sku_id)
        return _place(make(terms.read_at), terms)
    request = gate.Request(
        pool_id=terms.pool_id,
        user_id=key.user_id,
        count=wanted.count,
        key=key.key,
        address=wanted.client_address,
        told=shield.told(terms.sale_id),
    )
    with passage(
        request,
        stored=partial(_stored, key, terms),
        opens_at=terms.starts_at,
        about={"sku": terms.sku_id},
    ) as passed:
        return _place(make(passed.at), terms)


def _stored(key: RequestKey, terms: SaleTerms) -> Stored | None:
    """The order of this sale that has this key."""
    orders = Order.objects.filter(
        user_id=key.user_id,
        idempotency_route=key.route,
        idempotency_key=key.key,
        sale_id=terms.sale_id,
    )
    order = orders.values_list("created_at", "snapshot").first()
    if order is None:
        return None
    created_at, snapshot = order
    return Stored(created_at, sum(line["count"] for line in snapshot))


def _place(order: Order, terms: SaleTerms) -> Order:
    if terms.placement == Placement.QUEUED:
        return place_queued(order, queued=Queued(terms.queue_id, limit=terms.concurrency_limit))
    try:
        return place_direct(
            order,
            terms={terms.pool_id: Terms(terms.strategy, terms.per_user_limit)},
            concurrency=terms.concurrency_limit,
            alongside=lambda: require_active(order.user_id),
        )
    except No as no:
        raise refusal_of(no, sku=terms.sku_id) from no


def _new_order(
    terms: SaleTerms,
    *,
    key: RequestKey,
    count: int,
    address: dict[str, str] | None,
    token_id: str | None,
    now: datetime,
) -> Order:
    """A sale's price includes its freight."""
    total_fen = terms.price_fen * count
    return Order(
        **key.columns(),
        order_no=new_number(now),
        kind=Order.Kind.FLASH_SALE,
        sale_id=terms.sale_id,
        token_id=token_id,
        snapshot=[
            {
                "sku": terms.sku_id,
                "pool": terms.pool_id,
                "goods_title": terms.reader_title,
                "spec": terms.spec,
                "price_fen": terms.price_fen,
                "count": count,
            }
        ],
        goods_fen=total_fen,
        freight_fen=0,
        total_fen=total_fen,
        address=address,
        created_at=now,
    )
