"""Refunds for operators: what they see, the steps that are theirs, and who may take them."""

import pytest

from orders.payments.models import Refund
from orders.refunds.models import RefundRequest
from orders.states import State
from tests.factories import make_user, place
from tests.kit.desk import listed, logged, offered, page_of, said, shown
from tests.kit.refunds import accept, ask, decline, paid_order, sent, told
from tests.kit.units import counters

pytestmark = [pytest.mark.django_db]


@pytest.fixture(autouse=True)
def english(settings):
    settings.LANGUAGE_CODE = "en"


@pytest.fixture
def operator(db):
    return make_user("operator", is_staff=True, is_superuser=True)


@pytest.fixture
def order(shopper, tea):
    return paid_order(shopper, {tea: 3}, freight_fen=800)


def start(desk, order, **said):
    """Fills in the page that begins a refund, as a browser would."""
    form = desk.get(page_of(order, "refund")).context["form"]
    shown = {field.name: field.value() for field in form if field.value() is not None}
    return desk.post(page_of(order, "refund"), shown | {"reason": "sorry"} | said)


def test_an_operator_accepts_a_request(desk, operator, shopper, order, tea):
    request = ask(shopper, order, {tea: 2})

    answer = desk.post(page_of(request, "accept"), {"restock": "on"}, follow=True)

    assert f"{request} is accepted; its money is on the way." in answer.content.decode()
    request.refresh_from_db()
    assert (request.status, request.restocked) == ("accepted", True)
    assert (request.decided_by, request.freight_fen) == (operator, 0)
    assert counters(tea.pool) == (9, 1)
    assert logged(request) == [(operator.pk, 2, "accepted: 2000 fen, restocked")]
    page = shown(desk, request)
    assert (page["status"], page["amount"]) == ("accepted", "¥20.00 (2000 fen)")
    assert offered(desk, request) == []


def test_an_operator_accepts_without_stock_and_with_some_freight(desk, shopper, order, tea):
    request = ask(shopper, order, {tea: 2})
    desk.post(page_of(request, "accept"), {"freight_fen": "300"})
    assert told(request) == ("pending", 2300)
    assert counters(tea.pool) == (7, 3)


def test_what_is_out_of_bounds_is_said_at_its_field(desk, shopper, order, tea):
    request = ask(shopper, order, {tea: 2})
    answer = desk.post(page_of(request, "accept"), {"freight_fen": "801"})
    assert answer.context["form"].errors == {"freight_fen": ["From 0 to 800 fen."]}
    assert told(request) == ("requested", 2000)


def test_an_operator_declines_with_a_reason(desk, operator, shopper, order, tea):
    request = ask(shopper, order, {tea: 2})
    assert desk.post(page_of(request, "decline"), {"reason": ""}).context["form"].errors
    desk.post(page_of(request, "decline"), {"reason": "worn already"})
    request.refresh_from_db()
    assert (request.status, request.answer) == ("declined", "worn already")
    assert logged(request) == [(operator.pk, 2, "declined: worn already")]
    again = desk.post(page_of(request, "decline"), {"reason": "worn already"})
    assert said(again)[-1] == "You have declined it already."
    answer = desk.post(page_of(request, "accept"), {})
    assert answer.context["form"].non_field_errors() == ["It has been decided already."]
    assert not Refund.objects.exists()


def test_an_operator_begins_a_refund_at_the_order_once(desk, operator, order, tea):
    reference = f"admin-{'0' * 32}"
    for _ in range(2):
        answer = start(desk, order, **{f"count_{tea.pk}": "1", "reference": reference})
        assert answer.status_code == 302
    request = RefundRequest.objects.get()
    assert (request.origin, told(request)) == ("operator", ("pending", 1000))
    assert (request.user, request.decided_by) == (operator, operator)
    assert counters(tea.pool) == (8, 2)
    # The form has what is left, and all of it is the whole order.
    assert start(desk, order).status_code == 302
    order.refresh_from_db()
    assert order.status == State.REFUNDING


@pytest.mark.parametrize("count", ["4", "-1", "0", "x", ""])
def test_a_count_that_can_not_be_begins_nothing(desk, order, tea, count):
    answer = start(desk, order, **{f"count_{tea.pk}": count})
    assert answer.context["form"].errors
    assert not RefundRequest.objects.exists()


def test_a_form_has_no_say_in_amounts(desk, order, tea):
    start(desk, order, **{f"count_{tea.pk}": "1"}, goods_fen=10**6, amount_fen=10**6)
    assert told(RefundRequest.objects.get()) == ("pending", 1000)


def test_the_order_shows_its_requests_and_their_stock(desk, operator, shopper, order, tea):
    request = ask(shopper, order, {tea: 2})
    accept(request, operator)
    tables = {table.title: table.rows for table in desk.get(page_of(order)).context["tables"]}
    [row] = tables["Refund requests"]
    assert request.refund_no in row[0]
    assert row[1:4] == [f"{tea.pk} x 2", "¥20.00 (2000 fen)", "accepted"]
    assert [stock[1:4] for stock in tables["Stock"]] == [
        [tea.pool_id, "taken", -3],
        [tea.pool_id, "given back", 2],
    ]


def test_what_waits_is_listed_and_found_by_either_number(desk, operator, shopper, order, tea):
    done, waits = ask(shopper, order, {tea: 1}), ask(shopper, order, {tea: 1})
    decline(done, operator)
    assert listed(desk, RefundRequest, status="requested") == [waits.pk]
    assert listed(desk, RefundRequest, q=done.refund_no) == [done.pk]
    assert listed(desk, RefundRequest, q=order.order_no) == [waits.pk, done.pk]
    assert listed(desk, RefundRequest, q=done.refund_no[:-1]) == []


@pytest.mark.parametrize(
    ("permissions", "may"),
    [
        ((), {}),
        (("view_order", "view_refundrequest"), {"see"}),
        (("accept_order", "refuse_order"), {"see order"}),
        (("change_refundrequest",), {"decide"}),
        (("add_refundrequest",), {"begin"}),
    ],
    ids=str,
)
def test_each_step_asks_for_its_permission(desk_of, shopper, order, tea, permissions, may):
    request = ask(shopper, order, {tea: 1})
    desk = desk_of(*permissions)

    for step in ("accept", "decline"):
        answer = desk.get(page_of(request, step))
        assert answer.status_code == (200 if "decide" in may else 403)
    assert desk.get(page_of(order, "refund")).status_code == (200 if "begin" in may else 403)
    if "see order" in may:
        assert offered(desk, order) == ["accept", "refuse"]
    if "begin" in may:
        assert offered(desk, order) == ["refund"]
    if "see" in may:
        assert offered(desk, request) == offered(desk, order) == []
    if "decide" not in may:
        desk.post(page_of(request, "accept"), {})
        assert told(request) == ("requested", 1000)


def test_a_refund_is_offered_as_long_as_there_is_something_to_refund(
    desk, operator, shopper, order, tea
):
    assert "refund" not in offered(desk, place(shopper, {tea: 1}))
    assert "refund" in offered(desk, order)
    sent(order, operator)
    assert offered(desk, order) == ["refund"]
    accept(ask(shopper, order), make_user(is_staff=True))
    assert offered(desk, order) == []
