"""Each promise: silent about a shop in order, and exact about the row that breaks it."""

import pytest
from django.db import connection

from orders.models import Order
from shop.pools.audit import NAMED, audit
from shop.pools.models import Pool
from tests.factories import make_sku
from tests.pools.planting import (
    MOVE,
    MOVEMENT,
    PRICE_FEN,
    STOCK,
    SaleShop,
    Shop,
    ago,
    make_shop,
    plant,
)


def test_a_shop_in_order_keeps_every_promise(shop: Shop) -> None:
    report = audit()

    assert report.ok
    assert report.broken == {}
    assert [promise.number for promise in report.promises] == list(range(1, 10))
    assert report.figures(1) == {
        "pools": 1,
        "available": STOCK - 2,
        "taken": 2,
        "transfers": 0,
    }
    assert report.figures(2) == {
        "orders": 5,
        "entries": 0,
        "pending": 0,
        "oldest_pending_seconds": 0,
        "unpaid": 1,
        "oldest_unpaid_seconds": 0,
        "closing": 0,
        "oldest_closing_seconds": 0,
        "pending_grabs": 0,
    }
    assert report.figures(7) == {
        "payments": 3,
        "paid_fen": 3 * PRICE_FEN,
        "refunded_fen": 2 * PRICE_FEN,
        "refunds_due": 0,
        "refund_requests": 1,
        "open_refund_requests": 0,
        "top_ups": 0,
        "top_ups_fen": 0,
        "discounted_orders": 0,
        "discounts_fen": 0,
    }
    # paid 1, cancelled 1, late 1, refunded 3
    assert report.figures(8) == {"moves": 6}


def test_an_empty_shop_keeps_every_promise(db: None) -> None:
    report = audit()

    assert report.ok
    assert report.figures(1) == {"pools": 0, "available": 0, "taken": 0, "transfers": 0}


