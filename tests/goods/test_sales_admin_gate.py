"""What operators see and do of a sale's gate, on a real Redis."""

import io

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from goods.sales.models import FlashSale
from goods.sales.services import sale_end, sale_pause, sale_set_pool
from orders import lifecycle
from orders.models import Order
from shop.pools import gate, gatekeeping
from shop.pools.audit import audit
from shop.pools.drain import drain
from shop.pools.figures import GateState, gate_view
from shop.pools.models import Pool
from tests.factories import make_sale, make_sku, make_user, place_in
from tests.kit.barrier import race
from tests.kit.desk import shown
from tests.kit.marks import on_mariadb

pytestmark = on_mariadb


@pytest.fixture(autouse=True)
def english(settings):
    settings.LANGUAGE_CODE = "en"
    settings.DRAIN_ATTEMPTS = 1
    gate.client().flushdb()


@pytest.fixture
def sale():
    """Runs behind a gate; 5 units, 2 a shopper."""
    return make_sale(total=5, per_user_limit=2, gated=True)


def read(sale):
    return FlashSale.objects.select_related("pool").get(pk=sale.pk)


def words(desk, sale):
    """What the sale's page says of its gate."""
    return shown(desk, sale)["gate"]


def counts(sale):
    """What the gate has: units that remain, and units by user."""
    counters, users = gate.names(sale.pool_id, "users")
    redis = gate.client()
    held = {int(user): int(units) for user, units in redis.hgetall(users).items()}
    return int(redis.hget(counters, "remaining")), held


def go_cold(sale):
    gate.client().delete(*gate.names(sale.pool_id, "users", "keys", "look"))


def test_a_gate_that_is_right_says_so(desk, sale):
    place_in(sale, make_user(), 2)

    assert words(desk, sale) == "3 remain, as the database says"


def test_a_gate_that_is_wrong_is_set_beside_the_database(desk, sale):
    shopper = make_user()
    place_in(sale, shopper, 2)
    gate.raise_by(sale.pool_id, units=-1, users={shopper.pk: -1})

    assert words(desk, sale).startswith(
        "1 remain, by the database 3; 1 shopper is counted wrongly (for 0 s;"
    )


def test_a_cold_gate_says_so_and_is_rebuilt_by_hand(desk, operator, sale):
    place_in(sale, make_user(), 2)
    go_cold(sale)
    assert words(desk, sale).startswith("cold:")

    response = desk.post(reverse("admin:sales_flashsale_rebuild", args=[sale.pk]), follow=True)

    assert [str(message) for message in response.context["messages"]] == ["The gate is rebuilt."]
    assert words(desk, sale) == "3 remain, as the database says"
    [entry] = operator.logentry_set.all()
    assert entry.change_message == "Gate rebuilt"


def test_a_gate_switched_off_and_on_again_is_as_the_database_says(desk, operator, sale):
    page = reverse("admin:sales_flashsale_pool", args=[sale.pk])
    desk.post(page, {"strategy": ""})
    assert gate_view(read(sale).pool).state is GateState.OFF
    place_in(sale, make_user(), 2)

    desk.post(page, {"strategy": "", "gated": "on"})

    assert words(desk, sale) == "3 remain, as the database says"
    assert counts(sale)[0] == 3


def test_the_gate_of_a_sale_that_is_over_is_closed(desk, sale):
    sale_end(sale)
    assert words(desk, sale) == "closed: nothing is given any more"


def test_units_added_reach_the_gate_once(desk, sale):
    page = reverse("admin:sales_flashsale_units", args=[sale.pk])
    form = {"count": "2", "reference": "admin-" + "0" * 32}

    desk.post(page, form)
    desk.post(page, form)

    assert counts(sale)[0] == 7
    assert gate_view(read(sale).pool).state is GateState.EQUAL


@pytest.mark.parametrize("clicks", [2, 8])
def test_a_form_sent_many_times_at_once_schedules_one_sale(operator, clicks):
    tea = make_sku(stock=30)
    form = {
        "sku": tea.code,
        "price_fen": "900",
        "total": "10",
        "starts_at": "2031-01-01T20:00",
        "ends_at": "2031-01-01T21:00",
        "per_user_limit": "1",
        "protection": "none",
        "placement": "queued",
        "strategy": "",
        "gated": "on",
        "reference": "admin-" + "0" * 32,
    }

    def click():
        desk = Client()
        desk.force_login(operator)
        return desk.post(reverse("admin:sales_flashsale_add"), form).status_code

    outcomes = [outcome.result() for outcome in race([click] * clicks)]

    sale = FlashSale.objects.get()
    assert set(outcomes) == {302}
    assert Pool.objects.get(pk=tea.pool_id).available == 20
    assert counts(sale) == (10, {})
    assert audit().ok


def give_up(order):
    Order.objects.filter(pk=order.pk).update(
        snapshot=[{**line, "pool": 987_654} for line in order.snapshot]
    )
    drain(order.queue_id)
    Order.objects.filter(pk=order.pk).update(snapshot=order.snapshot)
    # The gate was told of the pool that is not there.
    gatekeeping.rebuild(order.snapshot[0]["pool"], force=True)


@pytest.mark.parametrize("limit", [2, None])
def test_a_failed_order_tried_again_is_counted_by_its_gate_again(desk, limit):
    sale = make_sale(total=5, per_user_limit=limit, gated=True)
    shopper = make_user()
    order = place_in(sale, shopper, 2)
    give_up(order)
    assert counts(sale) == (5, {})

    desk.post(reverse("admin:orders_order_retry", args=[order.pk]))

    assert counts(sale) == (3, {shopper.pk: 2} if limit else {})
    assert gate_view(read(sale).pool).state is GateState.EQUAL
    drain(sale.queue_id)
    assert gate_view(read(sale).pool).state is GateState.EQUAL
    assert counts(sale)[0] == 3
    assert audit().ok


def test_one_tried_again_behind_a_cold_gate_is_counted_when_it_opens(operator, sale):
    order = place_in(sale, make_user(), 2)
    give_up(order)
    go_cold(sale)

    lifecycle.order_retry(order_no=order.order_no, operator=operator)

    gatekeeping.rebuild(sale.pool_id)
    assert counts(sale) == (3, {order.user_id: 2})


def command(*arguments, **options):
    out = io.StringIO()
    call_command("rebuild_gate", *arguments, stdout=out, **options)
    return out.getvalue()


def test_the_command_rebuilds_one_gate_and_leaves_the_others(sale, operator):
    other = make_sale(gated=True)
    sale_pause(sale, operator=operator)
    for each in (sale, other):
        go_cold(each)

    assert command(str(sale.pk)) == "Gates rebuilt: 1.\n"

    assert gate_view(read(sale).pool).state is GateState.EQUAL
    assert gate_view(read(other).pool).state is GateState.COLD
    assert gate.client().hget(*gate.names(sale.pool_id), "paused") == b"1"


def test_the_command_rebuilds_all_gates_of_open_sales(sale, operator):
    other, over, without = (make_sale(gated=True) for _ in range(3))
    sale_end(over)
    sale_set_pool(without, strategy="", gated=False, operator=operator)
    for each in (sale, other, over, without):
        go_cold(each)

    assert command("--all") == "Gates rebuilt: 2.\n"

    states = [gate_view(read(each).pool).state for each in (sale, other, over, without)]
    assert states == [GateState.EQUAL, GateState.EQUAL, GateState.CLOSED, GateState.OFF]
    assert not gate.client().exists(*gate.names(over.pool_id), *gate.names(without.pool_id))
