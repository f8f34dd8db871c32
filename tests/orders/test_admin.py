"""Orders for operators: what they see, the steps that are theirs, and that no form writes facts."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from orders import lifecycle
from orders.models import Order, OrderMove, ShippingMethod
from orders.payments import refunding
from orders.payments.models import Payment, Refund
from orders.states import State
from shop.backoffice.money import money, yuan
from shop.errors import NotFound
from shop.operators_log import words_of
from shop.pools.models import Pool, PoolMovement
from tests.factories import make_sku, make_user, overdue, pay, place, start_payment

pytestmark = [pytest.mark.django_db]

LIST = reverse("admin:orders_order_changelist")
STEPS = {
    "accept": {},
    "refuse": {"reason": "closed tonight"},
    "ship": {"courier": "SF", "tracking_no": "SF123"},
}


@pytest.fixture(autouse=True)
def english(settings):
    settings.LANGUAGE_CODE = "en"


@pytest.fixture
def tea():
    return make_sku(stock=10, price_fen=1050)


@pytest.fixture
def order(shopper, tea):
    return place(shopper, {tea: 3})


def make_operator(*permissions):
    operator = make_user(is_staff=True)
    operator.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    assert operator.user_permissions.count() == len(permissions)
    return operator


@pytest.fixture
def operator():
    return make_operator(
        "accept_order", "refuse_order", "ship_order", "retry_order", "change_refund", "view_payment"
    )


@pytest.fixture
def onlooker():
    return make_operator("view_order", "view_refund", "view_payment")


def desk_of(user, **options):
    client = Client(**options)
    client.force_login(user)
    return client


@pytest.fixture
def desk(operator):
    """The operator's browser."""
    return desk_of(operator)


def page_of(order):
    return reverse("admin:orders_order_change", args=[order.pk])


def step_of(order, name):
    return reverse(f"admin:orders_order_{name}", args=[order.pk])


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def logged(row):
    entries = LogEntry.objects.filter(object_id=str(row.pk), object_repr=str(row)).order_by("pk")
    return [(entry.user_id, entry.action_flag, words_of(entry)) for entry in entries]


def facts(order):
    """Everything that is stored of an order and of the stock behind it."""
    return (
        Order.objects.filter(pk=order.pk).values().get(),
        list(order.moves.values()),
        list(order.lines.values()),
        list(Pool.objects.filter(pk__in=[line["pool"] for line in order.snapshot]).values()),
        PoolMovement.objects.count(),
    )


def counters(sku):
    sku.pool.refresh_from_db()
    return sku.stock, sku.sold


def listed(response):
    return [row.order_no for row in response.context["cl"].result_list]


# --- the steps


def test_an_operator_accepts_a_paid_order(desk, operator, order, shopper):
    pay(shopper, order)

    response = desk.post(step_of(order, "accept"))

    assert response.status_code == 302
    assert response.url == page_of(order)
    order.refresh_from_db()
    assert order.status == State.ACCEPTED
    move = OrderMove.objects.get(order=order, target=State.ACCEPTED)
    assert (move.source, move.actor, move.operator) == ("paid", "operator", operator)
    assert logged(order) == [(operator.pk, CHANGE, "accepted")]
    assert said(response) == [f"{order} is accepted."]


def test_a_refused_order_has_its_units_back_and_a_refund_pending(
    desk, operator, order, shopper, tea
):
    payment = pay(shopper, order)
    assert counters(tea) == (7, 3)

    response = desk.post(step_of(order, "refuse"), {"reason": "closed tonight"})

    order.refresh_from_db()
    assert order.status == State.REFUNDING
    assert counters(tea) == (10, 0)
    refund = Refund.objects.get()
    assert (refund.order, refund.payment, refund.amount_fen) == (order, payment, order.total_fen)
    assert (refund.status, refund.cause, refund.reason) == ("pending", "refused", "closed tonight")
    move = OrderMove.objects.get(order=order, target=State.REFUNDING)
    assert (move.operator, move.reason) == (operator, "closed tonight")
    assert logged(order) == [(operator.pk, CHANGE, "refunding: closed tonight")]
    assert len(said(response)) == 1


