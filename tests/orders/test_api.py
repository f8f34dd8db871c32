"""Cart, checkout, orders and payments as a client sees them: over HTTP, at the real addresses."""

import json
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders import lifecycle
from orders.cart import cart_lines
from orders.models import Order
from orders.payments import refunding
from orders.payments.models import Payment, Refund
from orders.serializers import MAX_COUNT
from shop.accounts.models import User
from shop.pools.models import PoolMovement
from tests.factories import (
    make_address,
    make_goods,
    make_shipping,
    make_sku,
    make_user,
    overdue,
    pay,
    place,
    start_payment,
)

pytestmark = [pytest.mark.django_db]

V1 = "/api/v1"


@pytest.fixture
def client(login, shopper):
    return login(shopper)


@pytest.fixture
def address(shopper):
    return make_address(shopper)


@pytest.fixture
def tea():
    return make_sku(stock=10, price_fen=1050, goods=make_goods("茶", title_en="Tea"))


@pytest.fixture
def order(shopper, tea):
    return place(shopper, {tea: 3})


def post(client, path, body, *, key=None):
    """A POST with an Idempotency-Key, of its own unless `key` says which."""
    return client.post(
        f"{V1}{path}", body, headers={"Idempotency-Key": uuid4().hex if key is None else key}
    )


def post_raw(client, path, text):
    return client.post(
        f"{V1}{path}",
        text,
        content_type="application/json",
        headers={"Idempotency-Key": uuid4().hex},
    )


def refused(response):
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    return response.status_code, body["code"]


def fields_of(response):
    return [error["field"] for error in response.json()["errors"]]


def line(sku, number):
    return {"sku": sku.pk, "count": number}


def untouched(sku, stock=10):
    sku.pool.refresh_from_db()
    return (
        (sku.stock, sku.sold) == (stock, 0)
        and not Order.objects.exists()
        and not PoolMovement.objects.filter(kind="take").exists()
    )


# --- cart


def test_a_cart_is_what_was_put_into_it(client, tea):
    pot = make_sku(price_fen=9900, stock=1)
    client.put(f"{V1}/cart/items/{tea.pk}", {"count": 1})
    client.put(f"{V1}/cart/items/{pot.pk}", {"count": 1})
    answer = client.put(f"{V1}/cart/items/{tea.pk}", {"count": 2})
    assert answer.status_code == 200
    assert answer.json() == client.get(f"{V1}/cart").json()
    assert answer.json() == {
        "items": [
            {
                "sku": tea.pk,
                "goods_title": "茶",
                "spec": "500 g",
                "price_fen": 1050,
                "count": 2,
                "available": 10,
                "subtotal_fen": 2100,
            },
            {
                "sku": pot.pk,
                "goods_title": "茶",
                "spec": "500 g",
                "price_fen": 9900,
                "count": 1,
                "available": 1,
                "subtotal_fen": 9900,
            },
        ],
        "total_fen": 12000,
    }
    for _ in range(2):
        answer = client.delete(f"{V1}/cart/items/{tea.pk}")
        assert (answer.status_code, answer.content) == (204, b"")
    assert [item["sku"] for item in client.get(f"{V1}/cart").json()["items"]] == [pot.pk]


def test_a_cart_is_its_shoppers_own(client, login, shopper, tea):
    client.put(f"{V1}/cart/items/{tea.pk}", {"count": 2})
    other = login(make_user())
    assert other.get(f"{V1}/cart").json() == {"items": [], "total_fen": 0}
    other.delete(f"{V1}/cart/items/{tea.pk}")
    assert cart_lines(shopper) == {tea.pk: 2}


def test_what_is_not_on_sale_does_not_go_into_a_cart(client, shopper, tea):
    type(tea).objects.update(on_shelf=False)
    assert refused(client.put(f"{V1}/cart/items/{tea.pk}", {"count": 1})) == (404, "not_found")
    assert refused(client.put(f"{V1}/cart/items/999999", {"count": 1})) == (404, "not_found")
    assert cart_lines(shopper) == {}


# --- quote


def test_a_quote_is_the_price_and_takes_nothing(client, tea):
    make_shipping(fee_fen=800, free_above_fen=9900)
    answer = client.post(f"{V1}/orders/quote", {"items": [line(tea, 2)]})
    assert answer.status_code == 200
    assert answer.json() == {
        "lines": [
            {
                "sku": tea.pk,
                "goods_title": "茶",
                "spec": "500 g",
                "price_fen": 1050,
                "count": 2,
                "subtotal_fen": 2100,
                "discount_fen": 0,
            }
        ],
        "goods_fen": 2100,
        "freight_fen": 800,
        "discount_fen": 0,
        "total_fen": 2900,
    }
    assert untouched(tea)


