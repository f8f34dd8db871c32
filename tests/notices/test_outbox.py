"""What happens to an order is written down for its shopper in the transaction in which it happens,
once, and in one statement however many orders there are."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from lottery.drawing import periods_draw
from orders import lifecycle
from orders.models import Order
from orders.payments.refunding import refunds_execute
from shop.accounts.models import User
from shop.notices import events
from shop.notices.models import Notice
from shop.transactions import run
from tests.factories import (
    give_points,
    make_period,
    make_shipping,
    make_sku,
    overdue,
    pay,
    pay_from_wallet,
    place,
)
from tests.kit.periods import draw, sell
from tests.kit.wallets import fund
from tests.notices.conftest import Told
from tests.notices.outbox import rows, write

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _shipping(db: None) -> None:
    make_shipping()


def test_an_order_that_is_paid_and_shipped_is_told_as_that(
    told: Told, shopper: User, operator: User
) -> None:
    order = place(shopper, {make_sku(price_fen=1250): 2})
    assert rows() == []  # placing is answered, not told
    pay(shopper, order)
    lifecycle.order_accept(order_no=order.order_no, operator=operator)
    lifecycle.order_ship(
        order_no=order.order_no, operator=operator, courier="SF", tracking_no="SF1"
    )
    lifecycle.order_confirm_receipt(user=shopper, order_no=order.order_no)

    assert rows() == [("order_paid", order.order_no), ("order_shipped", order.order_no)]
    paid, shipped = Notice.objects.order_by("pk")
    facts = {"order_no": order.order_no, "title": "茶", "count": 2, "total_fen": 3300}
    assert paid.facts == facts
    assert shipped.facts == facts | {"courier": "SF", "tracking_no": "SF1"}
    assert {paid.user_id, shipped.user_id} == {shopper.pk}


def test_a_refused_order_is_told_at_once_and_its_money_when_it_is_back(
    told: Told, shopper: User, operator: User
) -> None:
    order = place(shopper, {make_sku(price_fen=1000): 1})
    pay(shopper, order)
    lifecycle.order_refuse(order_no=order.order_no, operator=operator, reason="call 13800138000")
    assert rows()[1:] == [("order_refused", order.order_no)]
    refunds_execute()
    refund = order.refunds.get()
    assert rows()[2:] == [("order_refunded", refund.refund_no)]
    back = Notice.objects.latest("pk").facts
    assert (back["order_no"], back["refund_fen"]) == (order.order_no, 1800)
    # What an operator typed is nobody's to send on.
    assert "13800138000" not in str(list(Notice.objects.values()))


def test_an_order_paid_from_the_wallet_is_told_too(told: Told, shopper: User) -> None:
    fund(shopper, 10_000)
    order = place(shopper, {make_sku(): 1})
    pay_from_wallet(shopper, order)
    assert rows() == [("order_paid", order.order_no)]


def test_who_has_won_is_told(told: Told, shopper: User) -> None:
    period = make_period(total_shares=2, prize_title="银币")
    give_points(shopper, 100)
    sell(period, 2, to=shopper)
    assert rows() == []
    draw(period)
    assert periods_draw() == 0
    assert rows() == [("period_won", f"period-{period.pk}")]
    period.refresh_from_db()
    facts = {"period": period.pk, "title": "银币", "number": period.number}
    assert Notice.objects.get().facts == facts


def test_no_event_writes_a_fact_that_it_does_not_name(
    told: Told, shopper: User, operator: User
) -> None:
    test_an_order_that_is_paid_and_shipped_is_told_as_that(told, shopper, operator)
    order = place(shopper, {make_sku(): 1})
    pay(shopper, order)
    lifecycle.order_refuse(order_no=order.order_no, operator=operator, reason="")
    refunds_execute()
    lost = overdue(place(shopper, {make_sku(): 1}))
    lifecycle.orders_expire()
    assert rows()[-1] == ("order_expired", lost.order_no)
    for notice in Notice.objects.all():
        assert set(notice.facts) == events.EVENTS[notice.event].facts


def test_many_orders_that_expire_are_told_in_one_statement(told: Told, shopper: User) -> None:
    sku = make_sku(stock=20)
    for _ in range(12):
        overdue(place(shopper, {sku: 1}))
    with CaptureQueriesContext(connection) as captured:
        assert lifecycle.orders_expire() == 12
    inserts = [q for q in captured if Notice._meta.db_table in q["sql"]]
    assert len(inserts) == 1
    assert Notice.objects.filter(event="order_expired").count() == 12


def test_what_does_not_happen_is_not_told(
    told: Told, shopper: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = overdue(place(shopper, {make_sku(): 1}))

    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(lifecycle, "release", fails)
    with pytest.raises(RuntimeError):
        lifecycle.orders_expire()
    assert rows() == []
    assert Order.objects.get(pk=order.pk).status == "unpaid"


def test_told_twice_it_is_written_once_and_is_in_nobodys_way(told: Told, shopper: User) -> None:
    def twice() -> None:
        write(shopper, subject="1")
        write(shopper, subject="1")
        write(shopper, subject="2")

    run(twice)
    assert rows() == [("order_paid", "1"), ("order_paid", "2")]


def test_each_channel_has_a_row_of_its_own(told: Told, settings: Settings, shopper: User) -> None:
    settings.NOTICE_CHANNELS = ["told", "log"]
    write(shopper, subject="1")
    assert sorted(Notice.objects.values_list("channel", flat=True)) == ["log", "told"]


@pytest.mark.parametrize("channels", [[], ["wechat"]])
def test_where_nobody_can_be_told_it_costs_no_statement(
    channels: list[str], settings: Settings, shopper: User
) -> None:
    settings.NOTICE_CHANNELS = channels  # without a template
    overdue(place(shopper, {make_sku(): 1}))
    with CaptureQueriesContext(connection) as captured:
        assert lifecycle.orders_expire() == 1
    assert [q for q in captured if Notice._meta.db_table in q["sql"]] == []
