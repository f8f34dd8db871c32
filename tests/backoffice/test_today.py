"""The console's landing page: what waits for whom, and that it costs the same in any shop."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import DateTimeField, Value
from django.db.models.functions import Cast, Now
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from goods.sales import services as sales
from orders.models import Order
from orders.payments.models import Payment, Refund
from orders.payments.oversight.models import PaymentAlarm
from orders.refunds.models import RefundRequest
from orders.states import State
from orders.takings import selectors
from orders.takings.models import Hour, Tally
from shop.backoffice import today
from shop.backoffice.today import Level
from shop.notices.models import Notice
from shop.pools.models import Queue
from shop.wallet.models import Correction, Currency, House
from tests.factories import make_period, make_sale, make_shipping, make_sku, make_user, pay, place
from tests.kit.many import analyze, multiply, numbered, rows_read
from tests.kit.marks import on_mariadb
from tests.kit.redis import own_redis

HOME = reverse("admin:index")

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english(settings):
    settings.LANGUAGE_CODE = "en"
    make_shipping()


def pay_of(order):
    """A payment of the order, whatever its state."""
    return Payment.objects.create(
        **{"payment_no": order.order_no, "order": order, "provider": "sandbox", "amount_fen": 1},
        **{"user": order.user, "idempotency_route": "r", "idempotency_key": "k"},
        **{"request_hash": "", "first_status": 201},
    )


def figures(desk):
    """The page's figures, by title: words, level, the line below and where it leads."""
    groups = desk.get(HOME).context["groups"]
    return {
        str(shown.figure.title): (
            shown.figure.words,
            shown.figure.level,
            shown.figure.more,
            shown.address,
        )
        for group in groups
        for shown in group.figures
    }


def an_order(status, **columns):
    order = place(make_user(), {make_sku(): 1})
    Order.objects.filter(pk=order.pk).update(status=status, **columns)
    return order


def a_failed_order():
    return an_order(State.FAILED, failure="internal", attempts=5, expires_at=None)


def test_a_shop_in_order_has_nothing_that_waits(desk):
    Tally.objects.create(pk=1, until=timezone.now())
    seen = figures(desk)
    # Of the gates it depends on whether the shop has a Redis for them.
    assert {level for _words, level, _more, _address in seen.values()} == {Level.OK}
    assert len(seen) == 18
    assert desk.get(HOME).context["standing"] == "Nothing waits for anybody."