BREACHES = {
    "a counter that is not its ledger": (
        1,
        ["UPDATE pools_pool SET available = available + 1 WHERE id = {pool}"],
        "pool {pool}: 19 available, 2 taken; by its ledger 18 and 2",
    ),
    "units taken that no movement took": (
        1,
        ["UPDATE pools_pool SET available = available - 1, taken = taken + 1 WHERE id = {pool}"],
        "pool {pool}: 17 available, 3 taken; by its ledger 18 and 2",
    ),
    "a counter below zero": (
        1,
        [
            "UPDATE pools_pool SET available = -1 WHERE id = {pool}",
            MOVEMENT % ("{pool}", "adjust", -19, "hand"),
        ],
        "pool {pool}: -1 available, 2 taken; by its ledger -1 and 2",
    ),
    "a movement of a pool that does not exist": (
        1,
        [MOVEMENT % (987654, "load", 5, "hand")],
        "pool 987654: 0 available, 0 taken; by its ledger 5 and 0; there is no such pool",
    ),
    "units taken for an order that does not exist": (
        1,
        [
            "UPDATE pools_pool SET available = available - 1, taken = taken + 1 WHERE id = {pool}",
            MOVEMENT % ("{pool}", "take", -1, "ghost"),
        ],
        "pool {pool}, ghost: take of 1, held as 0",
    ),
    "units given back that no line gave": (
        1,
        [
            "UPDATE refunds_refundrequest SET restocked = 0 WHERE order_id = {refunded}",
            "UPDATE orders_orderline SET given_back = 0, restocked = 0 WHERE order_id = {refunded}",
        ],
        "pool {pool}, {refund_no}: give_back of 1, held as 0",
    ),
    "an order that took nothing": (
        1,
        [
            "UPDATE pools_pool SET available = available + 1, taken = taken - 1 WHERE id = {pool}",
            "DELETE FROM pools_poolmovement WHERE reference = '{paid_no}'",
        ],
        "pool {pool}, {paid_no}: orders_orderline holds 1 taken and 0 given back by {paid_no},"
        " which no movement tells of",
    ),
    "an order that is over and keeps its units": (
        1,
        [
            "UPDATE orders_order SET status = 'cancelled' WHERE id = {unpaid}",
            MOVE % ("unpaid", "unpaid", "cancelled"),
        ],
        "order {unpaid_no}: is cancelled, gave back 0 of 1 of pool {pool}",
    ),
    "an order that is paid and has lost its units": (
        1,
        [
            "UPDATE orders_orderline SET given_back = 1 WHERE order_id = {paid}",
            MOVEMENT % ("{pool}", "give_back", 1, "{paid_no}"),
            "UPDATE pools_pool SET available = available + 1, taken = taken - 1 WHERE id = {pool}",
        ],
        "order {paid_no}: is paid, gave back 1 of 1 of pool {pool}",
    ),
    "an order without a key": (
        2,
        ["UPDATE orders_order SET idempotency_key = '' WHERE id = {paid}"],
        "order {paid_no}: has no idempotency key",
    ),
    "an unpaid order that never expires": (
        2,
        ["UPDATE orders_order SET expires_at = NULL WHERE id = {unpaid}"],
        "order {unpaid_no}: is unpaid and never expires",
    ),
    "a line of another price than promised": (
        2,
        ["UPDATE orders_order SET snapshot = REPLACE(snapshot, '1000', '999') WHERE id = {paid}"],
        "order {paid_no}: was promised 1 of pool {pool} at 999 fen, its lines have 0",
    ),
    "an order without its lines": (
        2,
        [
            "DELETE FROM orders_orderline WHERE order_id = {cancelled}",
            "DELETE FROM pools_poolmovement WHERE reference = '{cancelled_no}'",
            "UPDATE orders_order SET status = 'expired' WHERE id = {cancelled}",
            "UPDATE orders_ordermove SET target = 'expired' WHERE order_id = {cancelled}",
        ],
        "order {cancelled_no}: was promised 1 of pool {pool} at 1000 fen, its lines have 0",
    ),
    "goods that cost more than their lines": (
        2,
        [
            "UPDATE orders_order SET goods_fen = goods_fen + 1, total_fen = total_fen + 1"
            " WHERE id = {unpaid}"
        ],
        "order {unpaid_no}: goods cost 1001 fen, its lines 1000",
    ),
    "a paid order whose payment did not succeed": (
        7,
        ["UPDATE payments_payment SET status = 'closed' WHERE order_id = {paid}"],
        "order {paid_no}: is paid of 1000 fen, kept 0 payments of 0 fen,"
        " says 0 fen refunded where refunds have 0",
    ),
    "a payment of another amount": (
        7,
        ["UPDATE payments_payment SET amount_fen = 1 WHERE order_id = {paid}"],
        "order {paid_no}: is paid of 1000 fen, kept 1 payments of 1 fen,"
        " says 0 fen refunded where refunds have 0",
    ),
    "money kept for an order that is cancelled": (
        7,
        [
            "DELETE FROM payments_refund WHERE order_id = {late}",
            "UPDATE orders_order SET refunded_fen = 0 WHERE id = {late}",
        ],
        "order {late_no}: is cancelled of 1000 fen, kept 1 payments of 1000 fen,"
        " says 0 fen refunded where refunds have 0",
    ),
    "an order that says it refunded what was not refunded": (
        7,
        ["UPDATE orders_order SET refunded_fen = 500 WHERE id = {paid}"],
        "order {paid_no}: is paid of 1000 fen, kept 1 payments of 1000 fen,"
        " says 500 fen refunded where refunds have 0",
    ),
    "more refunded than was paid": (
        7,
        [
            "UPDATE payments_refund SET amount_fen = 1001 WHERE order_id = {refunded}",
            "UPDATE orders_order SET refunded_fen = 1001 WHERE id = {refunded}",
        ],
        "is succeeded of 1000 fen, its refunds are 1001 fen",
    ),
    "an order called refunded whose money is here": (
        7,
        [
            "UPDATE payments_refund SET status = 'pending' WHERE order_id = {refunded}",
            "UPDATE orders_order SET refunded_fen = 0 WHERE id = {refunded}",
        ],
        "order {refunded_no}: is refunded of 1000 fen, kept 1 payments of 1000 fen,"
        " says 0 fen refunded where refunds have 0",
    ),
    "a take given back twice": (
        8,
        [
            "UPDATE orders_orderline SET given_back = 2 WHERE order_id = {cancelled}",
            "UPDATE pools_poolmovement SET delta = 2"
            " WHERE reference = '{cancelled_no}' AND kind = 'give_back'",
            "UPDATE pools_pool SET available = available + 1, taken = taken - 1 WHERE id = {pool}",
        ],
        "pool {pool}, {cancelled_no}: gave back 2 of 1",
    ),
    "a move that no table allows": (
        8,
        ["UPDATE orders_ordermove SET source = 'shipped' WHERE order_id = {cancelled}"],
        "order {cancelled_no}: is cancelled, moved shipped -> cancelled after nothing",
    ),
    "a history that does not end where the order is": (
        8,
        [MOVE % ("paid", "paid", "accepted")],
        "order {paid_no}: is paid, moved paid -> accepted after paid",
    ),
    "a history with a gap": (
        8,
        ["DELETE FROM orders_ordermove WHERE order_id = {refunded} AND target = 'refunding'"],
        "order {refunded_no}: is refunded, moved refunding -> refunded after paid",
    ),
    "an order that is somewhere without having moved": (
        8,
        ["DELETE FROM orders_ordermove WHERE order_id = {cancelled}"],
        "order {cancelled_no}: is cancelled and never moved",
    ),
}


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_breaks_its_promise_alone_and_names_the_row(name: str, shop: Shop) -> None:
    number, statements, row = BREACHES[name]

    plant(*statements, shop=shop)

    broken = audit().broken
    assert list(broken) == [number]
    assert any(row.format(**shop.columns()) in line for line in broken[number]), broken


