"""Flash sales scheduled and steered: units move between pools, time alone starts and ends them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from goods.models import GoodsImage, Sku
from goods.sales import services
from goods.sales.models import FlashSale, Protection
from goods.sales.selectors import Status, sale_get
from goods.sales.services import (
    SalePlan,
    sale_add_units,
    sale_end,
    sale_pause,
    sale_resume,
    sale_schedule,
    sale_set_placement,
    sale_set_pool,
    sales_sweep,
)
from goods.sales.tasks import sweep_sales
from orders import lifecycle
from orders.models import Order
from shop.accounts.models import User
from shop.errors import Busy, Ended, InsufficientStock, Invalid, NotFound
from shop.operators_log import words_of
from shop.pools.audit import audit
from shop.pools.models import Placement, Pool, PoolMovement, Queue, Strategy
from tests.factories import make_goods, make_sale, make_sku, make_user, overdue, place_in
from tests.kit.barrier import race
from tests.kit.proxy import Proxy, database_through
from tests.kit.units import counters

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def tea() -> Sku:
    return make_sku(stock=20, price_fen=900, goods=make_goods("茶", title_en="Tea"))


@pytest.fixture
def sale(tea: Sku) -> FlashSale:
    """10 of 20 units, running."""
    return make_sale(tea, total=10, per_user_limit=None)


def plan_of(sku: Sku, **terms: Any) -> SalePlan:
    now = timezone.now()
    plan = {"price_fen": 100, "total": 10, "starts_at": now, "ends_at": now + HOUR}
    return SalePlan(sku=sku, **plan | terms)


def transfers() -> list[tuple[int, int]]:
    """Pool and change of each transfer, in their order."""
    moved = PoolMovement.objects.filter(kind="transfer").order_by("pk")
    return list(moved.values_list("pool_id", "delta"))


def said(operator: User) -> list[str]:
    """What the operators' log says of one operator."""
    return [words_of(one) for one in LogEntry.objects.filter(user=operator).order_by("pk")]


# --- scheduling


def test_scheduling_sets_units_of_the_sku_apart(tea: Sku, operator: User) -> None:
    plan = plan_of(
        tea,
        per_user_limit=3,
        protection=Protection.TOKEN,
        placement=Placement.DIRECT,
        strategy=Strategy.PESSIMISTIC,
        concurrency_limit=7,
        rate_per_user=5,
        rate_per_address=6,
        rate_in_all=8,
    )

    sale = sale_schedule(plan, operator=operator)

    assert (counters(tea.pool), counters(sale.pool)) == ((10, 0), (10, 0))
    assert transfers() == [(tea.pool_id, -10), (sale.pool_id, 10)]
    assert len(set(PoolMovement.objects.filter(kind="transfer").values_list("reference"))) == 1
    assert set(PoolMovement.objects.filter(kind="transfer").values_list("operator", flat=True)) == {
        operator.pk
    }
    stored = FlashSale.objects.select_related("pool", "queue").get()
    for field in ("price_fen", "total", "starts_at", "ends_at", "protection", "placement"):
        assert getattr(stored, field) == getattr(plan, field), field
    for field in ("concurrency_limit", "rate_per_user", "rate_per_address", "rate_in_all"):
        assert getattr(stored, field) == getattr(plan, field), field
    pool = stored.pool
    assert (pool.kind, pool.strategy, pool.per_user_limit) == ("flash_sale", "pessimistic", 3)
    assert (pool.gated, pool.open, stored.paused) == (False, True, False)
    assert stored.queue.kind == "orders"
    assert said(operator) == [f"Scheduled 10 of {tea.code}"]
    assert audit().broken == {}


def test_one_sku_may_have_several_sales(tea: Sku) -> None:
    first, second = make_sale(tea, total=12), make_sale(tea, total=8)
    assert (counters(tea.pool), counters(first.pool), counters(second.pool)) == (
        (0, 0),
        (12, 0),
        (8, 0),
    )
    assert first.queue_id != second.queue_id