@pytest.mark.parametrize("reason", ["", "   ", "x" * 201, "a\0b"])
def test_a_refusal_needs_a_reason(desk, order, shopper, reason):
    pay(shopper, order)
    before = facts(order)
    response = desk.post(step_of(order, "refuse"), {"reason": reason})
    assert response.status_code == 200
    assert set(response.context["form"].errors) == {"reason"}
    assert facts(order) == before
    assert not Refund.objects.exists()
    assert logged(order) == []


def test_an_operator_ships_an_accepted_order(desk, operator, order, shopper):
    pay(shopper, order)
    lifecycle.order_accept(order_no=order.order_no, operator=operator)

    desk.post(step_of(order, "ship"), {"courier": " SF ", "tracking_no": "SF123"})

    order.refresh_from_db()
    assert (order.status, order.courier, order.tracking_no) == (State.SHIPPED, "SF", "SF123")
    assert logged(order) == [
        (operator.pk, CHANGE, "accepted"),
        (operator.pk, CHANGE, "shipped: SF SF123"),
    ]


@pytest.mark.parametrize("missing", ["courier", "tracking_no"])
def test_shipping_needs_courier_and_number(desk, operator, order, shopper, missing):
    pay(shopper, order)
    lifecycle.order_accept(order_no=order.order_no, operator=operator)
    before = facts(order)
    response = desk.post(step_of(order, "ship"), STEPS["ship"] | {missing: ""})
    assert set(response.context["form"].errors) == {missing}
    assert facts(order) == before


@pytest.mark.parametrize("name", STEPS)
def test_a_step_that_the_state_does_not_allow_is_a_message(desk, order, name):
    before = facts(order)
    response = desk.post(step_of(order, name), STEPS[name])
    assert (response.status_code, response.url) == (302, page_of(order))
    assert said(response) == [f"{order}: The order's state does not allow this. It is: unpaid."]
    assert facts(order) == before
    assert logged(order) == []


def test_the_second_of_two_operators_is_told_what_the_first_one_did(desk, order, shopper):
    pay(shopper, order)
    desk.post(step_of(order, "refuse"), {"reason": "first"})
    other = desk_of(make_operator("refuse_order"))
    response = other.post(step_of(order, "refuse"), {"reason": "second"})
    assert said(response) == [f"{order}: The order's state does not allow this. It is: refunding."]
    assert Refund.objects.get().reason == "first"
    assert [message for _, _, message in logged(order)] == ["refunding: first"]


@pytest.mark.parametrize("name", STEPS)
def test_looking_at_a_step_does_nothing(desk, order, shopper, name):
    pay(shopper, order)
    before = facts(order)
    response = desk.get(step_of(order, name), STEPS[name])
    assert response.status_code == 200
    assert facts(order) == before


@pytest.mark.parametrize("name", STEPS)
def test_who_may_only_look_is_refused_each_step(onlooker, order, shopper, name):
    pay(shopper, order)
    before = facts(order)
    desk = desk_of(onlooker)
    assert desk.get(page_of(order)).status_code == 200
    assert desk.get(step_of(order, name)).status_code == 403
    assert desk.post(step_of(order, name), STEPS[name]).status_code == 403
    assert facts(order) == before
    assert logged(order) == []


@pytest.mark.parametrize("name", STEPS)
def test_who_is_no_operator_is_sent_to_log_in(order, shopper, name):
    pay(shopper, order)
    before = facts(order)
    for client in (Client(), desk_of(shopper)):
        response = client.post(step_of(order, name), STEPS[name])
        assert response.status_code == 302
        assert response.url.startswith(reverse("admin:login"))
    assert facts(order) == before