# --- sales: limits, transfers, batches


def test_a_sale_in_order_keeps_every_promise(sale_shop: SaleShop) -> None:
    report = audit()

    assert report.broken == {}
    # One transfer, of 10; taken by the settled and the direct order, and given back by the other.
    assert report.figures(1) == {"pools": 2, "available": 18, "taken": 2, "transfers": 1}
    assert report.figures(2)["pending"] == 1


SALE_BREACHES = {
    "a transfer of which more arrives than left": (
        1,
        [
            "UPDATE pools_pool SET available = available + 1 WHERE id = {pool}",
            "UPDATE pools_poolmovement SET delta = delta + 1"
            " WHERE pool_id = {pool} AND kind = 'transfer'",
        ],
        "transfer {transfer}: +1",
    ),
    "a transfer that never arrives": (
        1,
        [
            "UPDATE pools_pool SET available = available - 10 WHERE id = {pool}",
            "UPDATE pools_pool SET available = available + 2 WHERE id = {pool}",
            MOVEMENT % ("{pool}", "adjust", 2, "so that it is not below zero"),
            "DELETE FROM pools_poolmovement WHERE pool_id = {pool} AND kind = 'transfer'",
        ],
        "transfer {transfer}: -10",
    ),
    "a batch that took more than its orders hold": (
        1,
        [
            "UPDATE pools_pool SET available = available - 1, taken = taken + 1 WHERE id = {pool}",
            "UPDATE pools_poolmovement SET delta = delta - 1 WHERE reference = '{batch}'",
        ],
        "pool {pool}, {batch}: take of 3, held as 2",
    ),
    "an order settled by a batch that never was": (
        1,
        ["UPDATE orders_orderline SET reference = 'batch-0' WHERE order_id = {settled}"],
        "pool {pool}, batch-0: orders_orderline holds 1 taken and 0 given back by {settled_no},"
        " which no movement tells of",
    ),
    "a pending order with its units": (
        2,
        ["UPDATE orders_order SET status = 'pending' WHERE id = {direct}"],
        "order {direct_no}: was promised 0 of pool {pool} at 100 fen, its lines have 1",
    ),
    "a user with more than the limit": (
        3,
        ["UPDATE pools_pool SET per_user_limit = 1 WHERE id = {pool}"],
        "pool {pool}: user {first} holds 2, the limit is 1",
    ),
    "a user who is counted with more than they hold": (
        3,
        [
            "UPDATE pools_pooluser SET taken = taken + 1"
            " WHERE pool_id = {pool} AND user_id = {second}"
        ],
        "pool {pool}: user {second} is counted with 1, and holds 0",
    ),
    "a user who is counted with less than they hold": (
        3,
        ["UPDATE pools_pooluser SET taken = 1 WHERE pool_id = {pool} AND user_id = {first}"],
        "pool {pool}: user {first} is counted with 1, and holds 2",
    ),
    "a user who is not counted": (
        3,
        ["DELETE FROM pools_pooluser WHERE pool_id = {pool} AND user_id = {first}"],
        "pool {pool}: user {first} is counted with 0, and holds 2",
    ),
    "a user who is counted in a pool where nobody holds any": (
        3,
        [
            "UPDATE pools_pool SET per_user_limit = 9 WHERE id = {sku_pool}",
            "INSERT INTO pools_pooluser (pool_id, user_id, taken) VALUES ({sku_pool}, {first}, 1)",
        ],
        "pool {sku_pool}: user {first} is counted with 1, and holds 0",
    ),
    "an order of a batch given back twice": (
        8,
        [
            "UPDATE orders_orderline SET given_back = 2 WHERE order_id = {cancelled}",
            "UPDATE pools_poolmovement SET delta = 2"
            " WHERE reference = '{cancelled_no}' AND kind = 'give_back'",
            "UPDATE pools_pool SET available = available + 1, taken = taken - 1 WHERE id = {pool}",
            # Taken and given back by another hand, so that what the user is counted with is right.
            "UPDATE pools_pool SET per_user_limit = NULL WHERE id = {pool}",
            "DELETE FROM pools_pooluser WHERE pool_id = {pool}",
        ],
        "pool {pool}, {cancelled_no}: gave back 2 of 1",
    ),
}