def test_more_than_the_stock_schedules_nothing(tea: Sku) -> None:
    with pytest.raises(InsufficientStock) as refusal:
        sale_schedule(plan_of(tea, total=21))

    assert refusal.value.data == {"sku": tea.pk, "available": 20}
    assert counters(tea.pool) == (20, 0)
    assert (FlashSale.objects.count(), Queue.objects.count(), Pool.objects.count()) == (0, 0, 1)
    assert transfers() == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("total", 0),
        ("total", -1),
        ("total", 10**12),
        ("price_fen", -1),
        ("price_fen", 10**15),
        ("per_user_limit", 0),
        ("concurrency_limit", 0),
        ("rate_per_user", 0),
        ("rate_per_address", -1),
        ("rate_in_all", 0),
        ("ends_at", datetime(2026, 1, 1, tzinfo=timezone.get_default_timezone())),
    ],
)
def test_terms_that_make_no_sense_are_refused(tea: Sku, field: str, value: object) -> None:
    with pytest.raises(Invalid) as refusal:
        sale_schedule(plan_of(tea, **{field: value}))

    assert [error["field"] for error in refusal.value.data["errors"]] == [field]
    assert counters(tea.pool) == (20, 0)
    assert not FlashSale.objects.exists()


def test_a_sale_that_ends_as_it_starts_is_none(tea: Sku) -> None:
    now = timezone.now()
    with pytest.raises(Invalid):
        sale_schedule(plan_of(tea, starts_at=now, ends_at=now))


def test_one_reference_schedules_one_sale_for_a_sku(tea: Sku) -> None:
    pot = make_sku(stock=20)
    first = sale_schedule(plan_of(tea), reference="june")
    again = sale_schedule(plan_of(tea, total=5), reference="june")
    other = sale_schedule(plan_of(pot), reference="july")

    assert again.pk == first.pk != other.pk
    assert (counters(tea.pool), counters(first.pool)) == ((10, 0), (10, 0))
    assert FlashSale.objects.count() == 2


# --- adding units


def test_units_are_added_once_for_a_reference(sale: FlashSale, tea: Sku, operator: User) -> None:
    add = partial(sale_add_units, sale, count=4, operator=operator, reference="more")

    assert [add(), add()] == [True, False]

    assert (counters(tea.pool), counters(sale.pool)) == ((6, 0), (14, 0))
    assert FlashSale.objects.get().total == 14
    assert transfers()[2:] == [(tea.pool_id, -4), (sale.pool_id, 4)]
    assert said(operator) == ["Added 4 units (more)"]


@pytest.mark.parametrize("count", [0, -1, 10**12])
def test_adding_nothing_or_far_too_much_is_refused(
    sale: FlashSale, operator: User, count: int
) -> None:
    with pytest.raises(Invalid):
        sale_add_units(sale, count=count, operator=operator, reference="more")
    assert counters(sale.pool) == (10, 0)


def test_more_units_than_there_are_leave_the_sale_as_it_was(
    sale: FlashSale, tea: Sku, operator: User
) -> None:
    with pytest.raises(InsufficientStock) as refusal:
        sale_add_units(sale, count=11, operator=operator, reference="more")
    assert refusal.value.data["available"] == 10
    assert (counters(tea.pool), counters(sale.pool)) == ((10, 0), (10, 0))
    assert FlashSale.objects.get().total == 10


# --- steering


def test_pausing_and_resuming_are_harmless_to_repeat(sale: FlashSale, operator: User) -> None:
    for _ in range(2):
        sale_pause(sale, operator=operator)
        assert sale_get(sale.pk).status_now == Status.PAUSED
    for _ in range(2):
        sale_resume(sale, operator=operator)
        assert sale_get(sale.pk).status_now == Status.RUNNING
    assert said(operator) == ["Paused", "Paused", "Resumed", "Resumed"]
    assert counters(sale.pool) == (10, 0)