@pytest.mark.parametrize("name", STEPS)
def test_a_step_that_another_site_sends_is_refused(operator, order, shopper, name):
    pay(shopper, order)
    before = facts(order)
    desk = desk_of(operator, enforce_csrf_checks=True)
    assert desk.post(step_of(order, name), STEPS[name]).status_code == 403
    assert facts(order) == before


@pytest.mark.parametrize("pk", ["0", "999999", "9" * 30, "x"])
def test_a_step_of_an_order_that_is_not_there_goes_home(desk, pk):
    response = desk.post(reverse("admin:orders_order_accept", args=[pk]))
    assert response.status_code == 302
    assert response.url == reverse("admin:index")


def test_ticked_orders_are_accepted_each_on_its_own(desk, operator, shopper, tea):
    paid, unpaid, also_paid, not_ticked = (place(shopper, {tea: 1}) for _ in range(4))
    for order in (paid, also_paid, not_ticked):
        pay(shopper, order)

    response = desk.post(
        LIST,
        {
            "action": "accept_ticked",
            "_selected_action": [paid.pk, unpaid.pk, also_paid.pk],
            # What the page's "select all that match" would send.
            "select_across": "1",
        },
    )

    states = Order.objects.order_by("pk").values_list("pk", "status")
    assert list(states) == [
        (paid.pk, State.ACCEPTED),
        (unpaid.pk, State.UNPAID),
        (also_paid.pk, State.ACCEPTED),
        (not_ticked.pk, State.PAID),
    ]
    assert said(response) == [
        f"{unpaid}: The order's state does not allow this. It is: unpaid.",
        "2 orders are accepted.",
    ]
    assert logged(paid) == logged(also_paid) == [(operator.pk, CHANGE, "accepted")]
    assert logged(unpaid) == []


def test_who_may_only_look_can_tick_nothing(onlooker, order, shopper):
    pay(shopper, order)
    before = facts(order)
    desk = desk_of(onlooker)
    assert "accept_ticked" not in desk.get(LIST).content.decode()
    desk.post(LIST, {"action": "accept_ticked", "_selected_action": [order.pk]})
    assert facts(order) == before


# --- no form writes a fact

FORGED = {
    "status": "refunded",
    "order_no": "1" * 24,
    "user": "1",
    "price_fen": "1",
    "goods_fen": "1",
    "freight_fen": "0",
    "total_fen": "1",
    "refunded_fen": "1",
    "snapshot": "[]",
    "paid_at_0": "2020-01-01",
    "paid_at_1": "00:00",
    "created_at": "2020-01-01",
    "expires_at": "2099-01-01",
    "stock": "999",
    "available": "999",
    "operator": "1",
}


def test_more_fields_than_a_step_has_change_nothing_more(desk, operator, order, shopper, tea):
    pay(shopper, order)
    before = Order.objects.filter(pk=order.pk).values().get()

    desk.post(step_of(order, "accept"), FORGED | {"courier": "forged", "tracking_no": "forged"})

    after = Order.objects.filter(pk=order.pk).values().get()
    assert after == before | {"status": State.ACCEPTED}
    assert counters(tea) == (7, 3)
    assert OrderMove.objects.get(order=order, target=State.ACCEPTED).operator == operator

    desk.post(step_of(order, "ship"), FORGED | STEPS["ship"])

    after = Order.objects.filter(pk=order.pk).values().get()
    assert after == before | {"status": State.SHIPPED} | STEPS["ship"]
    assert counters(tea) == (7, 3)


def test_the_refund_of_a_refusal_is_what_was_paid_whatever_is_sent(desk, order, shopper, tea):
    pay(shopper, order)
    desk.post(step_of(order, "refuse"), FORGED | {"reason": "no", "amount_fen": "1"})
    assert Refund.objects.get().amount_fen == order.total_fen == 3150
    assert counters(tea) == (10, 0)