def test_a_quote_of_a_shipping_method_is_its_freight(client, address, tea):
    make_shipping(fee_fen=800)
    express = make_shipping(fee_fen=2000)
    body = {"items": [line(tea, 1)], "address": address.pk, "shipping_method": express.pk}
    assert client.post(f"{V1}/orders/quote", body).json()["freight_fen"] == 2000
    body["shipping_method"] = 999_999
    assert refused(client.post(f"{V1}/orders/quote", body)) == (404, "not_found")


def test_shipping_methods_are_public_and_in_the_readers_language(api):
    offered = make_shipping(fee_fen=800, free_above_fen=9900)
    gone = make_shipping()
    type(gone).objects.filter(pk=gone.pk).update(is_active=False)
    row = {
        "id": offered.pk,
        "fee_fen": 800,
        "free_above_fen": 9900,
        "kind": "flat",
        "first_grams": 0,
        "step_grams": None,
        "step_fee_fen": 0,
        "regions": None,
    }
    assert api.get(f"{V1}/shipping-methods").json() == [row | {"name": "快递"}]
    english = api.get(f"{V1}/shipping-methods", headers={"Accept-Language": "en"})
    assert english.json() == [row | {"name": "Courier"}]


def test_the_ways_to_pay_are_public_and_those_that_are_switched_on(api, settings):
    wallet = {"provider": "wallet", "where": "anywhere", "tops_up": False}
    sandbox = {"provider": "sandbox", "where": "anywhere", "tops_up": True}
    wechat = {"provider": "wechat", "where": "mini_program", "tops_up": True}
    assert api.get(f"{V1}/payment-methods").json() == [wallet, sandbox]

    settings.WECHAT_PAY_MCHID = "1230000109"
    assert api.get(f"{V1}/payment-methods").json() == [wallet, sandbox, wechat]
    settings.SANDBOX_PAYMENTS = False
    settings.WECHAT_PAY_MCHID = ""
    assert api.get(f"{V1}/payment-methods").json() == [wallet]


def test_titles_are_in_the_language_of_who_reads_or_orders(client, address, tea):
    body = {"items": [line(tea, 1)], "address": address.pk}
    english = {"Accept-Language": "en"}
    quote = client.post(f"{V1}/orders/quote", body, headers=english)
    assert quote.json()["lines"][0]["goods_title"] == "Tea"
    client.put(f"{V1}/cart/items/{tea.pk}", {"count": 1})
    cart = client.get(f"{V1}/cart", headers=english)
    assert cart.json()["items"][0]["goods_title"] == "Tea"
    placed = client.post(f"{V1}/orders", body, headers=english | {"Idempotency-Key": "in-english"})
    assert placed.json()["items"][0]["goods_title"] == "Tea"
    placed = client.post(f"{V1}/orders", body, headers={"Idempotency-Key": "in-chinese"})
    assert placed.json()["items"][0]["goods_title"] == "茶"


# --- placing


def test_an_order_is_placed_and_read_as_the_contract_says(client, address, tea):
    make_shipping(fee_fen=800)
    body = {"items": [line(tea, 2)], "address": address.pk, "remark": " ring twice "}

    answer = post(client, "/orders", body)

    assert answer.status_code == 201
    assert "Idempotent-Replayed" not in answer
    order = answer.json()
    assert order == {
        "order_no": Order.objects.get().order_no,
        "kind": "goods",
        "status": "unpaid",
        "items": [
            {
                "sku": tea.pk,
                "goods_title": "茶",
                "spec": "500 g",
                "price_fen": 1050,
                "count": 2,
            }
        ],
        "goods_fen": 2100,
        "freight_fen": 800,
        "discount_fen": 0,
        "total_fen": 2900,
        "coupon": None,
        "address": {
            "name": "Li Lei",
            "phone": "13800000000",
            "region": "Shanghai",
            "detail": "1 Long Road",
        },
        "remark": "ring twice",
        "courier": "",
        "tracking_no": "",
        "created_at": order["created_at"],
        "expires_at": order["expires_at"],
        "paid_at": None,
        "refunded_fen": 0,
        "failure": None,
        "server_time": order["server_time"],
    }
    created, expires = (
        datetime.fromisoformat(order[name]) for name in ("created_at", "expires_at")
    )
    assert expires - created == timedelta(seconds=300)
    assert created.utcoffset() == timedelta(hours=8)
    tea.pool.refresh_from_db()
    assert (tea.stock, tea.sold) == (8, 2)
    read = client.get(f"{V1}/orders/{order['order_no']}").json()
    assert read | {"server_time": None} == order | {"server_time": None}