def test_placement_strategy_and_gate_are_switched(sale: FlashSale, operator: User) -> None:
    sale_set_placement(sale, placement=Placement.DIRECT, operator=operator)
    sale_set_pool(sale, strategy=Strategy.PESSIMISTIC, gated=False, operator=operator)

    stored = FlashSale.objects.select_related("pool").get()
    assert (stored.placement, stored.pool.strategy) == ("direct", "pessimistic")
    assert said(operator) == ["Placement: direct", "Strategy: pessimistic, gate: off"]


@pytest.mark.parametrize("over", ["ended", "its time is up"])
def test_a_sale_that_is_over_is_steered_no_more(tea: Sku, operator: User, over: str) -> None:
    sale = make_sale(tea)
    if over == "ended":
        sale_end(sale)
    else:
        FlashSale.objects.update(ends_at=Now())
    steps: list[Callable[[], object]] = [
        partial(sale_pause, sale, operator=operator),
        partial(sale_resume, sale, operator=operator),
        partial(sale_set_placement, sale, placement=Placement.DIRECT, operator=operator),
        partial(sale_add_units, sale, count=1, operator=operator, reference="more"),
    ]
    for step in steps:
        with pytest.raises(Ended):
            step()
    assert said(operator) == []


# --- the end


def test_ending_gives_back_what_nobody_has(sale: FlashSale, tea: Sku, operator: User) -> None:
    order = place_in(FlashSale.objects.get(), make_user(), 3)

    left = sale_end(sale, operator=operator)

    # What waited was settled first, and holds its units.
    order.refresh_from_db()
    assert order.status == "unpaid"
    assert left == 7
    assert (counters(sale.pool), counters(tea.pool)) == ((0, 3), (17, 0))
    assert sorted(transfers()[2:]) == sorted([(tea.pool_id, 7), (sale.pool_id, -7)])
    assert not Pool.objects.get(pk=sale.pool_id).open
    assert sale_get(sale.pk).status_now == Status.ENDED
    assert sale_get(sale.pk).ends_at <= timezone.now()
    assert said(operator) == ["Ended"]
    assert audit().broken == {}


def test_ending_again_changes_nothing(sale: FlashSale, tea: Sku, operator: User) -> None:
    assert sale_end(sale, operator=operator) == 10
    ends_at, moved = FlashSale.objects.get().ends_at, transfers()

    assert sale_end(sale, operator=operator) == 0

    assert FlashSale.objects.get().ends_at == ends_at
    assert transfers() == moved
    assert counters(tea.pool) == (20, 0)
    assert said(operator) == ["Ended"]


@pytest.mark.django_db(transaction=True)
def test_ending_many_times_at_once_gives_back_once() -> None:
    tea = make_sku(stock=10)
    sale = make_sale(tea, total=10)

    outcomes = race([partial(sale_end, sale) for _ in range(6)])

    assert sorted(outcome.result() for outcome in outcomes) == [0, 0, 0, 0, 0, 10]
    assert (counters(sale.pool), counters(tea.pool)) == ((0, 0), (10, 0))
    assert audit().broken == {}


def test_a_sale_ended_before_it_began_never_does(tea: Sku, operator: User) -> None:
    sale = make_sale(tea, starts_in=HOUR, ends_in=2 * HOUR)

    assert sale_end(sale, operator=operator) == 10

    assert counters(tea.pool) == (20, 0)
    stored = sale_get(sale.pk)
    assert (stored.status_now, stored.ends_at) == (Status.ENDED, sale.ends_at)
    assert said(operator) == ["Ended"]


def test_beat_ends_what_is_over_and_nothing_else(tea: Sku) -> None:
    over = make_sale(tea, total=3, starts_in=-2 * HOUR, ends_in=-HOUR)
    running = make_sale(tea, total=4)
    coming = make_sale(tea, total=5, starts_in=HOUR, ends_in=2 * HOUR)

    assert (sales_sweep(), sales_sweep()) == (1, 0)

    opened = dict(Pool.objects.filter(kind="flash_sale").values_list("pk", "open"))
    assert opened == {over.pool_id: False, running.pool_id: True, coming.pool_id: True}
    assert counters(tea.pool) == (11, 0)
    assert FlashSale.objects.get(pk=over.pk).ends_at == over.ends_at
    assert LogEntry.objects.count() == 0