@pytest.mark.parametrize("who", ["operator", "superuser"])
def test_the_order_page_saves_nothing(operator, order, shopper, who):
    pay(shopper, order)
    before = facts(order)
    user = operator if who == "operator" else make_user(is_staff=True, is_superuser=True)
    desk = desk_of(user)
    assert desk.post(page_of(order), FORGED | {"_save": "Save"}).status_code == 403
    assert desk.post(reverse("admin:orders_order_add"), FORGED).status_code == 403
    delete = reverse("admin:orders_order_delete", args=[order.pk])
    assert desk.post(delete, {"post": "yes"}).status_code == 403
    desk.post(LIST, {"action": "delete_selected", "_selected_action": [order.pk], "post": "yes"})
    forged_list = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": order.pk}
    desk.post(LIST, forged_list | {"form-0-status": "refunded", "_save": "Save"})
    assert facts(order) == before


@pytest.mark.parametrize("kind", ["payment", "refund"])
def test_payment_and_refund_pages_save_nothing(order, shopper, kind):
    payment = pay(shopper, order)
    lifecycle.order_refuse(order_no=order.order_no, operator=shopper, reason="closed")
    row = payment if kind == "payment" else Refund.objects.get()
    before = type(row).objects.values().get()
    desk = desk_of(make_user(is_staff=True, is_superuser=True))
    forged = {"status": "succeeded", "amount_fen": "1", "_save": "Save"}
    page = reverse(f"admin:payments_{kind}_change", args=[row.pk])
    assert desk.get(page).status_code == 200
    assert desk.post(page, forged).status_code == 403
    assert desk.post(reverse(f"admin:payments_{kind}_add"), forged).status_code == 403
    delete = reverse(f"admin:payments_{kind}_delete", args=[row.pk])
    assert desk.post(delete, {"post": "yes"}).status_code == 403
    assert type(row).objects.values().get() == before


# --- what operators see


def test_the_list_shows_the_state_that_holds_now(desk, order, shopper, tea):
    overdue(order)
    waiting = overdue(place(shopper, {tea: 1}))
    start_payment_before_its_time(shopper, waiting)
    fresh = place(shopper, {tea: 1})

    def numbers(**query):
        return listed(desk.get(LIST, query))

    assert numbers() == [fresh.order_no, waiting.order_no, order.order_no]
    assert numbers(status="expired") == [order.order_no]
    assert numbers(status="closing") == [waiting.order_no]
    assert numbers(status="unpaid") == [fresh.order_no]
    assert numbers(status="paid") == []
    assert numbers(status="nonsense") == []
    # No sweeper was there: all of them are stored as unpaid.
    assert set(Order.objects.values_list("status", flat=True)) == {"unpaid"}


def start_payment_before_its_time(shopper, order):
    expires_at = Order.objects.values_list("expires_at", flat=True).get(pk=order.pk)
    Order.objects.filter(pk=order.pk).update(expires_at=None)
    payment = start_payment(shopper, order)
    Order.objects.filter(pk=order.pk).update(expires_at=expires_at)
    return payment


def test_an_order_is_found_by_its_whole_number_or_its_shoppers_whole_name(desk, order, tea):
    other = place(make_user("lilei"), {tea: 1})
    assert listed(desk.get(LIST, {"q": order.order_no})) == [order.order_no]
    assert listed(desk.get(LIST, {"q": " lilei "})) == [other.order_no]
    assert listed(desk.get(LIST, {"q": order.order_no[:-1]})) == []
    assert listed(desk.get(LIST, {"q": "lile"})) == []


def test_orders_are_found_by_the_day_they_were_placed(desk, order, shopper, tea):
    old = place(shopper, {tea: 1})
    # A number begins with the moment it was made.
    Order.objects.filter(pk=old.pk).update(order_no="200101" + old.order_no[6:])
    assert listed(desk.get(LIST, {"placed": "1"})) == [order.order_no]
    assert listed(desk.get(LIST, {"placed": "30"})) == [order.order_no]
    assert len(listed(desk.get(LIST, {"placed": "x"}))) == 2


