"""Orders that failed of an error of ours: operators see them, try them again, or drop them."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.urls import reverse

from goods.sales.services import sale_end
from orders import lifecycle
from orders.models import Order, OrderMove
from orders.states import State
from shop.errors import OrderState
from shop.operators_log import words_of
from shop.pools.audit import audit
from shop.pools.drain import drain
from shop.pools.models import Pool, PoolUser
from tests.factories import make_sale, make_sku, make_user, place, place_in

pytestmark = pytest.mark.django_db

LIST = reverse("admin:orders_order_changelist")
ACTIONS = {"retry": "retry_ticked", "drop": "drop_ticked"}


@pytest.fixture(autouse=True)
def english(settings):
    settings.LANGUAGE_CODE = "en"
    settings.DRAIN_ATTEMPTS = 2


@pytest.fixture
def operator():
    operator = make_user(is_staff=True)
    operator.user_permissions.set(
        Permission.objects.filter(codename__in=["accept_order", "retry_order"])
    )
    return operator


@pytest.fixture
def desk(operator):
    client = Client()
    client.force_login(operator)
    return client


@pytest.fixture
def sale():
    """5 units, 2 a shopper."""
    return make_sale(total=5, per_user_limit=2)


def spoil(order):
    """Settling it ends in an error: it names a pool that is not there."""
    Order.objects.filter(pk=order.pk).update(
        snapshot=[{**line, "pool": 987_654} for line in order.snapshot]
    )


def mend(order):
    Order.objects.filter(pk=order.pk).update(snapshot=order.snapshot)


def settle(queue_id, rings=1):
    for _ in range(rings):
        drain(queue_id)


@pytest.fixture
def given_up(sale):
    """An order of 2 units that the drain gave up; the cause is mended since."""
    order = place_in(sale, make_user(), 2)
    spoil(order)
    settle(sale.queue_id, rings=2)
    mend(order)
    return Order.objects.get(pk=order.pk)


def page_of(order):
    return reverse("admin:orders_order_change", args=[order.pk])


def step_of(order, name):
    return reverse(f"admin:orders_order_{name}", args=[order.pk])


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def logged(order):
    entries = LogEntry.objects.filter(object_id=str(order.pk), object_repr=str(order))
    return [(one.user_id, one.action_flag, words_of(one)) for one in entries.order_by("pk")]


def listed(desk, **query):
    return [row.pk for row in desk.get(LIST, query).context["cl"].result_list]


def facts(order):
    return (
        Order.objects.filter(pk=order.pk).values().get(),
        list(order.moves.values()),
        logged(order),
        list(Pool.objects.values()),
    )


def counters(sale):
    return Pool.objects.values_list("available", "taken").get(pk=sale.pool_id)


# --- seeing them


def test_what_the_drain_gave_up_is_listed_to_look_after(desk, sale, given_up):
    place_in(sale, make_user(), 2)
    settle(sale.queue_id)
    beaten = [place_in(sale, make_user(), 2), place_in(sale, make_user(), 2)]
    settle(sale.queue_id)
    failed = Order.objects.filter(pk__in=[order.pk for order in beaten], status=State.FAILED)

    assert failed.get().failure == "sold_out"
    assert listed(desk, look="failed") == [given_up.pk]
    assert listed(desk, look="nonsense") == listed(desk)
    assert listed(desk, sale=sale.pk) == listed(desk)
    assert listed(desk, sale=sale.pk + 1) == []


def test_one_that_may_still_be_settled_is_not_listed(desk, sale):
    order = place_in(sale, make_user())
    spoil(order)
    settle(sale.queue_id)

    assert Order.objects.get(pk=order.pk).attempts == 1
    assert listed(desk, look="failed") == []
    assert "waits in flash_sale:" in desk.get(page_of(order)).content.decode()


def test_its_page_says_what_happened_and_offers_both_steps(desk, sale, given_up):
    response = desk.get(page_of(given_up))

    page = response.content.decode()
    assert "error of ours (internal); given up after 2 attempts" in page
    assert reverse("admin:sales_flashsale_change", args=[sale.pk]) in page
    urls = [url for _title, url in response.context["steps"]]
    assert urls == [step_of(given_up, "retry"), step_of(given_up, "drop")]


# --- trying them again


def test_one_tried_again_is_settled_as_it_was_priced(desk, operator, sale, given_up):
    response = desk.post(step_of(given_up, "retry"))

    waiting = Order.objects.get(pk=given_up.pk)
    assert (waiting.status, waiting.failure, waiting.attempts) == (State.PENDING, "", 0)
    assert waiting.queue_id == sale.queue_id
    assert response.url == page_of(given_up)
    assert said(response) == [f"{given_up} is back in its queue."]
    assert logged(given_up) == [(operator.pk, CHANGE, "pending: tried again")]
    back = OrderMove.objects.get(order=given_up, target=State.PENDING)
    assert (back.source, back.actor, back.operator) == ("failed", "operator", operator)

    settle(sale.queue_id)

    settled = Order.objects.get(pk=given_up.pk)
    assert (settled.status, settled.total_fen) == (State.UNPAID, given_up.total_fen)
    assert counters(sale) == (3, 2)
    assert PoolUser.objects.get(pool=sale.pool_id, user=given_up.user_id).taken == 2
    assert listed(desk, look="failed") == []
    assert audit().ok


def test_one_of_cart_checkout_goes_back_to_the_queue_of_checkout(desk, settings):
    settings.CHECKOUT_PLACEMENT = "queued"
    tea = make_sku(stock=3)
    order = place(make_user(), {tea: 1})
    spoil(order)
    settle(order.queue_id, rings=2)
    mend(order)

    desk.post(step_of(order, "retry"))

    assert Order.objects.get(pk=order.pk).queue_id == order.queue_id
    settle(order.queue_id)
    assert Order.objects.get(pk=order.pk).status == State.UNPAID
    assert audit().ok


def test_one_that_fails_again_has_as_many_attempts_and_is_listed_again(desk, sale, given_up):
    spoil(given_up)
    desk.post(step_of(given_up, "retry"))

    settle(sale.queue_id)
    assert Order.objects.get(pk=given_up.pk).status == State.PENDING
    settle(sale.queue_id)

    assert Order.objects.get(pk=given_up.pk).status == State.FAILED
    assert listed(desk, look="failed") == [given_up.pk]
    assert counters(sale) == (5, 0)
    mend(given_up)
    assert audit().ok


def test_one_tried_again_keeps_to_the_limits_of_now(desk, sale, given_up):
    place_in(sale, given_up.user)
    settle(sale.queue_id)

    desk.post(step_of(given_up, "retry"))
    settle(sale.queue_id)

    again = Order.objects.get(pk=given_up.pk)
    assert (again.status, again.failure) == (State.FAILED, "purchase_limit")
    assert counters(sale) == (4, 1)
    assert audit().ok


def test_one_tried_again_after_the_sale_fails_as_ended(desk, sale, given_up):
    sale_end(sale)

    desk.post(step_of(given_up, "retry"))
    settle(sale.queue_id)

    again = Order.objects.get(pk=given_up.pk)
    assert (again.status, again.failure) == (State.FAILED, "ended")
    assert audit().ok


def test_its_shopper_may_cancel_one_that_waits_again(desk, sale, given_up):
    desk.post(step_of(given_up, "retry"))

    lifecycle.order_cancel(user=given_up.user, order_no=given_up.order_no)
    settle(sale.queue_id)

    assert Order.objects.get(pk=given_up.pk).status == State.CANCELLED
    assert counters(sale) == (5, 0)
    assert audit().ok


# --- dropping them


def test_one_dropped_stays_failed_and_is_listed_no_more(desk, operator, given_up):
    before = Order.objects.filter(pk=given_up.pk).values().get()

    response = desk.post(step_of(given_up, "drop"))
    again = desk.post(step_of(given_up, "drop"))

    assert Order.objects.filter(pk=given_up.pk).values().get() == before | {"attempts": 0}
    assert response.url == again.url == page_of(given_up)
    assert logged(given_up) == [(operator.pk, CHANGE, "dropped")]
    assert listed(desk, look="failed") == []
    assert "dropped by an operator" in desk.get(page_of(given_up)).content.decode()
    assert audit().ok


def test_one_dropped_may_still_be_tried_again(desk, sale, given_up):
    desk.post(step_of(given_up, "drop"))
    desk.post(step_of(given_up, "retry"))
    settle(sale.queue_id)

    assert Order.objects.get(pk=given_up.pk).status == State.UNPAID


# --- what neither may do


@pytest.mark.parametrize("name", ACTIONS)
def test_what_failed_of_anything_else_stays_as_it_is(desk, sale, name):
    place_in(sale, make_user(), 2)
    place_in(sale, make_user(), 2)
    beaten = place_in(sale, make_user(), 2)
    settle(sale.queue_id)
    before = facts(beaten)

    response = desk.post(step_of(beaten, name))

    assert said(response) == [f"{beaten}: The order's state does not allow this. It is: failed."]
    assert facts(beaten) == before
    assert desk.get(page_of(beaten)).context["steps"] == []


@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize("state", [State.PENDING, State.UNPAID])
def test_what_has_not_failed_stays_as_it_is(desk, operator, sale, name, state):
    order = place_in(sale, make_user())
    if state is State.UNPAID:
        settle(sale.queue_id)
    before = facts(order)
    service = {"retry": lifecycle.order_retry, "drop": lifecycle.order_drop}[name]

    with pytest.raises(OrderState):
        service(order_no=order.order_no, operator=operator)

    assert facts(order) == before


@pytest.mark.parametrize("name", ACTIONS)
def test_who_may_only_look_is_refused(given_up, name):
    onlooker = make_user(is_staff=True)
    onlooker.user_permissions.set(Permission.objects.filter(codename="view_order"))
    desk = Client()
    desk.force_login(onlooker)
    before = facts(given_up)

    assert desk.get(page_of(given_up)).context["steps"] == []
    assert desk.post(step_of(given_up, name)).status_code == 403
    desk.post(LIST, {"action": ACTIONS[name], "_selected_action": [given_up.pk]})
    assert facts(given_up) == before


@pytest.mark.parametrize("name", ACTIONS)
def test_looking_at_a_step_does_nothing(desk, given_up, name):
    before = facts(given_up)
    assert desk.get(step_of(given_up, name)).status_code == 200
    assert facts(given_up) == before


@pytest.mark.parametrize(
    ("name", "words", "status"),
    [
        ("retry", "1 order is back in its queue.", State.PENDING),
        ("drop", "1 order is dropped.", State.FAILED),
    ],
)
def test_ticked_orders_are_each_a_step_of_its_own(desk, sale, given_up, name, words, status):
    other = place_in(sale, make_user())
    settle(sale.queue_id)

    response = desk.post(
        LIST, {"action": ACTIONS[name], "_selected_action": [given_up.pk, other.pk]}
    )

    assert said(response) == [
        f"{other}: The order's state does not allow this. It is: unpaid.",
        words,
    ]
    assert Order.objects.get(pk=given_up.pk).status == status
    assert listed(desk, look="failed") == []


# --- the promises


def test_one_tried_again_has_waited_only_since_then(desk, given_up):
    long_ago = given_up.created_at - timedelta(hours=1)
    Order.objects.filter(pk=given_up.pk).update(created_at=long_ago)
    desk.post(step_of(given_up, "retry"))
    assert audit().ok

    back = OrderMove.objects.filter(order=given_up, target=State.PENDING)
    back.update(created_at=given_up.created_at - timedelta(minutes=2))

    [broken] = audit().broken[2]
    assert broken.startswith(f"order {given_up.order_no}: is pending, 36")


def test_a_failed_order_that_nobody_has_tried_again_does_not_wait(sale, given_up):
    Order.objects.filter(pk=given_up.pk).update(status=State.PENDING, queue=sale.queue_id)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orders_ordermove (order_id, source, target, actor, reason, created_at)"
            " VALUES (%s, 'failed', 'pending', 'hand', '', %s)",
            [given_up.pk, "2026-01-01 00:00:00"],
        )

    [broken] = audit().broken[8]
    assert broken == (
        f"order {given_up.order_no}: is pending, moved failed -> pending after failed"
    )