def test_a_one_line_checkout_is_at_most_twelve_statements(client, address, tea):
    make_shipping()
    with CaptureQueriesContext(connection) as captured:
        assert post(client, "/orders", {"items": [line(tea, 1)], "address": address.pk})
    assert len(captured) <= 12, [query["sql"] for query in captured]


def test_a_sku_named_twice_is_merged(client, address, tea):
    body = {"items": [line(tea, 1), line(tea, 2)], "address": address.pk}
    answer = post(client, "/orders", body)
    assert [(item["sku"], item["count"]) for item in answer.json()["items"]] == [(tea.pk, 3)]
    tea.pool.refresh_from_db()
    assert (tea.stock, tea.sold) == (7, 3)


def test_the_cart_is_ordered_and_then_empty(client, address, tea):
    client.put(f"{V1}/cart/items/{tea.pk}", {"count": 2})
    answer = post(client, "/orders", {"from_cart": True, "address": address.pk})
    assert answer.status_code == 201
    assert answer.json()["goods_fen"] == 2100
    assert client.get(f"{V1}/cart").json() == {"items": [], "total_fen": 0}


def test_an_expected_total_is_compared_with_the_one_of_now(client, address, tea):
    body = {"items": [line(tea, 2)], "address": address.pk, "expected_total_fen": 2099}
    answer = post(client, "/orders", body, key="k")
    assert refused(answer) == (409, "price_changed")
    assert answer.json()["total_fen"] == 2100
    assert untouched(tea)
    # A refusal stored nothing: its key is as good as new, for any body.
    body["expected_total_fen"] = 2100
    assert post(client, "/orders", body, key="k").status_code == 201


def test_more_than_there_is_says_how_much_there_is(client, address, tea):
    pot = make_sku(stock=0)
    answer = post(client, "/orders", {"items": [line(tea, 11)], "address": address.pk})
    assert refused(answer) == (409, "insufficient_stock")
    assert (answer.json()["sku"], answer.json()["available"]) == (tea.pk, 10)
    answer = post(client, "/orders", {"items": [line(tea, 1), line(pot, 1)], "address": address.pk})
    assert refused(answer) == (409, "sold_out")
    assert untouched(tea)


# --- what is not valid

COUNTS = [
    "0",
    "-1",
    str(2**31),
    str(2**63),
    str(2**64),
    str(MAX_COUNT + 1),
    "1.5",
    "1.0",
    '"1"',
    "true",
    "null",
    "[1]",
    "{}",
    "NaN",
    "Infinity",
    "1e400",
    "9" * 5000,
]


@pytest.mark.parametrize("count", COUNTS, ids=lambda count: count[:20])
def test_a_count_is_a_small_positive_integer_or_invalid(client, shopper, address, tea, count):
    items = f'"items": [{{"sku": {tea.pk}, "count": {count}}}]'
    for path in ("/orders", "/orders/quote"):
        answer = post_raw(client, path, f'{{{items}, "address": {address.pk}}}')
        assert refused(answer) == (400, "invalid")
    answer = client.put(
        f"{V1}/cart/items/{tea.pk}", f'{{"count": {count}}}', content_type="application/json"
    )
    assert refused(answer) == (400, "invalid")
    assert cart_lines(shopper) == {}
    assert untouched(tea)


@pytest.mark.parametrize("field", ["sku", "address", "shipping_method", "expected_total_fen"])
@pytest.mark.parametrize("value", [-1, 2**63, 2**64, 1.5, "1", True, None, [1], {}])
def test_an_id_or_an_amount_is_an_integer_or_invalid(client, address, tea, field, value):
    body = {"items": [line(tea, 1)], "address": address.pk}
    if field == "sku":
        body["items"][0]["sku"] = value
    else:
        body[field] = value
    answer = post(client, "/orders", body)
    assert refused(answer) == (400, "invalid")
    assert fields_of(answer) == ["items.0.sku" if field == "sku" else field]
    assert untouched(tea)


def test_units_of_one_sku_are_bounded_also_when_merged(client, address):
    tea = make_sku(stock=100_000)
    items = [line(tea, MAX_COUNT), line(tea, 1)]
    for path in ("/orders", "/orders/quote"):
        answer = post(client, path, {"items": items, "address": address.pk})
        assert refused(answer) == (400, "invalid")
        assert fields_of(answer) == ["items"]
    assert untouched(tea, stock=100_000)