@pytest.mark.parametrize("query", [{"o": "4"}, {"o": "-1.2"}, {"o": "x"}, {"all": ""}, {"p": "1"}])
def test_the_list_is_newest_first_whatever_is_asked(desk, order, shopper, tea, query):
    newer = place(shopper, {tea: 1})
    assert listed(desk.get(LIST, query)) == [newer.order_no, order.order_no]


def statements(desk, url, query=None):
    desk.get(url, query)  # sessions, permissions and content types are warm
    with CaptureQueriesContext(connection) as captured:
        assert desk.get(url, query).status_code == 200
    return [query["sql"] for query in captured]


@pytest.mark.parametrize("query", [{}, {"status": "unpaid"}, {"placed": "7"}, {"kind": "goods"}])
def test_the_list_costs_the_same_for_one_order_and_for_many(desk, order, tea, query):
    few = statements(desk, LIST, query)
    for _ in range(10):
        place(make_user(), {tea: 1} if counters(tea)[0] else {make_sku(): 1})
    many = statements(desk, LIST, query)
    assert len(few) == len(many)


@pytest.mark.parametrize("model", ["orders_order", "payments_payment", "payments_refund"])
@pytest.mark.parametrize("query", [{}, {"_facets": "True"}])
def test_no_list_counts_its_table(order, shopper, model, query):
    pay(shopper, order)
    lifecycle.order_refuse(order_no=order.order_no, operator=shopper, reason="closed")
    desk = desk_of(make_user(is_staff=True, is_superuser=True))
    ran = statements(desk, reverse(f"admin:{model}_changelist"), query)
    counting = [sql for sql in ran if "COUNT(" in sql.upper()]
    assert len(counting) == 1
    assert "LIMIT 5000" in counting[0]
    assert "CASE" not in counting[0]


def test_the_order_page_shows_every_fact(desk, operator, order, shopper, tea):
    payment = pay(shopper, order)
    desk.post(step_of(order, "refuse"), {"reason": "<b>closed</b>"})
    type(tea.goods).objects.filter(pk=tea.goods_id).update(title="renamed since")

    response = desk.get(page_of(order))

    page = response.content.decode()
    for fact in (
        order.order_no,
        shopper.username,
        "¥31.50 (3150 fen)",
        "¥10.50 (1050 fen)",
        "Li Lei 13800000000 Shanghai 1 Long Road",
        payment.payment_no,
        Refund.objects.get().refund_no,
        operator.username,
        "&lt;b&gt;closed&lt;/b&gt;",
    ):
        assert fact in page
    assert "renamed since" not in page
    assert "<b>closed</b>" not in page
    tables = {table.title: table.rows for table in response.context["tables"]}
    assert tables["Items"] == [[tea.pk, "茶", "500 g", "¥10.50 (1050 fen)", 3, "¥31.50 (3150 fen)"]]
    assert [[str(cell) for cell in row[1:4]] for row in tables["History"]] == [
        ["unpaid", "paid", "provider"],
        ["paid", "refunding", operator.username],
    ]
    assert [row[1:4] for row in tables["Stock"]] == [
        [tea.pool_id, "taken", -3],
        [tea.pool_id, "given back", 3],
    ]
    assert [row[0] for row in tables["Payments"]] == [payment.payment_no]
    assert [row[4] for row in tables["Refunds"]] == ["<b>closed</b>"]


def test_the_order_page_costs_the_same_however_long_its_history_is(desk, operator, order, shopper):
    before = len(statements(desk, page_of(order)))
    pay(shopper, order)
    lifecycle.order_accept(order_no=order.order_no, operator=operator)
    lifecycle.order_ship(order_no=order.order_no, operator=operator, courier="SF", tracking_no="1")
    assert len(statements(desk, page_of(order))) == before