@pytest.mark.parametrize("name", SALE_BREACHES)
def test_a_breach_of_a_sale_breaks_its_promise_alone_and_names_the_row(
    name: str, sale_shop: SaleShop
) -> None:
    number, statements, row = SALE_BREACHES[name]
    row = row.format(**sale_shop.columns())

    plant(*statements, shop=sale_shop)

    broken = audit().broken
    assert list(broken) == [number]
    assert any(row in line for line in broken[number]), broken


# --- what stays too long


@pytest.mark.parametrize(
    ("state", "column", "grace"),
    [("pending", "created_at", 60), ("unpaid", "expires_at", 60), ("closing", "expires_at", 3600)],
)
def test_what_stays_too_long_is_named_with_its_age(
    state: str, column: str, grace: int, shop: Shop
) -> None:
    # A pending order has no lines yet and holds nothing.
    arrive = {
        "pending": [
            "DELETE FROM orders_orderline WHERE order_id = {unpaid}",
            "DELETE FROM pools_poolmovement WHERE reference = '{unpaid_no}'",
            "UPDATE pools_pool SET available = available + 1, taken = taken - 1 WHERE id = {pool}",
            "UPDATE orders_order SET status = 'pending' WHERE id = {unpaid}",
        ],
        "unpaid": [],
        "closing": [
            "UPDATE orders_order SET status = 'closing' WHERE id = {unpaid}",
            MOVE % ("unpaid", "unpaid", "closing"),
        ],
    }[state]
    since = f"UPDATE orders_order SET {column} = %s WHERE id = {{unpaid}}"  # noqa: S608
    plant(*arrive, since % ago(grace - 20), shop=shop)
    in_time = audit()
    plant(since % ago(grace + 20), shop=shop)
    too_long = audit()

    assert in_time.ok
    assert in_time.figures(2)[state] == 1
    assert grace - 20 <= in_time.figures(2)[f"oldest_{state}_seconds"] <= grace
    assert list(too_long.broken) == [2]
    [line] = too_long.broken[2]
    age = int(line.removeprefix(f"order {shop.unpaid.order_no}: is {state}, ").split()[0])
    assert grace + 20 <= age <= grace + 60


def test_two_orders_with_one_key_break_promise_3(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make_shop()
    every = Order._meta.constraints
    [unique] = [one for one in every if one.name == "order_idempotency_key"]
    # SQLite makes the table anew from what the model says.
    monkeypatch.setattr(Order._meta, "constraints", [one for one in every if one is not unique])
    with connection.schema_editor() as editor:
        editor.remove_constraint(Order, unique)
    try:
        Order.objects.filter(pk=shop.cancelled.pk).update(
            idempotency_key=shop.unpaid.idempotency_key
        )
        broken = audit().broken
    finally:
        Order.objects.filter(pk=shop.cancelled.pk).update(idempotency_key="another")
        monkeypatch.setattr(Order._meta, "constraints", every)
        with connection.schema_editor() as editor:
            editor.add_constraint(Order, unique)

    again = f'the key of user {shop.user.pk} at "orders" is used again'
    assert broken == {3: [f"order_no {shop.cancelled.order_no}: {again}"]}


def test_a_long_list_of_breaches_is_cut_short(db: None) -> None:
    for _ in range(NAMED + 5):
        make_sku(stock=1)
    Pool.objects.update(available=2)

    [lines] = audit().broken.values()

    assert len(lines) == NAMED + 1
    assert lines[-1] == "and more"