def test_a_total_beyond_what_money_can_say_is_invalid(client, address):
    treasure = make_sku(stock=2, price_fen=2**62)
    body = {"items": [{"sku": treasure.pk, "count": 2}], "address": address.pk}

    assert refused(client.post(f"{V1}/orders/quote", body)) == (400, "invalid")
    assert refused(post(client, "/orders", body)) == (400, "invalid")
    assert Order.objects.count() == 0


def test_lines_are_bounded(client, address, tea):
    body = {"items": [line(tea, 1)] * 101, "address": address.pk}
    assert refused(post(client, "/orders", body)) == (400, "invalid")
    body["items"] = [line(tea, 1)] * 100_000
    assert refused(post(client, "/orders", body)) == (413, "payload_too_large")
    assert refused(post(client, "/orders/quote", body)) == (413, "payload_too_large")
    assert untouched(tea)


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"items": []},
        {"items": None},
        {"items": {}},
        {"items": [7]},
        {"items": [{}]},
        {"from_cart": False},
        {"from_cart": "true"},
        {"from_cart": 1},
        {"from_cart": True, "items": "both"},
    ],
    ids=str,
)
def test_an_order_is_of_items_or_of_the_cart(client, address, tea, choice):
    client.put(f"{V1}/cart/items/{tea.pk}", {"count": 1})
    body = {"address": address.pk} | choice
    if body.get("items") == "both":
        body["items"] = [line(tea, 1)]
    assert refused(post(client, "/orders", body)) == (400, "invalid")
    assert untouched(tea)
    assert [item["count"] for item in client.get(f"{V1}/cart").json()["items"]] == [1]


def test_an_order_of_an_empty_cart_is_invalid(client, address):
    answer = post(client, "/orders", {"from_cart": True, "address": address.pk})
    assert refused(answer) == (400, "invalid")
    assert fields_of(answer) == ["items"]


@pytest.mark.parametrize("remark", ["x" * 201, 7, None, "a\0b", "\ud800"])
def test_a_remark_is_text_that_can_be_kept(client, address, tea, remark):
    body = json.dumps({"items": [line(tea, 1)], "address": address.pk, "remark": remark})
    assert refused(post_raw(client, "/orders", body)) == (400, "invalid")
    assert untouched(tea)


def test_what_does_not_exist_is_not_found(client, address, tea):
    wrong_sku = {"items": [line(tea, 1), {"sku": 999_999, "count": 1}], "address": address.pk}
    wrong_address = {"items": [line(tea, 1)], "address": 999_999}
    wrong_method = {"items": [line(tea, 1)], "address": address.pk, "shipping_method": 999_999}
    answer = post(client, "/orders", wrong_sku)
    assert refused(answer) == (404, "not_found")
    assert answer.json()["sku"] == 999_999
    for body in (wrong_address, wrong_method):
        assert refused(post(client, "/orders", body)) == (404, "not_found")
    for body in (wrong_sku, wrong_address, wrong_method):
        assert refused(client.post(f"{V1}/orders/quote", body)) == (404, "not_found")
    for path in ("1" * 24, "1" * 23, "1" * 25, "x" * 24, "0", "-1"):
        assert refused(client.get(f"{V1}/orders/{path}")) == (404, "not_found")
    assert untouched(tea)


# --- idempotency

MALFORMED_KEYS = {
    "empty": "",
    "256 characters": "x" * 256,
    "a million characters": "x" * 10**6,
    "tab": "a\tb",
    "newline": "a\nb",
    "NUL": "a\0b",
    "DEL": "a\x7fb",
    "latin": "clé",
    "Chinese": "钥匙",
}


@pytest.mark.parametrize("key", MALFORMED_KEYS.values(), ids=MALFORMED_KEYS.keys())
def test_a_malformed_key_is_invalid(client, shopper, address, tea, key):
    answer = post(client, "/orders", {"items": [line(tea, 1)], "address": address.pk}, key=key)
    assert refused(answer) == (400, "invalid")
    assert fields_of(answer) == ["Idempotency-Key"]
    assert untouched(tea)


def test_a_key_is_required_where_something_is_created(client, address, tea, order):
    creating = {
        "orders": {"items": [line(tea, 1)], "address": address.pk},
        f"orders/{order.order_no}/pay": {"provider": "sandbox"},
    }
    for path, body in creating.items():
        answer = client.post(f"{V1}/{path}", body)
        assert refused(answer) == (400, "idempotency_key_required")
    assert Order.objects.count() == 1
    assert not Payment.objects.exists()