@pytest.mark.parametrize(
    ("status", "offered"),
    [
        (State.UNPAID, []),
        (State.PAID, ["accept", "refuse"]),
        (State.ACCEPTED, ["refuse", "ship"]),
        (State.SHIPPED, []),
        (State.COMPLETED, []),
        (State.REFUNDED, []),
    ],
)
def test_the_order_page_offers_the_steps_of_its_state(desk, onlooker, order, status, offered):
    Order.objects.filter(pk=order.pk).update(status=status)
    urls = [url for _title, url in desk.get(page_of(order)).context["steps"]]
    assert urls == [step_of(order, name) for name in offered]
    assert desk_of(onlooker).get(page_of(order)).context["steps"] == []


@pytest.mark.parametrize(
    ("fen", "text"),
    [
        (0, "0.00"),
        (5, "0.05"),
        (100, "1.00"),
        (-1, "-0.01"),
        (-250, "-2.50"),
        (2**63 - 1, "92233720368547758.07"),
    ],
)
def test_fen_are_read_as_yuan_to_the_last_fen(fen, text):
    assert yuan(fen) == text
    assert money(fen) == f"¥{text} ({fen} fen)"


# --- payments and refunds


@pytest.mark.parametrize("kind", ["payment", "refund"])
def test_payments_and_refunds_are_found_by_either_number(desk, order, shopper, tea, kind):
    rows = []
    for each in (order, place(shopper, {tea: 1})):
        payment = pay(shopper, each)
        lifecycle.order_refuse(order_no=each.order_no, operator=shopper, reason="closed")
        rows.append((each, payment if kind == "payment" else payment.refunds.get()))
    url = reverse(f"admin:payments_{kind}_changelist")
    for each, row in rows:
        assert list(desk.get(url, {"q": str(row)}).context["cl"].result_list) == [row]
        assert list(desk.get(url, {"q": each.order_no}).context["cl"].result_list) == [row]
    assert list(desk.get(url, {"q": "1" * 24}).context["cl"].result_list) == []
    assert len(desk.get(url, {"status__exact": rows[0][1].status}).context["cl"].result_list) == 2


@pytest.fixture
def refund(order, shopper, operator):
    """One that the provider did not take: its next time is minutes away."""
    pay(shopper, order)
    lifecycle.order_refuse(order_no=order.order_no, operator=operator, reason="closed")
    late = order.created_at + timedelta(days=365)
    Refund.objects.update(due_at=late, attempts=7)
    assert refunding.refunds_execute() == 0
    return Refund.objects.get()


def retry(desk, *refunds):
    return desk.post(
        reverse("admin:payments_refund_changelist"),
        {"action": "retry_ticked", "_selected_action": [refund.pk for refund in refunds]},
    )


def test_a_refund_told_again_now_is_due_and_nothing_else_of_it_changes(desk, operator, refund):
    before = Refund.objects.values().get()

    response = retry(desk, refund)

    after = Refund.objects.values().get()
    assert after["due_at"] < before["due_at"]
    assert after == before | {"due_at": after["due_at"]}
    assert logged(refund) == [(operator.pk, CHANGE, "retry: due now")]
    assert said(response) == ["1 refund is due now."]
    assert refunding.refunds_execute() == 1
    refund.refresh_from_db()
    assert (refund.status, refund.attempts) == ("succeeded", 8)


def test_a_refund_that_is_done_is_not_told_again(desk, refund):
    retry(desk, refund)
    refunding.refunds_execute()
    before = Refund.objects.values().get()
    response = retry(desk, refund)
    assert said(response)[-1] == f"{refund} is done."
    assert Refund.objects.values().get() == before
    assert len(logged(refund)) == 1


def test_who_may_only_look_at_refunds_cannot_have_them_told_again(onlooker, refund):
    before = Refund.objects.values().get()
    retry(desk_of(onlooker), refund)
    assert Refund.objects.values().get() == before
    assert logged(refund) == []


def test_a_refund_that_is_not_there_is_not_found(operator):
    with pytest.raises(NotFound):
        refunding.refund_retry(refund_no="1" * 24, operator=operator)


