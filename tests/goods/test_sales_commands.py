"""`schedule_sale`, `end_sale`, `rebuild_gate`, and the sale of the demo."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from goods.sales import services
from goods.sales.models import FlashSale
from goods.sales.selectors import sale_get
from orders.models import Order
from settings.redis import redis_caches
from shop import demo
from shop.demo.sale import OPENING, RUNNING
from shop.pools import gate
from shop.pools.audit import audit
from shop.pools.models import Pool, PoolMovement
from tests.factories import make_sale, make_sku, make_user, place_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english(settings):
    settings.LANGUAGE_CODE = "en"


@pytest.fixture
def tea():
    return make_sku(stock=30, price_fen=1050)


def command(name, *arguments):
    out = io.StringIO()
    call_command(name, *(str(argument) for argument in arguments), stdout=out)
    return out.getvalue()


def available(row):
    return Pool.objects.values_list("available", flat=True).get(pk=row.pool_id)


# --- schedule_sale


def schedule(sku, *arguments):
    terms = ("--price-fen", 900, "--units", 10)
    ends = () if "--ends" in arguments or "--for" in arguments else ("--for", 60)
    return command("schedule_sale", sku.code, *terms, *ends, *arguments)


def test_a_sale_that_runs_at_once_for_an_hour(tea):
    printed = schedule(tea)

    sale = sale_get(FlashSale.objects.get().pk)
    assert sale.status_now == "running"
    assert sale.ends_at - sale.starts_at == timedelta(hours=1)
    assert (sale.price_fen, sale.total, available(tea)) == (900, 10, 20)
    assert (sale.placement, sale.protection, sale.pool.strategy) == ("queued", "none", "")
    assert (sale.pool.per_user_limit, sale.pool.gated) == (1, gate.configured())
    lines = printed.splitlines()
    assert lines[0] == f"Flash sale {sale.pk}: 10 of {tea.code} at 900 fen"
    assert lines[-1].strip() == f"/api/v1/flash-sales/{sale.pk}"


def test_every_term_can_be_said(tea):
    schedule(
        tea,
        *("--starts", "2031-01-01T20:00", "--ends", "2031-01-01T14:00+00:00"),
        *("--limit", 3, "--placement", "direct", "--protection", "captcha", "--gate", "off"),
        *("--strategy", "pessimistic", "--concurrency", 4),
        *("--rate-per-user", 5, "--rate-per-address", 6, "--rate-in-all", 7),
    )

    sale = FlashSale.objects.select_related("pool").get()
    # Without an offset in the shop's time zone, which is eight hours before UTC.
    assert sale.starts_at == datetime(2031, 1, 1, 12, 0, tzinfo=UTC)
    assert sale.ends_at == datetime(2031, 1, 1, 14, 0, tzinfo=UTC)
    assert (sale.placement, sale.protection) == ("direct", "captcha")
    assert (sale.pool.per_user_limit, sale.pool.strategy) == (3, "pessimistic")
    assert (sale.pool.gated, sale.concurrency_limit) == (False, 4)
    assert (sale.rate_per_user, sale.rate_per_address, sale.rate_in_all) == (5, 6, 7)


def test_without_a_limit_a_shopper_may_have_any_number(tea):
    schedule(tea, "--no-limit")
    assert FlashSale.objects.get().pool.per_user_limit is None


def test_machines_are_told_in_json(tea, api):
    told = json.loads(schedule(tea, "--json", "--starts", "2031-01-01T20:00"))

    sale = FlashSale.objects.get()
    assert told == {
        "id": sale.pk,
        "address": f"/api/v1/flash-sales/{sale.pk}",
        "sku": tea.pk,
        "sku_code": tea.code,
        "price_fen": 900,
        "total": 10,
        "starts_at": "2031-01-01T20:00:00+08:00",
        "ends_at": "2031-01-01T21:00:00+08:00",
        "status": "scheduled",
        "placement": "queued",
        "gated": gate.configured(),
        "protection": "none",
        "per_user_limit": 1,
    }
    assert api.get(told["address"]).json()["id"] == sale.pk


def test_the_same_reference_finds_the_sale_that_it_scheduled(tea):
    first = json.loads(schedule(tea, "--json", "--reference", "double-eleven"))
    again = json.loads(schedule(tea, "--json", "--reference", "double-eleven"))

    assert again == first
    assert FlashSale.objects.count() == 1
    assert available(tea) == 20
    schedule(tea, "--reference", "double-twelve")
    assert FlashSale.objects.count() == 2
    assert audit().ok


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--units", 31), "has only 30 units in stock. Nothing was changed; take fewer --units"),
        (("--units", 0), "--units: At least 1. Nothing was changed."),
        (("--units", 10**30), "--units: At most"),
        (("--price-fen", -1), "--price-fen: At least 0."),
        (("--price-fen", 10**30), "--price-fen: At most"),
        (("--limit", 0), "--limit: From 1 to"),
        (("--concurrency", -1), "--concurrency: From 1 to"),
        (("--rate-per-user", 0), "--rate-per-user: From 1 to"),
        (("--rate-in-all", 0), "--rate-in-all: From 1 to"),
        (("--for", 0), "--for is a number of minutes above 0"),
        (("--for", "nan"), "--for is a number of minutes above 0"),
        (("--for", "inf"), "--for is a number of minutes above 0"),
        (("--for", 10**10), "--for ends beyond all calendars"),
        (("--for", "x"), "--for: invalid float value"),
        (("--ends", "2001-01-01T20:00"), "--ends is over: 2001-01-01T20:00:00"),
        (("--ends", "9999-12-31T23:59"), "--ends: A year from 2000 to 9000"),
        (
            ("--starts", "0001-01-01T00:00", "--ends", "2031-01-01T20:00"),
            "--starts: A year from 2000 to 9000",
        ),
        (("--starts", "tonight"), "tonight is not a moment such as"),
        (("--starts", "2031-13-01T00:00"), "2031-13-01T00:00"),
        (("--starts", "2031-01-01T20:00", "--ends", "2031-01-01T20:00"), "--ends: A sale must"),
        (("--placement", "maybe"), "--placement: invalid choice"),
        (("--reference", "x" * 65), "--reference is up to 64 printable characters"),
        (("--reference", "a\0b"), "--reference is up to 64 printable characters"),
    ],
)
def test_what_cannot_be_meant_is_named_and_changes_nothing(tea, arguments, problem):
    with pytest.raises(CommandError) as refusal:
        schedule(tea, *arguments)

    assert problem in str(refusal.value)
    assert not FlashSale.objects.exists()
    assert available(tea) == 30


def test_a_gate_where_there_is_no_redis_is_refused(tea, settings):
    settings.CACHES = {name: of for name, of in settings.CACHES.items() if name != gate.ALIAS}

    with pytest.raises(CommandError, match="--gate: This shop has no Redis for gates"):
        schedule(tea, "--gate", "on")

    assert not FlashSale.objects.exists()


def test_a_sku_that_is_not_there_is_named(db):
    with pytest.raises(CommandError, match="No SKU has the code TEA-0"):
        command("schedule_sale", "TEA-0", "--price-fen", 1, "--units", 1, "--for", 1)


def test_a_sale_needs_an_end(tea):
    with pytest.raises(CommandError, match="one of the arguments --ends --for is required"):
        command("schedule_sale", tea.code, "--price-fen", 1, "--units", 1)


# --- end_sale


def test_a_sale_is_ended_with_what_waits_settled(tea):
    sale = make_sale(tea, total=10)
    waiting = place_in(sale, make_user())

    printed = command("end_sale", sale.pk)

    assert Order.objects.get(pk=waiting.pk).status == "unpaid"
    assert (available(sale), available(tea)) == (0, 29)
    assert printed.splitlines()[-1] == (
        f"Flash sale {sale.pk} is over; 9 units went back to {tea}."
    )
    assert command("end_sale", sale.pk).splitlines()[-1] == (
        f"Flash sale {sale.pk} was over; 0 units went back to {tea}."
    )
    assert audit().ok


def test_orders_that_failed_are_told_of(tea):
    sale = make_sale(tea, total=10)
    order = place_in(sale, make_user())
    Order.objects.filter(pk=order.pk).update(
        snapshot=[{**line, "pool": 987_654} for line in order.snapshot]
    )

    printed = command("end_sale", sale.pk)

    assert printed.splitlines()[-2:] == [
        f"Flash sale {sale.pk} is over; 10 units went back to {tea}.",
        "Orders that failed: error of ours: 1.",
    ]


def test_a_sale_that_is_not_there_is_named(db):
    for name in ("end_sale", "rebuild_gate"):
        with pytest.raises(CommandError):
            command(name, 987_654)


# --- rebuild_gate (what it does to a gate: test_sales_admin_gate)


@pytest.fixture
def no_answer(settings):
    """Gates in a Redis that nobody runs."""
    nobody = redis_caches(gates="redis://127.0.0.1:1/0", cache="redis://127.0.0.1:1/0")
    settings.CACHES = {**settings.CACHES, gate.ALIAS: nobody["gates"]}
    for remembered in (gate._client, gate.script):
        remembered.cache_clear()
    yield
    for remembered in (gate._client, gate.script):
        remembered.cache_clear()
    gate._down.until = 0.0


def test_there_is_nothing_to_rebuild_without_a_redis(settings):
    settings.CACHES = {name: of for name, of in settings.CACHES.items() if name != gate.ALIAS}

    with pytest.raises(CommandError, match="This shop has no Redis for gates"):
        command("rebuild_gate", "--all")


def test_a_redis_that_does_not_answer_is_said(no_answer):
    sales = [make_sale(gated=True) for _ in range(2)]

    for which in ("--all", sales[0].pk):
        with pytest.raises(CommandError, match=r"Redis does not answer; 0 of \d gates"):
            command("rebuild_gate", which)


def test_sales_whose_gate_cannot_be_rebuilt_are_named(no_answer):
    without, over = make_sale(), make_sale(gated=True)
    services.sale_end(over)

    with pytest.raises(CommandError, match=f"Flash sale {without.pk} has no gate"):
        command("rebuild_gate", without.pk)
    with pytest.raises(CommandError, match="There is no flash sale 987654"):
        command("rebuild_gate", 987_654)
    with pytest.raises(CommandError, match="one of the arguments ID --all is required"):
        command("rebuild_gate")
    assert command("rebuild_gate", "--all") == "Gates rebuilt: 0.\n"


# --- the demo


@pytest.fixture
def demo_media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def the_demo_sales(demo_sale=RUNNING):
    codes = [code for code, _ in demo_sale.on_sale]
    return list(FlashSale.objects.filter(sku__code__in=codes).order_by("pk"))


def test_the_demo_has_a_sale_that_a_newcomer_can_buy_in_at_once(demo_media, login):
    added = demo.seed()

    [sale] = the_demo_sales()
    assert f"flash sale {sale.pk}: 50 of LTD-COIN-1" in added
    shopper = login(make_user())
    [found] = shopper.get("/api/v1/flash-sales?status=running").json()["results"]
    assert (found["id"], found["remaining"], found["protection"]) == (sale.pk, 50, "none")
    assert found["per_user_limit"] == 2
    assert found["price_fen"] < found["original_price_fen"]
    bought = shopper.post(
        f"/api/v1/flash-sales/{sale.pk}/orders", {"count": 1}, headers={"idempotency-key": "1"}
    )
    assert (bought.status_code, bought.json()["status"]) == (202, "pending")
    assert sale.ends_at - sale.starts_at == timedelta(hours=24)
    assert sale.pool.gated == gate.configured()


def test_the_demo_s_first_sale_is_the_one_to_rehearse_and_another_opens_within_a_minute(demo_media):
    before = timezone.now()
    added = demo.seed()

    assert FlashSale.objects.earliest("pk") == the_demo_sales()[0]
    [opening] = the_demo_sales(OPENING)
    assert f"flash sale {opening.pk}: 5 of LTD-SHOE-42, opens in 60 s" in added
    assert sale_get(opening.pk).status_now == "scheduled"
    assert timedelta(seconds=60) <= opening.starts_at - before
    assert opening.starts_at - timezone.now() <= timedelta(seconds=60)
    assert opening.pool.per_user_limit == 1
    # Whoever asks for the running sales, last end first, still finds the first one first.
    assert opening.ends_at < the_demo_sales()[0].ends_at


@pytest.mark.parametrize("state", ["running", "paused", "scheduled"])
def test_seeding_again_leaves_a_sale_that_is_not_over_as_it_is(demo_media, state):
    demo.seed()
    changes = {
        "running": {},
        "paused": {"paused": True},
        "scheduled": {"starts_at": timezone.now() + timedelta(hours=1)},
    }[state]
    FlashSale.objects.filter(pk=the_demo_sales()[0].pk).update(**changes)
    movements = PoolMovement.objects.count()

    assert demo.seed() == []

    assert FlashSale.objects.count() == 2
    assert PoolMovement.objects.count() == movements


def test_a_demo_sale_that_is_over_is_followed_by_another(demo_media):
    demo.seed()
    [first] = the_demo_sales()
    services.sale_end(first)

    added = demo.seed()

    [_, second] = the_demo_sales()
    assert added == [f"flash sale {second.pk}: 50 of LTD-COIN-1"]
    assert sale_get(second.pk).status_now == "running"


def test_a_demo_sale_that_is_sold_out_is_followed_by_others_while_there_is_stock(demo_media):
    for _ in range(10):
        demo.seed()
        # As buyers would: nothing is left, nothing comes back.
        FlashSale.objects.filter(starts_at__gt=timezone.now()).update(starts_at=timezone.now())
        for sale in FlashSale.objects.all():
            Pool.objects.filter(pk=sale.pool_id).update(available=0)

    codes = [sale.sku.code for sale in the_demo_sales()]
    assert codes == ["LTD-COIN-1"] * 2 + ["TEA-LJ-050"] * 3 + ["WARE-CUP-1"]
    assert [sale.total for sale in the_demo_sales()] == [50, 50, 50, 50, 20, 50]
    assert [sale.total for sale in the_demo_sales(OPENING)][:4] == [5, 5, 2, 5]
    demo.seed()
    assert len(the_demo_sales()) == len(codes)
