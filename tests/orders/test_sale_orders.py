"""POST /flash-sales/{id}/orders: what it answers and stores, by both doors and both placements."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from goods.models import Sku
from goods.sales.models import FlashSale
from goods.sales.services import sale_end, sale_pause, sale_resume
from orders import lifecycle
from orders.models import Order, OrderLine
from shop.accounts.models import User
from shop.pools.audit import audit
from shop.pools.models import Placement, PoolMovement
from tests.factories import (
    make_address,
    make_goods,
    make_sale,
    make_sku,
    make_user,
    overdue,
    pay,
    place_in,
    switch,
)
from tests.kit.doors import Door, Reply
from tests.kit.units import counters, held_by
from tests.orders.settling import settle

# The front door looks at its connection as a process does, which no open transaction survives.
pytestmark = [pytest.mark.django_db(transaction=True)]

STOCK, PRICE_FEN = 10, 100


@pytest.fixture
def tea() -> Sku:
    return make_sku(stock=20, price_fen=900, goods=make_goods("茶", title_en="Tea"))


@pytest.fixture
def sale(tea: Sku, placement: Placement) -> FlashSale:
    """10 units at 100 fen, at most 2 for one shopper."""
    return make_sale(tea, total=STOCK, price_fen=PRICE_FEN, per_user_limit=2, placement=placement)


def order_of(reply: Reply) -> Order:
    return Order.objects.get(order_no=reply.body["order_no"])


def look(login, user: User, reply: Reply) -> dict:
    """The order as its owner sees it now."""
    answer = login(user).get(f"/api/v1/orders/{reply.body['order_no']}")
    assert answer.status_code == 200
    return answer.json()


def assert_nothing_happened(sale: FlashSale) -> None:
    assert not Order.objects.exists()
    assert counters(sale.pool) == (sale.total, 0)
    assert not PoolMovement.objects.filter(kind="take").exists()


# --- what is answered


def test_direct_answers_201_with_the_order_and_its_units_taken(
    door: Door, tea: Sku, shopper: User
) -> None:
    sale = make_sale(tea, total=STOCK, price_fen=PRICE_FEN, placement="direct", per_user_limit=2)

    reply = door.post(shopper, sale.pk, {"count": 2})

    assert reply.status == 201
    assert not reply.is_replay
    assert not {"Location", "Retry-After"} & set(reply.headers)
    order = order_of(reply)
    assert reply.body["status"] == order.status == "unpaid"
    assert reply.body["kind"] == "flash_sale"
    assert reply.body["items"] == [
        {"sku": tea.pk, "goods_title": "茶", "spec": "500 g", "price_fen": 100, "count": 2}
    ]
    money = [reply.body[f"{name}_fen"] for name in ("goods", "freight", "discount", "total")]
    assert money == [200, 0, 0, 200]
    assert reply.body["address"] is None
    wait = datetime.fromisoformat(reply.body["expires_at"]) - order.created_at
    assert wait == timedelta(seconds=300)
    assert counters(sale.pool) == (8, 2)
    assert held_by(shopper.pk, sale.pool) == 2
    assert order.lines.get().reference == order.order_no
    assert (order.sale_id, order.token_id, order.queue_id) == (sale.pk, None, None)
    assert audit().broken == {}


def test_queued_answers_202_with_a_number_and_where_to_look(
    door: Door, tea: Sku, shopper: User, login
) -> None:
    sale = make_sale(tea, total=STOCK, placement="queued", per_user_limit=2)

    reply = door.post(shopper, sale.pk, {"count": 2})

    order = order_of(reply)
    assert reply.status == 202
    assert reply.body == {"order_no": order.order_no, "status": "pending"}
    assert reply.headers["Location"] == f"/api/v1/orders/{order.order_no}"
    assert reply.headers["Retry-After"] == "1"
    assert login(shopper).get(reply.headers["Location"]).json()["status"] == "pending"
    assert not order.lines.exists()
    assert (counters(sale.pool), held_by(shopper.pk, sale.pool)) == ((10, 0), 0)

    settle(sale)

    seen = look(login, shopper, reply)
    assert (seen["status"], seen["failure"]) == ("unpaid", None)
    settled_at = order.moves.get().created_at
    wait = datetime.fromisoformat(seen["expires_at"]) - settled_at
    assert wait == timedelta(seconds=300)
    assert counters(sale.pool) == (8, 2)
    assert held_by(shopper.pk, sale.pool) == 2
    assert audit().broken == {}


def test_accepting_a_queued_order_writes_one_row_and_touches_no_counter(
    door: Door, shopper: User
) -> None:
    sale = make_sale(placement="queued")
    other = make_user()
    door.post(shopper, sale.pk, {"count": 1})

    with CaptureQueriesContext(connection) as captured:
        door.post(other, sale.pk, {"count": 1})

    sent = [query["sql"].replace("`", "").replace('"', "") for query in captured]
    writes = [sql.split(" (")[0] for sql in sent if not sql.startswith("SELECT")]
    assert writes == ["INSERT INTO orders_order"]
    assert not [sql for sql in sent if "FOR UPDATE" in sql]


def test_a_repeat_has_the_first_status_and_the_order_as_it_is_now(
    door: Door, sale: FlashSale, placement: Placement, shopper: User
) -> None:
    first = door.post(shopper, sale.pk, {"count": 1}, key="k")
    at_once = door.post(shopper, sale.pk, {"count": 1}, key="k")
    settle(sale)
    settled = door.post(shopper, sale.pk, {"count": 1}, key="k")
    pay(shopper, order_of(first))
    paid = door.post(shopper, sale.pk, {"count": 1}, key="k")

    accepted = 202 if placement == Placement.QUEUED else 201
    repeats = [at_once, settled, paid]
    assert [reply.status for reply in [first, *repeats]] == [accepted] * 4
    assert [reply.is_replay for reply in [first, *repeats]] == [False, True, True, True]
    assert {reply.body["order_no"] for reply in repeats} == {first.body["order_no"]}
    assert [reply.body["status"] for reply in repeats] == [
        "pending" if placement == Placement.QUEUED else "unpaid",
        "unpaid",
        "paid",
    ]
    # The whole order, not the first answer's two members.
    assert {reply.body["total_fen"] for reply in repeats} == {PRICE_FEN}
    assert [reply.headers.get("Location") for reply in repeats] == [
        first.headers.get("Location")
    ] * 3
    assert counters(sale.pool) == (9, 1)


def test_a_repeat_finds_a_failed_and_a_cancelled_order_too(door: Door, tea: Sku, login) -> None:
    sale = make_sale(tea, total=1, placement="queued")
    winner, loser = make_user(), make_user()
    for user in (winner, loser):
        door.post(user, sale.pk, {"count": 1}, key="k")
    settle(sale)
    lifecycle.order_cancel(user=winner, order_no=Order.objects.get(user=winner).order_no)

    won = door.post(winner, sale.pk, {"count": 1}, key="k")
    lost = door.post(loser, sale.pk, {"count": 1}, key="k")

    assert (won.status, won.body["status"], won.body["failure"]) == (202, "cancelled", None)
    assert (lost.status, lost.body["status"]) == (202, "failed")
    assert lost.body["failure"] == {"code": "sold_out"}


def test_a_repeat_is_answered_after_the_end_and_when_nothing_is_left(
    door: Door, sale: FlashSale, shopper: User
) -> None:
    first = door.post(shopper, sale.pk, {"count": 1}, key="k")
    sale_end(sale)
    # Which this process now remembers.
    assert door.post(make_user(), sale.pk, {"count": 1}).refusal == (409, "ended")

    again = door.post(shopper, sale.pk, {"count": 1}, key="k")

    assert (again.status, again.is_replay) == (first.status, True)
    assert again.body["status"] == "unpaid"


def test_a_key_is_for_one_request_of_one_user(
    door: Door, sale: FlashSale, placement: Placement, shopper: User
) -> None:
    other_sale = make_sale(placement=placement)
    first = door.post(shopper, sale.pk, {"count": 1}, key="k")

    assert door.post(shopper, sale.pk, {"count": 2}, key="k").refusal == (
        422,
        "idempotency_key_reused",
    )
    assert door.post(shopper, other_sale.pk, {"count": 1}, key="k").refusal == (
        422,
        "idempotency_key_reused",
    )
    other = door.post(make_user(), sale.pk, {"count": 1}, key="k")
    assert other.status == first.status
    assert not other.is_replay
    assert other.body["order_no"] != first.body["order_no"]
    settle(sale)
    assert counters(sale.pool) == (8, 2)
    assert counters(other_sale.pool) == (10, 0)


def test_without_a_key_or_with_a_bad_one_nothing_is_stored(sale: FlashSale, login) -> None:
    client = login(make_user())
    path = f"/api/v1/flash-sales/{sale.pk}/orders"

    missing = client.post(path, {"count": 1})
    assert (missing.status_code, missing.json()["code"]) == (400, "idempotency_key_required")
    for bad in ("", "k" * 256, "k\x07", "é"):
        answer = client.post(path, {"count": 1}, HTTP_IDEMPOTENCY_KEY=bad)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert_nothing_happened(sale)


# --- what is refused


def test_before_its_time_a_sale_says_when(door: Door, placement: Placement, shopper: User) -> None:
    sale = make_sale(starts_in=timedelta(minutes=5), placement=placement)

    reply = door.post(shopper, sale.pk, {"count": 1})

    assert reply.refusal == (409, "not_started")
    assert datetime.fromisoformat(reply.body["starts_at"]) == sale.starts_at
    assert_nothing_happened(sale)


@pytest.mark.parametrize("how", ["its time is up", "an operator ended it", "ended before it began"])
def test_after_its_end_a_sale_is_over(
    how: str, door: Door, placement: Placement, shopper: User
) -> None:
    if how == "its time is up":
        sale = make_sale(
            starts_in=timedelta(hours=-2), ends_in=timedelta(seconds=-1), placement=placement
        )
    elif how == "an operator ended it":
        sale = make_sale(placement=placement)
        sale_end(sale)
    else:
        sale = make_sale(starts_in=timedelta(minutes=5), placement=placement)
        sale_end(sale)

    assert door.post(shopper, sale.pk, {"count": 1}).refusal == (409, "ended")
    assert not Order.objects.exists()


def test_a_paused_sale_says_so_until_it_goes_on(
    door: Door, sale: FlashSale, shopper: User, operator: User
) -> None:
    sale_pause(sale, operator=operator)
    assert door.post(shopper, sale.pk, {"count": 1}, key="k").refusal == (409, "paused")
    assert_nothing_happened(sale)

    sale_resume(sale, operator=operator)
    assert door.post(shopper, sale.pk, {"count": 1}, key="k").status in (201, 202)


def test_what_there_is_none_of_is_sold_out(door: Door, placement: Placement, shopper: User) -> None:
    sale = make_sale(total=1, placement=placement)
    place_in(sale, make_user())
    settle(sale)

    reply = door.post(shopper, sale.pk, {"count": 1})

    assert reply.refusal == (409, "sold_out")
    assert reply.body["sku"] == sale.sku_id
    assert Order.objects.count() == 1
    assert counters(sale.pool) == (0, 1)


def test_fewer_than_asked_for_says_how_many(
    door: Door, placement: Placement, shopper: User
) -> None:
    sale = make_sale(total=3, placement=placement, per_user_limit=None)

    reply = door.post(shopper, sale.pk, {"count": 4})

    assert reply.refusal == (409, "insufficient_stock")
    assert (reply.body["sku"], reply.body["available"]) == (sale.sku_id, 3)
    assert_nothing_happened(sale)


def test_more_than_the_limit_at_once_is_refused(door: Door, sale: FlashSale, shopper: User) -> None:
    reply = door.post(shopper, sale.pk, {"count": 3})

    assert reply.refusal == (409, "purchase_limit")
    assert reply.body["limit"] == 2
    assert_nothing_happened(sale)


def test_the_limit_holds_over_all_orders_of_a_shopper(
    door: Door, sale: FlashSale, placement: Placement, shopper: User, login
) -> None:
    door.post(shopper, sale.pk, {"count": 1})
    second = door.post(shopper, sale.pk, {"count": 2})
    third = door.post(shopper, sale.pk, {"count": 1})
    settle(sale)

    if placement == Placement.DIRECT:
        assert second.refusal == (409, "purchase_limit")
        assert second.body["limit"] == 2
    else:
        seen = look(login, shopper, second)
        assert (seen["status"], seen["failure"]) == ("failed", {"code": "purchase_limit"})
    assert look(login, shopper, third)["status"] == "unpaid"
    assert held_by(shopper.pk, sale.pool) == 2
    assert counters(sale.pool) == (8, 2)
    assert audit().broken == {}


def test_without_a_limit_a_shopper_may_have_all(
    door: Door, placement: Placement, shopper: User
) -> None:
    sale = make_sale(total=5, per_user_limit=None, placement=placement)
    for count in (2, 3):
        assert door.post(shopper, sale.pk, {"count": count}).status in (201, 202)
    settle(sale)
    assert counters(sale.pool) == (0, 5)
    assert held_by(shopper.pk, sale.pool) == 0


def test_a_sale_that_is_not_there_is_not_found(door: Door, shopper: User) -> None:
    assert door.post(shopper, 987654, {"count": 1}).refusal == (404, "not_found")


def test_nobody_orders_without_a_token_of_access(sale: FlashSale, api) -> None:
    answer = api.post(f"/api/v1/flash-sales/{sale.pk}/orders", {"count": 1})
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"count": 0},
        {"count": -1},
        {"count": 2**31},
        {"count": 2**64},
        {"count": 1.5},
        {"count": "1"},
        {"count": True},
        {"count": None},
        {"count": 1, "address": "1"},
        {"count": 1, "address": 0},
        {"count": 1, "token": 7},
        {"count": 1, "token": "t" * 501},
    ],
    ids=str,
)
def test_a_body_that_is_not_as_declared_is_invalid(body: dict, sale: FlashSale, login) -> None:
    answer = login(make_user()).post(
        f"/api/v1/flash-sales/{sale.pk}/orders", body, headers={"Idempotency-Key": "k"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert_nothing_happened(sale)


def test_what_is_not_the_shoppers_to_say_changes_nothing(
    sale: FlashSale, shopper: User, login
) -> None:
    other = make_user()
    extra = {
        "price_fen": 1,
        "total_fen": 0,
        "status": "paid",
        "user": other.pk,
        "user_id": other.pk,
        "is_staff": True,
        "paid_at": "2026-01-01T00:00:00Z",
        "number": 1,
        "order_no": "0" * 24,
        "sale": 1,
        "token_id": "0" * 32,
    }
    login(shopper).post(
        f"/api/v1/flash-sales/{sale.pk}/orders",
        {"count": 1, **extra},
        headers={"Idempotency-Key": "k"},
    )
    settle(sale)

    order = Order.objects.get()
    assert (order.user_id, order.status, order.total_fen) == (shopper.pk, "unpaid", PRICE_FEN)
    assert (order.sale_id, order.token_id, order.paid_at) == (sale.pk, None, None)
    assert order.order_no != "0" * 24


# --- who may not


def test_a_disabled_user_gets_nothing(
    door: Door, sale: FlashSale, placement: Placement, shopper: User
) -> None:
    """The token of access is good for minutes after its user was disabled."""
    User.objects.filter(pk=shopper.pk).update(is_active=False)

    reply = door.post(shopper, sale.pk, {"count": 1})
    settle(sale)

    assert counters(sale.pool) == (10, 0)
    assert held_by(shopper.pk, sale.pool) == 0
    if placement == Placement.DIRECT:
        assert reply.refusal == (403, "permission_denied")
        assert not Order.objects.exists()
    else:
        order = order_of(reply)
        assert (order.status, order.failure) == ("failed", "permission_denied")
        assert not order.lines.exists()
    assert audit().broken == {}


# --- where it goes


def test_an_address_may_come_along(
    door: Door, sale: FlashSale, placement: Placement, shopper: User
) -> None:
    address = make_address(shopper)

    reply = door.post(shopper, sale.pk, {"count": 1, "address": address.pk})

    assert order_of(reply).address["detail"] == "1 Long Road"


def test_another_users_address_is_not_found(door: Door, sale: FlashSale, shopper: User) -> None:
    address = make_address(make_user())
    reply = door.post(shopper, sale.pk, {"count": 1, "address": address.pk})
    assert reply.refusal == (404, "not_found")
    assert_nothing_happened(sale)


def put_address(login, user: User, order: Order, address_id: int):
    return login(user).put(f"/api/v1/orders/{order.order_no}/address", {"address": address_id})


def test_an_address_may_come_later_and_then_stands(
    sale: FlashSale, placement: Placement, shopper: User, login
) -> None:
    order, home = place_in(sale, shopper), make_address(shopper)

    first = put_address(login, shopper, order, home.pk)
    again = put_address(login, shopper, order, home.pk)
    home.detail = "2 Short Road"
    home.save()
    other = put_address(login, shopper, order, home.pk)

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["address"]["detail"] == "1 Long Road"
    assert (other.status_code, other.json()["code"]) == (409, "order_state")
    settle(sale)
    order.refresh_from_db()
    assert (order.status, order.address["detail"]) == ("unpaid", "1 Long Road")


def test_an_address_is_for_ones_own_orders_with_ones_own_addresses(
    sale: FlashSale, shopper: User, login
) -> None:
    order, other = place_in(sale, shopper), make_user()
    theirs = make_address(other)

    assert put_address(login, other, order, theirs.pk).status_code == 404
    assert put_address(login, shopper, order, theirs.pk).status_code == 404
    assert put_address(login, shopper, order, 987654).status_code == 404
    order.refresh_from_db()
    assert order.address is None


def test_an_order_that_is_over_takes_no_address(sale: FlashSale, shopper: User, login) -> None:
    order = place_in(sale, shopper)
    lifecycle.order_cancel(user=shopper, order_no=order.order_no)

    answer = put_address(login, shopper, order, make_address(shopper).pk)

    assert (answer.status_code, answer.json()["code"]) == (409, "order_state")
    assert answer.json()["order_status"] == "cancelled"


# --- what comes back


def test_a_pending_order_that_is_cancelled_is_never_settled(shopper: User, login) -> None:
    sale = make_sale(placement="queued", per_user_limit=1)
    order = place_in(sale, shopper)

    answer = login(shopper).post(f"/api/v1/orders/{order.order_no}/cancel")
    settle(sale)

    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    order.refresh_from_db()
    assert (order.status, order.queue_id) == ("cancelled", None)
    assert (counters(sale.pool), OrderLine.objects.count()) == ((10, 0), 0)
    assert audit().broken == {}
    # The limit is untouched too.
    place_in(sale, shopper)
    settle(sale)
    assert counters(sale.pool) == (9, 1)


@pytest.mark.parametrize("how", ["cancelled", "expired"])
def test_an_order_that_is_not_paid_gives_back_its_units_and_the_limit(
    how: str, placement: Placement, shopper: User
) -> None:
    sale = make_sale(placement=placement, per_user_limit=2)
    order = place_in(sale, shopper, 2)
    settle(sale)
    assert (counters(sale.pool), held_by(shopper.pk, sale.pool)) == ((8, 2), 2)

    if how == "cancelled":
        lifecycle.order_cancel(user=shopper, order_no=order.order_no)
    else:
        overdue(order)
        assert lifecycle.orders_expire() == 1

    order.refresh_from_db()
    assert order.status == how
    assert (counters(sale.pool), held_by(shopper.pk, sale.pool)) == ((10, 0), 0)
    back = PoolMovement.objects.get(kind="give_back")
    assert (back.reference, back.delta) == (order.order_no, 2)
    assert audit().broken == {}
    place_in(sale, shopper, 2)
    settle(sale)
    assert held_by(shopper.pk, sale.pool) == 2


# --- the rest of the terms


def test_a_sale_of_nothing_to_pay_is_paid_with_its_units(
    door: Door, placement: Placement, shopper: User, login
) -> None:
    sale = make_sale(price_fen=0, placement=placement)

    reply = door.post(shopper, sale.pk, {"count": 1})
    settle(sale)

    seen = look(login, shopper, reply)
    assert (seen["status"], seen["total_fen"], seen["expires_at"]) == ("paid", 0, None)
    assert seen["paid_at"] is not None
    assert counters(sale.pool) == (9, 1)
    assert audit().broken == {}


def test_placement_may_be_switched_while_a_sale_runs(door: Door, shopper: User) -> None:
    sale = make_sale(total=2, placement="queued", per_user_limit=None)

    waiting = door.post(shopper, sale.pk, {"count": 1})
    switch(sale, "direct")
    at_once = door.post(shopper, sale.pk, {"count": 1})
    switch(sale, "queued")
    last = door.post(shopper, sale.pk, {"count": 1})
    settle(sale)

    assert [reply.status for reply in (waiting, at_once, last)] == [202, 201, 202]
    assert [order_of(reply).status for reply in (waiting, at_once)] == ["unpaid", "unpaid"]
    assert (order_of(last).status, order_of(last).failure) == ("failed", "sold_out")
    assert counters(sale.pool) == (0, 2)
    assert audit().broken == {}
