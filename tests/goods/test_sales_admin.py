"""Operators' pages of flash sales: scheduling one, looking at it, and the steps that steer it."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from goods.sales import services
from goods.sales.models import FlashSale
from goods.sales.selectors import sale_get
from settings.redis import redis_caches
from shop.accounts.models import User
from shop.operators_log import words_of
from shop.pools import gate
from shop.pools.audit import audit
from shop.pools.drain import drain
from shop.pools.models import Pool, PoolMovement
from tests.factories import make_sale, make_sku, make_user, place_in
from tests.kit.desk import shown

pytestmark = pytest.mark.django_db

LIST = reverse("admin:sales_flashsale_changelist")
SCHEDULE = reverse("admin:sales_flashsale_add")
STEPS = {
    "pause": {},
    "resume": {},
    "units": {"count": "3", "reference": "admin-" + "0" * 32},
    "placement": {"placement": "direct"},
    "pool": {"strategy": "pessimistic"},
    "rebuild": {},
    "end": {},
}


@pytest.fixture(autouse=True)
def english(settings):
    settings.LANGUAGE_CODE = "en"


@pytest.fixture
def tea():
    return make_sku(stock=30, price_fen=1050)


@pytest.fixture
def sale(tea):
    """Runs; 10 of the 30 units, 2 a shopper."""
    return make_sale(tea, total=10, per_user_limit=2)


def page_of(sale):
    return reverse("admin:sales_flashsale_change", args=[sale.pk])


def step_of(sale, name):
    return reverse(f"admin:sales_flashsale_{name}", args=[sale.pk])


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def logged():
    entries = LogEntry.objects.order_by("pk")
    return [(entry.user_id, entry.action_flag, words_of(entry)) for entry in entries]


def facts():
    """Everything that is stored of sales and of units."""
    models = (FlashSale, Pool, PoolMovement, LogEntry)
    return [list(model.objects.order_by("pk").values()) for model in models]


def available(row):
    return Pool.objects.values_list("available", flat=True).get(pk=row.pool_id)


# --- scheduling


class TestScheduling:
    """The page that schedules a sale."""

    def form(self, desk, sku, /, **values):
        """The form as the page shows it now, filled in."""
        page = desk.get(SCHEDULE).content.decode()
        [reference] = re.findall(r'name="reference" value="([^"]+)"', page)
        return {
            "sku": sku.code,
            "price_fen": "900",
            "total": "10",
            "starts_at": "2031-01-01T20:00",
            "ends_at": "2031-01-01T21:30",
            "per_user_limit": "1",
            "protection": "none",
            "placement": "queued",
            "strategy": "",
            "reference": reference,
            **values,
        }

    def test_it_sets_units_apart_under_the_terms_that_were_said(self, desk, operator, tea):
        terms = {
            "per_user_limit": "3",
            "protection": "token",
            "placement": "direct",
            "strategy": "pessimistic",
            "concurrency_limit": "4",
            "rate_per_user": "5",
            "rate_per_address": "6",
            "rate_in_all": "7",
        }

        response = desk.post(SCHEDULE, self.form(desk, tea, **terms))

        sale = FlashSale.objects.select_related("pool").get()
        assert response.url == page_of(sale)
        assert said(response) == [f"Flash sale {sale.pk}: {tea} is scheduled."]
        assert (sale.sku, sale.price_fen, sale.total) == (tea, 900, 10)
        # Eight in the evening in the shop's time zone, which is eight hours before UTC.
        assert sale.starts_at == datetime(2031, 1, 1, 12, 0, tzinfo=UTC)
        assert sale.ends_at == datetime(2031, 1, 1, 13, 30, tzinfo=UTC)
        assert (sale.protection, sale.placement) == ("token", "direct")
        assert (sale.concurrency_limit, sale.rate_in_all) == (4, 7)
        assert (sale.rate_per_user, sale.rate_per_address) == (5, 6)
        assert (sale.pool.per_user_limit, sale.pool.strategy) == (3, "pessimistic")
        assert (sale.pool.gated, sale.pool.available) == (False, 10)
        assert available(tea) == 20
        assert logged() == [(operator.pk, ADDITION, f"Scheduled 10 of {tea.code}")]

    def test_empty_limits_are_none(self, desk, tea):
        desk.post(SCHEDULE, self.form(desk, tea, per_user_limit=""))

        sale = FlashSale.objects.select_related("pool").get()
        assert sale.pool.per_user_limit is None
        assert (sale.concurrency_limit, sale.rate_per_user) == (None, None)
        assert (sale.rate_per_address, sale.rate_in_all) == (None, None)

    def test_its_defaults_make_a_sale_of_an_hour_for_one_unit_each(self, desk, tea):
        form = desk.get(SCHEDULE).context["form"]
        first = {name: form.get_initial_for_field(form.fields[name], name) for name in form.fields}

        assert first["ends_at"] - first["starts_at"] == timedelta(hours=1)
        assert (first["per_user_limit"], first["protection"]) == (1, "none")
        assert (first["placement"], first["strategy"]) == ("queued", "")
        assert first["gated"] is gate.configured()
        assert "Asia/Shanghai" in form.fields["starts_at"].help_text

    def test_a_link_may_fill_the_form_in_and_never_make_a_repeat_of_it(self, desk, tea):
        used = self.form(desk, tea)["reference"]

        form = desk.get(SCHEDULE, {"sku": tea.code, "reference": used}).context["form"]

        assert form.get_initial_for_field(form.fields["sku"], "sku") == tea.code
        assert form.get_initial_for_field(form.fields["reference"], "reference") != used

    def test_the_same_form_sent_twice_schedules_one_sale(self, desk, tea):
        form = self.form(desk, tea)

        first = desk.post(SCHEDULE, form)
        again = desk.post(SCHEDULE, form)

        assert FlashSale.objects.count() == 1
        assert again.url == first.url == page_of(FlashSale.objects.get())
        assert available(tea) == 20
        assert PoolMovement.objects.filter(kind="transfer").count() == 2
        assert len(logged()) == 1
        assert audit().ok

    def test_each_display_of_the_form_is_another_sale(self, desk, tea):
        for _ in range(2):
            desk.post(SCHEDULE, self.form(desk, tea))

        assert FlashSale.objects.count() == 2
        assert available(tea) == 10

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("sku", ""),
            ("sku", "no-such-code"),
            ("price_fen", ""),
            ("price_fen", "-1"),
            ("price_fen", "9.5"),
            ("price_fen", "1" + "0" * 30),
            ("total", "0"),
            ("total", "1" + "0" * 30),
            ("starts_at", "tomorrow"),
            ("starts_at", "0001-01-01T00:00"),
            ("ends_at", "2031-01-01T20:00"),
            ("ends_at", "2001-01-01T20:00"),
            ("ends_at", "9999-12-31T23:59"),
            ("per_user_limit", "0"),
            ("per_user_limit", "x"),
            ("protection", "prayer"),
            ("placement", ""),
            ("strategy", "hope"),
            ("concurrency_limit", "0"),
            ("rate_in_all", "-1"),
            ("rate_per_user", "1" + "0" * 30),
            ("reference", ""),
            ("reference", "admin-" + "0" * 31 + "\n"),
        ],
    )
    def test_a_bad_form_is_shown_again_and_changes_nothing(self, desk, tea, field, value):
        form = self.form(desk, tea, **{field: value})
        before = facts()

        response = desk.post(SCHEDULE, form)

        assert response.status_code == 200
        assert list(response.context["form"].errors) == [field]
        assert facts() == before

    def test_more_units_than_there_are_is_explained_and_may_be_sent_again(self, desk, tea):
        form = self.form(desk, tea, total="31")
        before = facts()

        response = desk.post(SCHEDULE, form)

        assert response.context["form"].errors == {"total": ["The SKU has only 30 units in stock."]}
        assert facts() == before
        desk.post(SCHEDULE, form | {"total": "30"})
        assert available(tea) == 0

    def test_who_may_not_add_sales_is_refused(self, desk_of, tea):
        desk = desk_of("view_flashsale", "change_flashsale")
        before = facts()

        asked = desk.get(SCHEDULE)
        sent = desk.post(SCHEDULE, {"sku": tea.code})

        assert (asked.status_code, sent.status_code) == (403, 403)
        assert SCHEDULE not in desk.get(LIST).content.decode()
        assert facts() == before

    def test_who_may_only_add_sales_may_schedule(self, desk_of, tea):
        desk = desk_of("add_flashsale")

        response = desk.post(SCHEDULE, self.form(desk, tea))

        assert response.url == reverse("admin:index")
        assert FlashSale.objects.count() == 1

    def test_a_sale_that_another_site_sends_is_refused(self, desk, operator, tea):
        form = self.form(desk, tea)
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(operator)

        assert strict.post(SCHEDULE, form).status_code == 403
        assert not FlashSale.objects.exists()


# --- what operators see


def test_the_list_shows_each_sale_with_its_figures(desk, tea):
    running = make_sale(tea, total=10, per_user_limit=None)
    to_come = make_sale(tea, total=5, starts_in=timedelta(minutes=30))
    place_in(running, make_user(), 3)
    drain(running.queue_id)
    for _ in range(2):
        place_in(running, make_user())

    rows = desk.get(LIST).context["cl"].result_list

    assert [row.pk for row in rows] == [to_come.pk, running.pk]
    admin = desk.get(LIST).context["cl"].model_admin
    columns = (admin.status_shown, admin.remaining, admin.waiting, admin.settled)
    assert [[column(row) for column in columns] for row in rows] == [
        ["scheduled", 5, 0, 0],
        ["running", 7, 2, 3],
    ]


def test_sales_are_found_by_state_and_by_code(desk, tea):
    running = make_sale(tea, total=1)
    paused = make_sale(make_sku(), total=1)
    FlashSale.objects.filter(pk=paused.pk).update(paused=True)

    def listed(**query):
        return [row.pk for row in desk.get(LIST, query).context["cl"].result_list]

    assert listed(status="running") == [running.pk]
    assert listed(status="paused") == [paused.pk]
    assert listed(status="ended") == []
    assert listed(q=tea.code) == [running.pk]
    assert listed(q=tea.code[:-1]) == []


def test_the_page_shows_every_fact(desk, sale, tea):
    place_in(sale, make_user(), 2)
    disabled = make_user()
    place_in(sale, disabled)
    User.objects.filter(pk=disabled.pk).update(is_active=False)
    drain(sale.queue_id)
    place_in(sale, make_user())

    seen = shown(desk, sale)

    assert seen["status_shown"] == "running"
    assert (seen["total"], seen["remaining"], seen["settled"]) == ("10", "8", "2")
    assert (seen["waiting"], seen["failed"]) == ("1", "shopper is disabled: 1")
    assert seen["price"] == "¥1.00 (100 fen)"
    assert (seen["per_user_limit"], seen["rate_per_user"]) == ("2", "-")
    assert seen["gate"] == "off"
    orders = reverse("admin:orders_order_changelist")
    assert f'{orders}?sale={sale.pk}"' in desk.get(page_of(sale)).content.decode()


def test_a_sale_without_failed_orders_says_so(desk, sale):
    assert shown(desk, sale)["failed"] == "none"


def test_failed_orders_are_looked_for_among_the_newest_only(desk, sale, monkeypatch):
    monkeypatch.setattr("shop.pools.figures.NEWEST", 2)
    for _ in range(3):
        place_in(sale, make_user())

    assert shown(desk, sale)["failed"] == "none (of the newest 2 orders)"


def statements(desk, url):
    desk.get(url)  # sessions, permissions and content types are warm
    with CaptureQueriesContext(connection) as captured:
        assert desk.get(url).status_code == 200
    return [query["sql"] for query in captured]


def test_the_list_costs_the_same_for_one_sale_and_for_many(desk, sale):
    few = statements(desk, LIST)
    for _ in range(10):
        make_sale()
    assert len(statements(desk, LIST)) == len(few)


def test_the_page_reads_a_bounded_number_of_orders(desk, sale):
    few = statements(desk, page_of(sale))
    for _ in range(5):
        place_in(sale, make_user())
    many = statements(desk, page_of(sale))

    assert len(few) == len(many)
    [counting] = [sql for sql in many if "COUNT(" in sql.upper() and "orders_order" in sql]
    assert "queue_id" in counting.partition("WHERE")[2]
    [reading] = [sql for sql in many if "failure" in sql]
    assert "LIMIT 5001" in reading


def test_the_gate_of_a_shop_without_redis_is_told_in_words(desk, sale, settings):
    settings.CACHES = {name: of for name, of in settings.CACHES.items() if name != gate.ALIAS}
    Pool.objects.filter(pk=sale.pool_id).update(gated=True)

    assert shown(desk, sale)["gate"].startswith("on, but this shop has no Redis")


@pytest.fixture
def no_answer(settings):
    """Gates in a Redis that nobody runs: the port is one that no server may have."""
    nobody = redis_caches(gates="redis://127.0.0.1:1/0", cache="redis://127.0.0.1:1/0")
    settings.CACHES = {**settings.CACHES, gate.ALIAS: nobody["gates"]}
    for remembered in (gate._client, gate.script):
        remembered.cache_clear()
    yield
    for remembered in (gate._client, gate.script):
        remembered.cache_clear()
    gate._down.until = 0.0


def test_a_redis_that_does_not_answer_is_told_in_words(desk, sale, no_answer):
    Pool.objects.filter(pk=sale.pool_id).update(gated=True)

    assert shown(desk, sale)["gate"].startswith("Redis does not answer")
    assert desk.get(LIST).status_code == 200


def test_a_gate_that_cannot_be_rebuilt_is_told_at_the_form_and_logged_nowhere(
    desk, sale, no_answer
):
    Pool.objects.filter(pk=sale.pool_id).update(gated=True)

    response = desk.post(step_of(sale, "rebuild"))

    assert response.status_code == 200
    assert "Not available right now" in response.context["form"].non_field_errors()[0]
    assert logged() == []


def test_every_step_is_done_whether_or_not_redis_answers(desk, operator, sale, no_answer):
    Pool.objects.filter(pk=sale.pool_id).update(gated=True)

    for name in ("pause", "resume", "units", "placement", "end"):
        assert desk.post(step_of(sale, name), STEPS[name]).status_code == 302

    assert [message for _, _, message in logged()] == [
        "Paused",
        "Resumed",
        f"Added 3 units ({STEPS['units']['reference']})",
        "Placement: direct",
        "Ended",
    ]


# --- the steps


def test_an_operator_pauses_and_resumes_a_sale(desk, operator, sale):
    paused = desk.post(step_of(sale, "pause"))
    assert sale_get(sale.pk).status_now == "paused"
    resumed = desk.post(step_of(sale, "resume"))
    assert sale_get(sale.pk).status_now == "running"

    assert paused.url == resumed.url == page_of(sale)
    assert said(paused) == ["The sale is paused."]
    assert said(resumed)[-1] == "The sale goes on."
    assert logged() == [(operator.pk, CHANGE, "Paused"), (operator.pk, CHANGE, "Resumed")]


def test_an_operator_ends_a_sale_and_its_units_go_back(desk, operator, sale, tea):
    waiting = place_in(sale, make_user(), 2)

    response = desk.post(step_of(sale, "end"))

    waiting.refresh_from_db()
    assert waiting.status == "unpaid"  # settled before the end
    assert sale_get(sale.pk).status_now == "ended"
    assert (available(sale), available(tea)) == (0, 28)
    assert said(response) == ["The sale is over."]
    assert logged() == [(operator.pk, CHANGE, "Ended")]
    # A second one finds nothing to do.
    desk.post(step_of(sale, "end"))
    assert (available(sale), available(tea)) == (0, 28)
    assert len(logged()) == 1
    assert audit().ok


class TestAddingUnits:
    def form(self, desk, sale, /, **values):
        page = desk.get(step_of(sale, "units")).content.decode()
        [reference] = re.findall(r'name="reference" value="([^"]+)"', page)
        return {"count": "5", "reference": reference, **values}

    def test_they_come_from_the_sku(self, desk, operator, sale, tea):
        form = self.form(desk, sale)

        response = desk.post(step_of(sale, "units"), form)

        sale.refresh_from_db()
        assert (sale.total, available(sale), available(tea)) == (15, 15, 15)
        assert said(response) == ["The units are in the sale."]
        assert logged() == [(operator.pk, CHANGE, f"Added 5 units ({form['reference']})")]

    def test_the_same_form_sent_twice_moves_units_once(self, desk, sale, tea):
        form = self.form(desk, sale)

        desk.post(step_of(sale, "units"), form)
        again = desk.post(step_of(sale, "units"), form)

        sale.refresh_from_db()
        assert (sale.total, available(sale), available(tea)) == (15, 15, 15)
        assert said(again)[-1] == "Carried out before; nothing changed now."
        assert len(logged()) == 1
        assert audit().ok

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("count", "0", "greater than or equal to 1"),
            ("count", "-1", "greater than or equal to 1"),
            ("count", "", "required"),
            ("count", "1" + "0" * 30, "less than or equal to"),
            ("count", "21", "The SKU has only 20 units in stock."),
            ("reference", "", "required"),
            ("reference", "initial", "valid value"),
        ],
    )
    def test_a_bad_form_is_shown_again_and_changes_nothing(self, desk, sale, field, value, words):
        form = self.form(desk, sale, **{field: value})
        before = facts()

        response = desk.post(step_of(sale, "units"), form)

        assert response.status_code == 200
        [(name, [problem])] = response.context["form"].errors.items()
        assert name == field
        assert words in problem
        assert facts() == before


def test_an_operator_switches_placement_strategy_and_gate(desk, operator, sale):
    desk.post(step_of(sale, "placement"), {"placement": "direct"})
    desk.post(step_of(sale, "pool"), {"strategy": "pessimistic"})

    sale = FlashSale.objects.select_related("pool").get()
    assert sale.placement == "direct"
    assert (sale.pool.strategy, sale.pool.gated) == ("pessimistic", False)
    assert logged() == [
        (operator.pk, CHANGE, "Placement: direct"),
        (operator.pk, CHANGE, "Strategy: pessimistic, gate: off"),
    ]


def test_the_pages_of_terms_begin_with_the_terms_as_they_are(desk, sale):
    services.sale_set_placement(sale, placement="direct", operator=make_user())
    Pool.objects.filter(pk=sale.pool_id).update(strategy="optimistic")

    placement = desk.get(step_of(sale, "placement")).context["form"]
    pool = desk.get(step_of(sale, "pool")).context["form"]

    assert placement["placement"].value() == "direct"
    assert (pool["strategy"].value(), pool["gated"].value()) == ("optimistic", False)


def test_a_gate_that_the_shop_cannot_have_is_refused_at_its_field(desk, sale, settings):
    settings.CACHES = {name: of for name, of in settings.CACHES.items() if name != gate.ALIAS}
    before = facts()

    response = desk.post(step_of(sale, "pool"), {"strategy": "", "gated": "on"})

    assert response.context["form"].errors == {"gated": ["This shop has no Redis for gates."]}
    assert facts() == before


@pytest.mark.parametrize("name", ["pause", "resume", "units", "placement"])
def test_a_sale_that_is_over_is_steered_no_more(desk, sale, name):
    services.sale_end(sale)
    before = facts()

    response = desk.post(step_of(sale, name), STEPS[name])

    assert response.status_code == 200
    assert response.context["form"].non_field_errors() == ["This has ended."]
    assert facts() == before


def test_a_sale_without_a_gate_has_none_to_rebuild(desk, sale):
    before = facts()
    response = desk.post(step_of(sale, "rebuild"))
    assert response.context["form"].non_field_errors() == ["There is no gate to rebuild."]
    assert facts() == before


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        ("running", ["pause", "units", "placement", "pool", "end"]),
        ("paused", ["resume", "units", "placement", "pool", "end"]),
        ("gated", ["pause", "units", "placement", "pool", "rebuild", "end"]),
        ("over and not swept", ["end"]),
        ("ended", []),
    ],
)
def test_the_page_offers_the_steps_of_its_state(desk, sale, state, offered):
    if state == "paused":
        FlashSale.objects.update(paused=True)
    if state == "gated":
        Pool.objects.filter(pk=sale.pool_id).update(gated=True)
    if state == "over and not swept":
        FlashSale.objects.update(ends_at=sale.starts_at + timedelta(seconds=1))
    if state == "ended":
        services.sale_end(sale)

    urls = [url for _title, url in desk.get(page_of(sale)).context["steps"]]

    assert urls == [step_of(sale, name) for name in offered]


@pytest.mark.parametrize("name", STEPS)
def test_looking_at_a_step_does_nothing(desk, sale, name):
    before = facts()
    assert desk.get(step_of(sale, name), STEPS[name]).status_code == 200
    assert facts() == before


@pytest.mark.parametrize("name", STEPS)
def test_who_may_only_look_is_refused_each_step(desk_of, sale, name):
    desk = desk_of("view_flashsale")
    before = facts()

    assert desk.get(page_of(sale)).context["steps"] == []
    assert desk.get(step_of(sale, name)).status_code == 403
    assert desk.post(step_of(sale, name), STEPS[name]).status_code == 403
    assert facts() == before


@pytest.mark.parametrize("name", STEPS)
def test_a_step_that_another_site_sends_is_refused(operator, sale, name):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(operator)
    before = facts()

    assert strict.post(step_of(sale, name), STEPS[name]).status_code == 403
    assert facts() == before


def test_who_may_change_sales_may_steer_them(desk_of, sale):
    desk = desk_of("change_flashsale")
    desk.post(step_of(sale, "pause"))
    assert sale_get(sale.pk).status_now == "paused"


@pytest.mark.parametrize("pk", ["0", "999999", "9" * 30, "x"])
def test_a_step_of_a_sale_that_is_not_there_goes_home(desk, pk):
    response = desk.post(reverse("admin:sales_flashsale_end", args=[pk]))
    assert (response.status_code, response.url) == (302, reverse("admin:index"))


def test_no_page_writes_a_fact_of_a_sale(desk, sale):
    before = facts()
    forged = {"total": "999", "price_fen": "1", "paused": "on", "available": "999", "_save": "Save"}
    delete = reverse("admin:sales_flashsale_delete", args=[sale.pk])

    assert desk.post(page_of(sale), forged).status_code == 403
    assert desk.post(delete, {"post": "yes"}).status_code == 403
    desk.post(LIST, {"action": "delete_selected", "_selected_action": [sale.pk], "post": "yes"})
    assert facts() == before

    desk.post(step_of(sale, "pause"), forged)

    sale.refresh_from_db()
    assert (sale.total, sale.price_fen, sale.paused) == (10, 100, True)
    assert available(sale) == 10