def test_the_longest_key_of_all_printable_characters_is_a_key(client, address, tea):
    printable = "".join(chr(code) for code in range(0x21, 0x7F))
    key = (printable * 3)[:255]
    body = {"items": [line(tea, 1)], "address": address.pk}
    assert post(client, "/orders", body, key=key).status_code == 201
    assert post(client, "/orders", body, key=key)["Idempotent-Replayed"] == "true"
    assert post(client, "/orders", body, key=key[:-1]).status_code == 201
    assert Order.objects.count() == 2


def test_a_repeat_is_answered_with_the_first_status_and_the_order_as_it_is_now(
    client, shopper, address, tea
):
    body = {"items": [line(tea, 1)], "address": address.pk}
    first = post(client, "/orders", body, key="k")
    order_no = first.json()["order_no"]
    client.post(f"{V1}/orders/{order_no}/cancel")
    # The same request, written by another serialiser; and the world has moved on.
    type(tea).objects.update(on_shelf=False)
    reordered = json.dumps(dict(reversed(body.items())), indent=3)

    again = client.post(
        f"{V1}/orders",
        reordered,
        content_type="application/json",
        headers={"Idempotency-Key": "k"},
    )

    assert (again.status_code, again["Idempotent-Replayed"]) == (201, "true")
    assert (again.json()["order_no"], again.json()["status"]) == (order_no, "cancelled")
    assert Order.objects.count() == 1
    tea.pool.refresh_from_db()
    assert (tea.stock, tea.sold) == (10, 0)


def test_a_repeat_of_an_overdue_order_says_that_it_is_expired(client, address, tea):
    body = {"items": [line(tea, 1)], "address": address.pk}
    post(client, "/orders", body, key="k")
    overdue(Order.objects.get())
    again = post(client, "/orders", body, key="k")
    assert (again.status_code, again.json()["status"]) == (201, "expired")


def test_a_key_is_good_for_one_body(client, address, tea):
    body = {"items": [line(tea, 1)], "address": address.pk}
    post(client, "/orders", body, key="k")
    for other in (body | {"items": [line(tea, 2)]}, body | {"remark": ""}):
        answer = post(client, "/orders", other, key="k")
        assert refused(answer) == (422, "idempotency_key_reused")
        assert "Idempotent-Replayed" not in answer
    assert Order.objects.count() == 1


def test_a_key_is_good_for_one_address(client, shopper, tea):
    first, second = place(shopper, {tea: 1}), place(shopper, {tea: 1})
    body = {"provider": "sandbox"}
    assert post(client, f"/orders/{first.order_no}/pay", body, key="k").status_code == 200
    answer = post(client, f"/orders/{second.order_no}/pay", body, key="k")
    assert refused(answer) == (422, "idempotency_key_reused")
    assert Payment.objects.get().order == first


def test_a_key_of_another_shopper_is_another_key(client, login, address, tea):
    other = make_user()
    body = {"items": [line(tea, 1)]}
    mine = post(client, "/orders", body | {"address": address.pk}, key="k")
    theirs = post(login(other), "/orders", body | {"address": make_address(other).pk}, key="k")
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["order_no"] != theirs.json()["order_no"]


# --- paying, cancelling


def test_an_order_is_paid_at_the_sandbox(client, order):
    answer = post(client, f"/orders/{order.order_no}/pay", {"provider": "sandbox"}, key="k")
    assert answer.status_code == 200
    payment = Payment.objects.get()
    assert answer.json() == {
        "payment_no": payment.payment_no,
        "provider": "sandbox",
        "status": "pending",
        "params": {"pay_url": f"/api/v1/payments/sandbox/{payment.payment_no}/succeed"},
    }

    paid = client.post(answer.json()["params"]["pay_url"])

    assert (paid.status_code, paid.json()["status"]) == (200, "succeeded")
    read = client.get(f"{V1}/orders/{order.order_no}").json()
    assert read["status"] == "paid"
    assert read["paid_at"] is not None
    again = post(client, f"/orders/{order.order_no}/pay", {"provider": "sandbox"}, key="k")
    assert (again.status_code, again["Idempotent-Replayed"]) == (200, "true")
    assert again.json() == paid.json()
    assert Payment.objects.count() == 1


@pytest.mark.parametrize("provider", ["paypal", "", "x" * 11, "SANDBOX", 7, None, ["sandbox"]])
def test_only_an_offered_provider_is_paid_at(client, order, provider):
    answer = post(client, f"/orders/{order.order_no}/pay", {"provider": provider})
    assert refused(answer) == (400, "invalid")
    assert fields_of(answer) == ["provider"]
    assert not Payment.objects.exists()