# --- shipping methods


def test_a_shipping_method_is_edited_and_never_deleted(shopper):
    desk = desk_of(make_user(is_staff=True, is_superuser=True))
    method = ShippingMethod.objects.create(name="快递", fee_fen=800)
    page = reverse("admin:orders_shippingmethod_change", args=[method.pk])
    fields = {"name": "快递", "kind": "flat", "fee_fen": "900", "is_active": "on", "position": "0"}
    assert desk.post(page, fields).status_code == 302
    method.refresh_from_db()
    assert (method.fee_fen, method.free_above_fen) == (900, None)
    assert desk.post(page, fields | {"fee_fen": "-1"}).status_code == 200
    delete = reverse("admin:orders_shippingmethod_delete", args=[method.pk])
    assert desk.post(delete, {"post": "yes"}).status_code == 403
    method.refresh_from_db()
    assert method.fee_fen == 900


def test_a_shipping_method_keeps_the_numbers_of_its_kind_only(shopper):
    desk = desk_of(make_user(is_staff=True, is_superuser=True))
    add = reverse("admin:orders_shippingmethod_add")
    fields = {"name": "快递", "fee_fen": "900", "is_active": "on", "position": "0"}
    by_weight = {"first_grams": "1000", "step_grams": "500", "step_fee_fen": "200"}
    by_region = {"regions": "浙江 600\n\n 浙江 杭州 400 \n"}
    for kind in ("flat", "weight", "region"):
        assert desk.post(add, fields | by_weight | by_region | {"kind": kind}).status_code == 302
    columns = ("kind", "first_grams", "step_grams", "step_fee_fen", "regions")
    regions = [{"prefix": "浙江", "fee_fen": 600}, {"prefix": "浙江 杭州", "fee_fen": 400}]
    assert list(ShippingMethod.objects.order_by("pk").values_list(*columns)) == [
        ("flat", 0, None, 0, None),
        ("weight", 1000, 500, 200, None),
        ("region", 0, None, 0, regions),
    ]
    page = reverse("admin:orders_shippingmethod_change", args=[ShippingMethod.objects.last().pk])
    assert "浙江 600\n浙江 杭州 400" in desk.get(page).content.decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "weight"},
        {"kind": "weight", "step_grams": "0"},
        {"kind": "weight", "step_grams": "500", "step_fee_fen": "-1"},
        {"kind": "region"},
        {"kind": "region", "regions": "浙江"},
        {"kind": "region", "regions": "浙江 -6"},
        {"kind": "region", "regions": "浙江 6.5"},
        {"kind": "region", "regions": "浙江 1\n浙 江 2"},
        {"kind": "region", "regions": f"浙江 {10**12 + 1}"},
        {"kind": "region", "regions": "\n".join(f"r{n} 1" for n in range(201))},
        {"kind": "flat", "free_above_fen": "-1"},
        {"kind": "drone"},
    ],
)
def test_a_shipping_method_that_makes_no_sense_is_not_saved(shopper, wrong):
    desk = desk_of(make_user(is_staff=True, is_superuser=True))
    fields = {"name": "快递", "fee_fen": "900", "is_active": "on", "position": "0"}
    page = desk.post(reverse("admin:orders_shippingmethod_add"), fields | wrong)
    assert page.status_code == 200
    assert page.context["adminform"].errors
    assert not ShippingMethod.objects.exists()


def test_carts_are_the_shoppers_own(db):
    desk = desk_of(make_user(is_staff=True, is_superuser=True))
    assert "cartitem" not in desk.get(reverse("admin:index")).content.decode()


def test_a_payment_page_is_read_only_and_shows_the_amount(desk, order, shopper):
    pay(shopper, order)
    page = desk.get(reverse("admin:payments_payment_change", args=[Payment.objects.get().pk]))
    assert "¥31.50 (3150 fen)" in page.content.decode()