def test_what_waits_for_somebody_is_counted_and_leads_to_its_list(desk, operator):
    Tally.objects.create(pk=1, until=timezone.now())
    queue = Queue.objects.create(kind="orders", name="q")
    long_ago = timezone.now() - timedelta(hours=3)
    an_order(State.PAID), an_order(State.PAID), an_order(State.ACCEPTED)
    an_order(State.PENDING, queue=queue, created_at=long_ago, expires_at=None)
    a_failed_order()
    order = place(make_user(), {make_sku(stock=5): 1})
    payment = pay(order.user, order)
    RefundRequest.objects.create(
        **{"refund_no": "R1", "order": order, "origin": "shopper", "goods_fen": 1},
        **{"user": order.user, "idempotency_route": "refunds", "idempotency_key": "k"},
        **{"request_hash": "", "first_status": 201, "created_at": long_ago},
    )
    for number, status in (("F1", "failed"), ("F2", "pending")):
        refund = Refund.objects.create(
            **{"refund_no": number, "order": order, "payment": payment, "amount_fen": 1},
            **{"status": status, "cause": "requested", "due_at": Now(), "part": int(number[1])},
        )
        Refund.objects.filter(pk=refund.pk).update(created_at=long_ago)
    PaymentAlarm.objects.create(kind="unknown", number="1", last_at=Now())
    Notice.objects.create(
        **{"channel": "log", "event": "e", "subject": "1", "user": order.user, "facts": {}},
        **{"state": "dead", "created_at": Now(), "due_at": Now()},
    )
    Correction.objects.create(
        **{"reference": "c", "house": House.GRANTS, "user": order.user, "amount": 5},
        **{"currency": Currency.POINTS, "reason": "gift", "requested_by": operator},
    )

    seen = {title: figure for title, figure in figures(desk).items() if figure[1] != Level.OK}

    assert seen == {
        "to accept": ("3", Level.LOOK, "", "/admin/orders/order/?status=paid"),
        "to ship": ("1", Level.LOOK, "", "/admin/orders/order/?status=accepted"),
        "pending orders": (
            *("1", Level.ACT, "the oldest for 3 h"),
            "/admin/orders/order/?status=pending",
        ),
        "failed of an error of ours": ("1", Level.ACT, "", "/admin/orders/order/?look=failed"),
        "refunds to decide": (
            *("1", Level.LOOK, "the oldest for 3 h"),
            "/admin/refunds/refundrequest/?status__exact=requested",
        ),
        "refunds on the way": (
            *("1", Level.LOOK, "the oldest for 3 h"),
            "/admin/payments/refund/?status__exact=pending",
        ),
        "refunds that a provider does not do": (
            *("1", Level.ACT, ""),
            "/admin/payments/refund/?status__exact=failed",
        ),
        "payment alarms to see to": (
            *("1", Level.ACT, ""),
            "/admin/oversight/paymentalarm/?open=1",
        ),
        "notices given up": ("1", Level.LOOK, "", "/admin/notices/notice/?state__exact=dead"),
        "corrections for a second person": (
            *("1", Level.LOOK, ""),
            "/admin/wallet/correction/?waits=1",
        ),
        "running low": (
            *("1, of which 0 sold out", Level.LOOK),
            *(f"{order.lines.get().sku.code}: 4", "/admin/goods/sku/"),
        ),
    }
    assert desk.get(HOME).context["standing"] == "4 figures ask to act. 7 to look at."
    for _words, _level, _more, address in seen.values():
        page = desk.get(address)
        assert page.status_code == 200
        if "goods" not in address:
            assert len(page.context["cl"].result_list) == int(seen_words(seen, address))


def seen_words(seen, address):
    return next(words for words, _level, _more, where in seen.values() if where == address)


def test_sales_and_periods_are_told_by_what_they_do_now(desk, operator):
    make_sale()
    make_sale(starts_in=timedelta(hours=2), ends_in=timedelta(hours=3))
    make_sale(starts_in=timedelta(days=2), ends_in=timedelta(days=3))
    over = make_sale()
    sales.sale_end(over)
    period = make_period()
    closed = make_period()
    type(closed).objects.filter(pk=closed.pk).update(status="closed", draw_problem="no beacon")
    seen = figures(desk)
    assert seen["flash sales"][:3] == ("1 running, 1 start within 24 h", Level.OK, "1 later")
    assert seen["open periods"][:1] == ("1",)
    assert seen["waiting for the draw"][:3] == ("1", Level.ACT, "1 can't be drawn")
    sales.sale_pause(make_sale(), operator=operator)
    assert figures(desk)["flash sales"][1:3] == (Level.LOOK, "1 paused, 1 later")
    assert period.status == "open"


def test_takings_are_in_words_in_bars_and_in_a_table(desk, monkeypatch):
    # No hour and no day ends in the middle of it.
    now = timezone.now().replace(minute=30)
    monkeypatch.setattr(selectors, "Now", lambda: Cast(Value(now), DateTimeField()))
    Tally.objects.create(pk=1, until=now)
    hour = now.replace(minute=0, second=0, microsecond=0)
    Hour.objects.create(starts_at=hour, placed=3, paid=2, paid_fen=12345, refunded_fen=100)
    seen = figures(desk)
    words, _level, more, address = seen["today"]
    assert words == "3 orders placed, 2 paid, ¥123.45 (12345 fen)"
    assert more.startswith("¥1.00 (100 fen) to go back, counted up to ")
    assert desk.get(address).context["cl"].result_count == 1
    charts = desk.get(HOME).context["charts"]
    assert [len(chart.labels) for chart in charts] == [24, 24, 14, 14]
    money = json.loads(charts[1].data)["datasets"][0]
    assert money["data"] == ["0.00"] * 23 + ["123.45"]
    assert charts[1].table.rows[-1][1:] == ["123.45", "1.00"]
    page = desk.get(HOME).content.decode()
    assert page.count("<canvas") == 4
    assert page.count("<table") == 4
    # Old sums say so.
    Tally.objects.update(until=now - timedelta(hours=3))
    assert figures(desk)["today"][1] == Level.LOOK
    Tally.objects.all().delete()
    assert figures(desk)["today"][1] == Level.UNKNOWN