def test_the_sandbox_is_there_only_where_it_is_switched_on(client, shopper, order, settings):
    payment = start_payment(shopper, order)
    settings.SANDBOX_PAYMENTS = False
    answer = client.post(f"{V1}/payments/sandbox/{payment.payment_no}/succeed")
    assert refused(answer) == (404, "not_found")
    answer = post(client, f"/orders/{order.order_no}/pay", {"provider": "sandbox"})
    assert refused(answer) == (400, "invalid")
    order.refresh_from_db()
    assert order.status == "unpaid"


def test_cancelling_twice_is_harmless(client, order, tea):
    for _ in range(2):
        answer = client.post(f"{V1}/orders/{order.order_no}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    tea.pool.refresh_from_db()
    assert (tea.stock, tea.sold) == (10, 0)
    assert PoolMovement.objects.filter(kind="give_back").count() == 1
    assert order.moves.count() == 1


def test_a_cancelled_order_can_not_be_paid(client, order):
    client.post(f"{V1}/orders/{order.order_no}/cancel")
    answer = post(client, f"/orders/{order.order_no}/pay", {"provider": "sandbox"})
    assert refused(answer) == (409, "order_state")
    assert answer.json()["order_status"] == "cancelled"
    assert not Payment.objects.exists()


def test_an_overdue_order_can_be_neither_paid_nor_cancelled(client, order, tea):
    overdue(order)
    for answer in (
        post(client, f"/orders/{order.order_no}/pay", {"provider": "sandbox"}),
        client.post(f"{V1}/orders/{order.order_no}/cancel"),
    ):
        assert refused(answer) == (409, "order_state")
        assert answer.json()["order_status"] == "expired"
    assert not Payment.objects.exists()
    order.refresh_from_db()
    assert order.status == "unpaid"
    tea.pool.refresh_from_db()
    assert (tea.stock, tea.sold) == (7, 3)


def test_a_paid_order_can_be_neither_paid_again_nor_cancelled(client, shopper, order):
    pay(shopper, order)
    for answer in (
        post(client, f"/orders/{order.order_no}/pay", {"provider": "sandbox"}),
        client.post(f"{V1}/orders/{order.order_no}/cancel"),
    ):
        assert refused(answer) == (409, "order_state")
        assert answer.json()["order_status"] == "paid"


def test_money_for_a_cancelled_order_is_refunded_and_the_shopper_sees_it(client, shopper, order):
    payment = start_payment(shopper, order)
    client.post(f"{V1}/orders/{order.order_no}/cancel")
    client.post(f"{V1}/payments/sandbox/{payment.payment_no}/succeed")
    refund = Refund.objects.get()
    row = {"refund_no": refund.refund_no, "amount_fen": order.total_fen, "reason": ""}
    refunds = client.get(f"{V1}/orders/{order.order_no}/refunds")
    assert rows_of(refunds) == [row | {"status": "pending"}]
    refunding.refunds_execute()
    refunds = client.get(f"{V1}/orders/{order.order_no}/refunds")
    assert rows_of(refunds) == [row | {"status": "succeeded"}]
    read = client.get(f"{V1}/orders/{order.order_no}").json()
    assert (read["status"], read["refunded_fen"]) == ("cancelled", order.total_fen)


def rows_of(response):
    """What the contract names of each refund."""
    names = ("refund_no", "status", "amount_fen", "reason")
    return [{name: row[name] for name in names} for row in response.json()]


def test_a_shipped_order_is_completed_by_its_shopper(client, shopper, order):
    answer = client.post(f"{V1}/orders/{order.order_no}/confirm-receipt")
    assert refused(answer) == (409, "order_state")
    assert answer.json()["order_status"] == "unpaid"
    pay(shopper, order)
    lifecycle.order_accept(order_no=order.order_no, operator=shopper)
    lifecycle.order_ship(order_no=order.order_no, operator=shopper, courier="SF", tracking_no="7")
    for _ in range(2):
        answer = client.post(f"{V1}/orders/{order.order_no}/confirm-receipt")
        assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    assert (answer.json()["courier"], answer.json()["tracking_no"]) == ("SF", "7")


# --- lists


def numbers(response):
    assert response.status_code == 200
    return [order["order_no"] for order in response.json()["results"]]


def test_the_list_knows_what_time_has_done_before_any_sweeper_does(client, shopper, order, tea):
    overdue(order)
    fresh = place(shopper, {tea: 1})
    place(make_user(), {tea: 1})

    everything = client.get(f"{V1}/orders")

    states = [(row["order_no"], row["status"]) for row in everything.json()["results"]]
    assert states == [(fresh.order_no, "unpaid"), (order.order_no, "expired")]
    assert everything.json()["count"] == 2
    assert everything.json()["server_time"]
    assert numbers(client.get(f"{V1}/orders", {"status": "expired"})) == [order.order_no]
    assert numbers(client.get(f"{V1}/orders", {"status": "unpaid"})) == [fresh.order_no]
    assert numbers(client.get(f"{V1}/orders", {"status": "paid"})) == []
    assert client.get(f"{V1}/orders/{order.order_no}").json()["status"] == "expired"
    order.refresh_from_db()
    assert order.status == "unpaid"


def test_a_row_of_the_list_is_the_order_itself(client, order):
    [row] = client.get(f"{V1}/orders").json()["results"]
    one = client.get(f"{V1}/orders/{order.order_no}").json()
    assert row | {"server_time": None} == one | {"server_time": None}


def test_pages_go_on_where_the_last_one_ended(client, shopper):
    tea = make_sku(stock=100)
    placed = [place(shopper, {tea: 1}).order_no for _ in range(5)]

    first = client.get(f"{V1}/orders", {"page_size": 2, "status": "unpaid"})
    newer = place(shopper, {tea: 1}).order_no
    second = client.get(first.json()["next"])
    third = client.get(second.json()["next"])

    assert (first.json()["count"], first.json()["previous"]) == (5, None)
    assert numbers(first) == [placed[4], placed[3]]
    assert numbers(second) == [placed[2], placed[1]]
    assert numbers(third) == [placed[0]]
    assert third.json()["next"] is None
    assert numbers(client.get(third.json()["previous"])) == numbers(second)
    back = client.get(client.get(third.json()["previous"]).json()["previous"])
    assert numbers(back) == numbers(first)
    assert numbers(client.get(back.json()["previous"])) == [newer]


@pytest.mark.parametrize(
    "query", ["status=nonsense", "page_size=101", "before=x", "before=1&after=1"]
)
def test_a_list_that_can_not_be_is_invalid(client, query):
    assert refused(client.get(f"{V1}/orders?{query}")) == (400, "invalid")


def test_an_empty_filter_is_no_filter(client, shopper):
    order = place(shopper, {make_sku(): 1})

    answer = client.get(f"{V1}/orders?status=")

    assert [shown["order_no"] for shown in answer.json()["results"]] == [order.order_no]


def test_the_list_costs_the_same_for_one_order_and_for_many(client, shopper):
    tea = make_sku(stock=100)

    def statements():
        with CaptureQueriesContext(connection) as captured:
            client.get(f"{V1}/orders")
        return len(captured)

    place(shopper, {tea: 1})
    few = statements()
    for _ in range(5):
        place(shopper, {tea: 1})
    assert statements() == few


# --- who may

SHOPPERS_OWN = [
    ("get", "/cart"),
    ("put", "/cart/items/1"),
    ("delete", "/cart/items/1"),
    ("post", "/orders/quote"),
    ("post", "/orders"),
    ("get", "/orders"),
    ("get", "/orders/{order}"),
    ("post", "/orders/{order}/pay"),
    ("post", "/orders/{order}/cancel"),
    ("post", "/orders/{order}/confirm-receipt"),
    ("get", "/orders/{order}/refunds"),
    ("post", "/payments/sandbox/{payment}/succeed"),
]


@pytest.mark.parametrize(("method", "path"), SHOPPERS_OWN, ids=" ".join)
def test_nobody_is_not_authenticated(api, shopper, order, method, path):
    payment = start_payment(shopper, order)
    url = V1 + path.format(order=order.order_no, payment=payment.payment_no)
    answer = getattr(api, method)(url, {}, headers={"Idempotency-Key": "k"})
    assert refused(answer) == (401, "not_authenticated")
    assert answer["WWW-Authenticate"].startswith("Bearer")
    order.refresh_from_db()
    assert order.status == "unpaid"
    assert Payment.objects.get().status == "pending"


@pytest.mark.parametrize(
    ("method", "path"), [row for row in SHOPPERS_OWN if "{" in row[1]], ids=" ".join
)
@pytest.mark.parametrize("rights", [{}, {"is_staff": True, "is_superuser": True}], ids=str)
def test_what_is_somebody_elses_is_not_found(login, shopper, order, method, path, rights):
    payment = start_payment(shopper, order)
    other = make_user(**rights)
    url = V1 + path.format(order=order.order_no, payment=payment.payment_no)

    answer = getattr(login(other), method)(
        url, {"provider": "sandbox"} if method == "post" else {}, headers={"Idempotency-Key": "k"}
    )

    assert refused(answer) == (404, "not_found")
    assert order.order_no not in answer.content.decode()
    order.refresh_from_db()
    assert (order.status, order.moves.count()) == ("unpaid", 0)
    payment.refresh_from_db()
    assert (payment.status, Payment.objects.count()) == ("pending", 1)


def test_somebody_elses_address_is_not_found(client, tea):
    theirs = make_address(make_user())
    body = {"items": [line(tea, 1)], "address": theirs.pk}
    assert refused(post(client, "/orders", body)) == (404, "not_found")
    assert refused(client.post(f"{V1}/orders/quote", body)) == (404, "not_found")
    assert untouched(tea)


def test_somebody_elses_orders_are_not_in_the_list(login, order):
    assert numbers(login(make_user()).get(f"{V1}/orders")) == []


# --- what a client has no say in


def forged(victim):
    """Fields a client might hope somebody binds."""
    return {
        "price": 1,
        "price_fen": 1,
        "goods_fen": 1,
        "freight_fen": 0,
        "discount_fen": 10**6,
        "total_fen": 1,
        "amount_fen": 1,
        "refunded_fen": 1,
        "status": "paid",
        "first_status": 500,
        "paid_at": "2020-01-01T00:00:00Z",
        "expires_at": "2099-01-01T00:00:00Z",
        "user": victim.pk,
        "user_id": victim.pk,
        "is_staff": True,
        "is_superuser": True,
        "number": "1" * 24,
        "order_no": "1" * 24,
        "payment_no": "1" * 24,
        "kind": "prize",
        "id": 1,
        "pk": 1,
    }


def test_what_a_client_says_of_price_state_or_owner_is_ignored(client, shopper, address, tea):
    make_shipping(fee_fen=800)
    victim = make_user()
    lie = forged(victim)
    body = lie | {"items": [lie | line(tea, 2)], "address": address.pk}

    quoted = client.post(f"{V1}/orders/quote", body).json()
    assert (quoted["goods_fen"], quoted["freight_fen"]) == (2100, 800)
    assert (quoted["discount_fen"], quoted["total_fen"]) == (0, 2900)

    placed = post(client, "/orders", body)
    assert placed.status_code == 201
    order = Order.objects.get()
    assert (order.user, order.status, order.kind) == (shopper, "unpaid", "goods")
    assert (order.goods_fen, order.freight_fen, order.total_fen) == (2100, 800, 2900)
    assert (order.discount_fen, order.refunded_fen, order.paid_at) == (0, 0, None)
    assert order.order_no != "1" * 24
    assert (order.expires_at - order.created_at).total_seconds() == 300
    assert order.snapshot[0]["price_fen"] == order.lines.get().price_fen == 1050

    client.put(f"{V1}/cart/items/{tea.pk}", lie | {"count": 2})
    assert client.get(f"{V1}/cart").json()["total_fen"] == 2100
    assert cart_lines(victim) == {}

    answer = post(client, f"/orders/{order.order_no}/pay", lie | {"provider": "sandbox"})
    payment = Payment.objects.get()
    assert (payment.user, payment.order, payment.amount_fen) == (shopper, order, 2900)
    assert (payment.status, answer.json()["status"]) == ("pending", "pending")
    assert payment.payment_no != "1" * 24

    refused_early = client.post(f"{V1}/orders/{order.order_no}/confirm-receipt", lie)
    assert refused(refused_early) == (409, "order_state")
    client.post(f"{V1}/payments/sandbox/{payment.payment_no}/succeed", lie)
    order.refresh_from_db()
    assert (order.status, order.total_fen) == ("paid", 2900)
    assert order.paid_at.year >= order.created_at.year
    assert not Refund.objects.exists()
    assert not User.objects.filter(is_staff=True).exists()


def test_a_cancel_takes_no_orders_from_its_body(client, shopper, order, tea):
    other = place(make_user(), {tea: 1})
    lie = forged(other.user) | {"order_no": other.order_no, "status": "completed"}
    answer = client.post(f"{V1}/orders/{order.order_no}/cancel", lie)
    assert answer.json()["status"] == "cancelled"
    other.refresh_from_db()
    assert other.status == "unpaid"
    tea.pool.refresh_from_db()
    assert (tea.stock, tea.sold) == (9, 1)
