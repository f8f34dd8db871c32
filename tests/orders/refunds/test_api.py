"""Refunds as a client sees them: over HTTP, at the real addresses."""

from uuid import uuid4

import pytest

from orders.payments.models import Refund
from orders.refunds.models import RefundRequest
from tests.factories import make_user, place
from tests.kit.refunds import accept, decline, paid_order, send_money, sent
from tests.kit.units import counters

pytestmark = [pytest.mark.django_db]


@pytest.fixture
def client(login, shopper):
    return login(shopper)


@pytest.fixture
def order(shopper, tea):
    return paid_order(shopper, {tea: 3}, freight_fen=800)


def at(order):
    return f"/api/v1/orders/{order.order_no}/refunds"


def post(client, order, body, *, key=None):
    """A POST with an Idempotency-Key, of its own unless `key` says which."""
    return client.post(at(order), body, headers={"Idempotency-Key": key or uuid4().hex})


def refused(answer):
    return answer.status_code, answer.json()["code"]


def shown(client, order):
    return [
        (row["status"], row["amount_fen"], row["items"], row["answer"])
        for row in client.get(at(order)).json()
    ]


def test_a_shopper_asks_for_some_units_and_reads_what_becomes_of_them(client, operator, order, tea):
    body = {"items": [{"sku": tea.pk, "count": 1}, {"sku": tea.pk, "count": 1}], "reason": "broken"}

    answer = post(client, order, body)

    assert answer.status_code == 201
    request = RefundRequest.objects.get()
    items = [{"sku": tea.pk, "count": 2}]
    row = answer.json()
    assert row.pop("created_at")
    assert row == {
        "refund_no": request.refund_no,
        "status": "requested",
        "amount_fen": 2000,
        "items": items,
        "reason": "broken",
        "answer": "",
    }
    accept(request, operator)
    assert shown(client, order) == [("pending", 2000, items, "")]
    send_money()
    assert shown(client, order) == [("succeeded", 2000, items, "")]
    assert client.get(f"/api/v1/orders/{order.order_no}").json()["refunded_fen"] == 2000


def test_without_items_it_is_all_that_is_left_and_a_no_has_its_words(client, operator, order, tea):
    answer = post(client, order, {"reason": "too late"})
    assert (answer.status_code, answer.json()["amount_fen"]) == (201, 3800)
    decline(RefundRequest.objects.get(), operator)
    items = [{"sku": tea.pk, "count": 3}]
    assert shown(client, order) == [("declined", 3800, items, "worn already")]


def test_a_repeat_answers_the_first_status_and_the_refund_as_it_is_now(client, operator, order):
    first = post(client, order, {"reason": "broken"}, key="k")
    accept(RefundRequest.objects.get(), operator)
    again = post(client, order, {"reason": "broken"}, key="k")
    assert (first.status_code, again.status_code) == (201, 201)
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert again.json() == first.json() | {"status": "pending"}
    other = post(client, order, {"reason": "other"}, key="k")
    assert refused(other) == (422, "idempotency_key_reused")
    assert refused(client.post(at(order), {"reason": "x"})) == (400, "idempotency_key_required")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": ""},
        {"reason": "x" * 201},
        {"reason": "x", "items": []},
        {"reason": "x", "items": [{"sku": 1, "count": 0}]},
        {"reason": "x", "items": [{"sku": 1, "count": -1}]},
        {"reason": "x", "items": [{"sku": 1, "count": 1.5}]},
        {"reason": "x", "items": [{"sku": 1, "count": 1}] * 1000},
        {"reason": "x", "items": {"sku": 1, "count": 1}},
    ],
    ids=[
        "no reason",
        "an empty one",
        "a long one",
        "no item",
        "of none",
        "of less",
        "of halves",
        "of a thousand",
        "no list",
    ],
)
def test_what_can_not_be_is_invalid(client, order, body):
    assert refused(post(client, order, body)) == (400, "invalid")
    assert not RefundRequest.objects.exists()


def test_more_than_is_left_is_invalid_and_names_the_field(client, order, tea):
    answer = post(client, order, {"items": [{"sku": tea.pk, "count": 4}], "reason": "x"})
    assert refused(answer) == (400, "invalid")
    assert [fault["field"] for fault in answer.json()["errors"]] == ["items"]


def test_each_no_has_its_code(client, shopper, operator, order, tea, settings):
    unpaid = place(shopper, {tea: 1})
    answer = post(client, unpaid, {"reason": "x"})
    assert refused(answer) == (409, "order_state")
    assert answer.json()["order_status"] == "unpaid"
    unknown = post(client, order, {"items": [{"sku": tea.pk + 999, "count": 1}], "reason": "x"})
    assert refused(unknown) == (404, "not_found")
    settings.REFUND_DAYS = 7
    sent(order, operator, days_ago=8)
    assert refused(post(client, order, {"reason": "x"})) == (409, "ended")
    assert not RefundRequest.objects.exists()


def test_what_a_client_says_of_amount_state_or_decision_is_ignored(client, order, tea):
    victim = make_user()
    lie = {
        "amount_fen": 1,
        "goods_fen": 10**6,
        "freight_fen": 10**6,
        "price_fen": 10**6,
        "refund_no": "1" * 24,
        "refund": 1,
        "status": "accepted",
        "origin": "operator",
        "restock": True,
        "restocked": True,
        "answer": "yes",
        "decided_by": victim.pk,
        "decided_at": "2020-01-01T00:00:00Z",
        "first_status": 500,
        "user": victim.pk,
        "order": 1,
        "is_staff": True,
        "paid_at": "2020-01-01T00:00:00Z",
        "number": 1,
    }

    answer = post(
        client, order, lie | {"items": [lie | {"sku": tea.pk, "count": 1}], "reason": "x"}
    )

    assert (answer.status_code, answer.json()["amount_fen"]) == (201, 1000)
    request = RefundRequest.objects.get()
    assert (request.status, request.origin, request.freight_fen) == ("requested", "shopper", 0)
    assert (request.user_id, request.order_id) == (order.user_id, order.pk)
    assert (request.restocked, request.decided_by, request.refund) == (False, None, None)
    assert request.refund_no != "1" * 24
    assert not Refund.objects.exists()
    assert counters(tea.pool) == (7, 3)


@pytest.mark.parametrize("rights", [{}, {"is_staff": True, "is_superuser": True}], ids=str)
def test_refunds_of_somebody_elses_order_are_not_found(login, api, shopper, order, rights):
    stranger = login(make_user(**rights))
    assert refused(post(stranger, order, {"reason": "x"})) == (404, "not_found")
    assert refused(stranger.get(at(order))) == (404, "not_found")
    assert refused(post(api, order, {"reason": "x"})) == (401, "not_authenticated")
    assert not RefundRequest.objects.exists()


def test_the_list_costs_the_same_for_one_refund_and_for_many(
    client, order, tea, django_assert_num_queries
):
    def ask_for_one():
        post(client, order, {"items": [{"sku": tea.pk, "count": 1}], "reason": "x"})

    ask_for_one()
    client.get(at(order))
    with django_assert_num_queries(6):
        client.get(at(order))
    ask_for_one()
    ask_for_one()
    with django_assert_num_queries(6):
        assert len(client.get(at(order)).json()) == 3