def test_an_operator_sees_what_they_may_look_at_and_no_more(desk_of):
    assert set(figures(desk_of("view_notice"))) == {"notices given up"}
    nobody = desk_of()
    assert figures(nobody) == {}
    assert "nothing here that you may look at" in nobody.get(HOME).content.decode()


def test_a_panel_that_can_t_be_read_is_unknown_and_keeps_no_other_from_being_shown(
    desk, monkeypatch
):
    def broken():
        raise ConnectionError("no")

    panels = [
        today.Panel(one.about, one.title, broken) if one.about == "notices.notice" else one
        for one in today._panels
    ]
    monkeypatch.setattr(today, "_panels", panels)
    seen = figures(desk)
    assert seen["notices given up"][:2] == ("can't be read now", Level.UNKNOWN)
    assert seen["payment alarms to see to"][:2] == ("0", Level.OK)


def test_the_page_costs_the_same_however_much_there_is(desk):
    desk.get(HOME)  # permissions and content types are read once
    with CaptureQueriesContext(connection) as empty:
        desk.get(HOME)
    for _ in range(5):
        a_failed_order()
        an_order(State.PAID)
        make_sale()
        make_period()
    with CaptureQueriesContext(connection) as full:
        desk.get(HOME)
    # At least one SKU: its pools are looked at.
    assert len(full) <= len(empty) + 1
    assert len(full) <= 35


class TestOnServers:
    pytestmark = on_mariadb

    def test_a_redis_that_is_away_makes_gates_unknown_and_nothing_else(self, desk, tmp_path):
        Tally.objects.create(pk=1, until=timezone.now())
        with own_redis(tmp_path) as redis:
            make_sale(gated=True)
            assert figures(desk)["gates"][:3] == ("0 of 1 drift", Level.LOOK, "1 cold")
            redis.kill()
            seen = figures(desk)
        assert seen["gates"][:2] == ("can't be read now", Level.UNKNOWN)
        assert [title for title, figure in seen.items() if figure[1] == Level.UNKNOWN] == ["gates"]

    def test_the_page_reads_no_more_of_many_orders_than_of_a_thousand(self, desk):
        Tally.objects.create(pk=1, until=timezone.now())
        queue = Queue.objects.create(kind="orders", name="q")
        rows = {
            "completed": an_order(State.COMPLETED),
            "paid": an_order(State.PAID),
            "accepted": an_order(State.ACCEPTED),
            "pending": an_order(State.PENDING, queue=queue, expires_at=None),
            "failed": a_failed_order(),
        }
        refund = Refund.objects.create(
            **{"refund_no": "F", "order": rows["paid"], "amount_fen": 1, "cause": "requested"},
            **{"payment": pay_of(rows["paid"]), "due_at": Now()},
        )
        desk.get(HOME)
        for prefix, row in enumerate(rows.values(), start=10):
            key = numbered(str(prefix))
            multiply(row, 10_000, order_no=key, idempotency_key=key)
        multiply(refund, 10_000, refund_no=numbered("9"), part="n")
        analyze(Order, Refund)
        with rows_read() as read:
            seen = figures(desk)
        assert seen["pending orders"][0] == seen["to ship"][0] == "1000 or more"
        # A thousand of each kind that waits, their rows and the derived tables that count them;
        # of sixty thousand.
        assert read[0] < 20_000