@pytest.mark.parametrize("how", ["cancelled", "expired"])
def test_what_comes_back_after_the_end_goes_through_the_sale_to_the_sku(
    how: str, sale: FlashSale, tea: Sku
) -> None:
    orders = [place_in(sale, make_user(), count) for count in (2, 3)]
    sale_end(sale)
    held, stock = 5, 15
    assert (counters(sale.pool), counters(tea.pool)) == ((0, held), (stock, 0))

    for order, count in zip(orders, (2, 3), strict=True):
        if how == "cancelled":
            user = User.objects.get(pk=order.user_id)
            lifecycle.order_cancel(user=user, order_no=order.order_no)
        else:
            overdue(order)
            lifecycle.orders_expire()
        held, stock = held - count, stock + count
        # To the pool that it was taken from, closed as it is ...
        assert (counters(sale.pool), counters(tea.pool)) == ((count, held), (stock - count, 0))
        sweep_sales()
        # ... and from there on.
        assert (counters(sale.pool), counters(tea.pool)) == ((0, held), (stock, 0))
    assert sales_sweep() == 0
    assert audit().broken == {}


def test_one_sale_that_cannot_be_ended_now_holds_up_no_other(
    tea: Sku, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = make_sale(tea, total=3, starts_in=-2 * HOUR, ends_in=-HOUR)
    over = make_sale(tea, total=4, starts_in=-2 * HOUR, ends_in=-HOUR)
    end = services.sale_end

    def busy(sale: FlashSale, **options: Any) -> int:
        if sale.pk == stuck.pk:
            raise Busy
        return end(sale, **options)

    monkeypatch.setattr(services, "sale_end", busy)
    assert sales_sweep() == 1

    assert Pool.objects.get(pk=stuck.pool_id).open
    assert not Pool.objects.get(pk=over.pool_id).open


# --- what shoppers see


@pytest.mark.parametrize(
    ("starts_in", "ends_in", "status"),
    [(HOUR, 2 * HOUR, "scheduled"), (-HOUR, HOUR, "running"), (-2 * HOUR, -HOUR, "ended")],
)
def test_time_alone_says_whether_a_sale_runs(
    api: APIClient, tea: Sku, starts_in: timedelta, ends_in: timedelta, status: str
) -> None:
    sale = make_sale(tea, starts_in=starts_in, ends_in=ends_in)

    assert api.get(f"/api/v1/flash-sales/{sale.pk}").json()["status"] == status
    for one in Status:
        found = api.get("/api/v1/flash-sales", {"status": one.value}).json()["count"]
        assert found == (one == status), one


@pytest.mark.parametrize(
    ("columns", "taken", "is_open", "status"),
    [
        ({}, 9, True, "running"),
        ({}, 10, True, "sold_out"),
        ({"paused": True}, 0, True, "paused"),
        ({"paused": True}, 10, True, "paused"),
        ({}, 0, False, "ended"),
        ({"paused": True}, 0, False, "ended"),
    ],
)
def test_of_several_states_the_one_that_matters_most_is_told(
    sale: FlashSale, columns: dict[str, Any], taken: int, is_open: bool, status: str
) -> None:
    FlashSale.objects.update(**columns)
    Pool.objects.filter(pk=sale.pool_id).update(available=10 - taken, taken=taken, open=is_open)
    assert sale_get(sale.pk).status_now == status


def test_a_sale_is_shown_with_its_terms_and_the_servers_clock(api: APIClient, tea: Sku) -> None:
    sale = make_sale(tea, total=10, price_fen=100, per_user_limit=2, protection=Protection.CAPTCHA)
    place_in(make_sale(tea, total=1), make_user())

    shown = api.get(f"/api/v1/flash-sales/{sale.pk}", headers={"Accept-Language": "en"}).json()

    clock = datetime.fromisoformat(shown.pop("server_time"))
    assert abs(clock - timezone.now()) < timedelta(seconds=30)
    moments = {name: datetime.fromisoformat(shown.pop(name)) for name in ("starts_at", "ends_at")}
    assert moments == {"starts_at": sale.starts_at, "ends_at": sale.ends_at}
    assert shown == {
        "id": sale.pk,
        "sku": tea.pk,
        "goods_title": "Tea",
        "spec": "500 g",
        "image": "",
        "price_fen": 100,
        "original_price_fen": 900,
        "per_user_limit": 2,
        "total": 10,
        "remaining": 10,
        "status": "running",
        "protection": "captcha",
    }
    chinese = api.get(f"/api/v1/flash-sales/{sale.pk}", headers={"Accept-Language": "zh-CN"})
    assert chinese.json()["goods_title"] == "茶"


def test_the_list_begins_with_what_ends_last(api: APIClient, tea: Sku) -> None:
    ends = [HOUR, 3 * HOUR, 2 * HOUR]
    sales = [make_sale(tea, total=1, ends_in=ends_in) for ends_in in ends]

    page = api.get("/api/v1/flash-sales", {"page_size": 2}).json()

    assert [row["id"] for row in page["results"]] == [sales[1].pk, sales[2].pk]
    assert page["count"] == 3
    assert "server_time" in page


def test_the_list_costs_the_same_for_one_sale_and_for_many(api: APIClient, tea: Sku) -> None:
    make_sale(tea, total=1)
    with CaptureQueriesContext(connection) as one:
        api.get("/api/v1/flash-sales", {"status": "running"})
    for _ in range(7):
        make_sale(make_sku(stock=2), total=1)
    with CaptureQueriesContext(connection) as many:
        shown = api.get("/api/v1/flash-sales", {"status": "running"}).json()

    assert len(shown["results"]) == 8
    assert len(many) == len(one) <= 3


def test_a_sale_that_is_not_there_is_not_found(api: APIClient, db: None) -> None:
    answer = api.get("/api/v1/flash-sales/987654")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    with pytest.raises(NotFound):
        sale_get(987654)


def test_a_status_that_does_not_exist_is_invalid(api: APIClient, db: None) -> None:
    answer = api.get("/api/v1/flash-sales", {"status": "soon"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


# --- on a network that loses answers


@pytest.mark.parametrize("lost", ["answer", "commit"])
@pytest.mark.mariadb
@pytest.mark.skipif(connection.vendor != "mysql", reason="needs MariaDB")
@pytest.mark.django_db(transaction=True)
def test_a_sale_whose_commit_is_lost_is_scheduled_once(lost: str) -> None:
    tea, settings = make_sku(stock=20), connection.settings_dict
    with (
        Proxy(host=settings["HOST"], port=int(settings["PORT"])) as proxy,
        database_through(proxy),
    ):
        if lost == "answer":
            proxy.swallow_commit_answers()
        else:
            proxy.lose_commits()
        sale = sale_schedule(plan_of(tea))

    assert FlashSale.objects.get().pk == sale.pk
    assert (counters(tea.pool), counters(sale.pool)) == ((10, 0), (10, 0))
    assert Order.objects.count() == 0
    assert audit().broken == {}


def test_a_sale_is_shown_with_the_first_picture_of_its_goods(api: APIClient, db: None) -> None:
    sale = make_sale()
    for position in (2, 1):
        url = f"https://pictures.example/{position}.png"
        GoodsImage.objects.create(goods=sale.sku.goods, url=url, position=position)

    one = api.get(f"/api/v1/flash-sales/{sale.pk}").json()
    [listed] = api.get("/api/v1/flash-sales").json()["results"]

    assert one["image"] == listed["image"] == "https://pictures.example/1.png"
