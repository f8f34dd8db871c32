"""A day compared with WeChat Pay's bill: equal, or different in the place where it was spoilt."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from pytest_django.fixtures import Settings

from orders import lifecycle
from orders.models import Order
from orders.payments import refunding
from orders.payments.models import Payment, Refund
from orders.payments.oversight.models import PaymentAlarm, Reconciliation
from orders.payments.oversight.reconciliation import days_due, reconcile, reconcile_due
from orders.payments.wechat.bills import fen_of
from orders.payments.wechat.provider import CHINA
from shop.accounts.models import User
from tests.factories import make_sku, place
from tests.fakes.wechat_pay import WechatPay, books
from tests.kit.desk import logged, page_of, shown
from tests.kit.wechat_pay import start_wechat
from tests.payments.conftest import state_of

pytestmark = pytest.mark.django_db

Heard = Callable[..., Any]


@pytest.fixture
def day(far: WechatPay, buyer: User, operator: User, heard: Heard) -> date:
    """Of two payments, one of which went back."""
    tea = make_sku(stock=9, price_fen=1234)
    for _ in range(2):
        payment = start_wechat(buyer, place(buyer, {tea: 1}))
        far.pay(payment.payment_no)
        heard(far.notification(payment.payment_no))
    first = Order.objects.earliest("pk")
    lifecycle.order_refuse(order_no=first.order_no, operator=operator, reason="")
    refunding.refunds_execute()
    return books.now().date()


def compared(day: date) -> list[dict[str, Any]]:
    row = reconcile(provider="wechat", day=day)
    assert row is not None
    return list(row.differences)


def test_a_day_that_is_equal_has_its_sums_and_no_alarm(far: WechatPay, day: date) -> None:
    for runs in (1, 2):
        assert compared(day) == []
        row = Reconciliation.objects.get()
        assert (row.payments, row.paid_fen, row.refunds, row.refunded_fen) == (2, 2468, 1, 1234)
        assert row.runs == runs
    assert not PaymentAlarm.objects.exists()


def without_line(number: str) -> Callable[[str], str]:
    """A bill that lost every line with that number, and counts accordingly."""

    def spoil(text: str) -> str:
        lines = text.split("\r\n")
        kept = [line for line in lines if number not in line]
        count = len(kept) - 4  # headings, totals and their values, and the end
        total = kept[-2].split(",", 1)[1]
        return "\r\n".join([*kept[:-2], f"`{count},{total}", ""])

    return spoil


def test_each_spoilt_place_is_the_one_difference(far: WechatPay, day: date) -> None:
    kept, refund = Payment.objects.latest("pk"), Refund.objects.get()
    planted: list[tuple[Callable[[str], str], dict[str, Any]]] = [
        (
            lambda text: text.replace(kept.payment_no, "2" * 24),
            {"what": "unknown_payment", "number": "2" * 24, "ours": None, "theirs": 1234},
        ),
        (
            without_line(kept.payment_no),
            {
                "what": "payment_not_in_bill",
                "number": kept.payment_no,
                "ours": 1234,
                "theirs": None,
            },
        ),
        (
            without_line(refund.refund_no),
            {
                "what": "refund_not_in_bill",
                "number": refund.refund_no,
                "ours": 1234,
                "theirs": None,
            },
        ),
        (
            lambda text: text.replace(refund.refund_no, "3" * 24),
            {"what": "unknown_refund", "number": "3" * 24, "ours": None, "theirs": 1234},
        ),
    ]
    for spoil, difference in planted:
        far.spoils_bill = spoil
        assert difference in compared(day)
        assert PaymentAlarm.objects.filter(number=difference["number"], kind="bill").exists()
    before = PaymentAlarm.objects.count()
    assert difference in compared(day)
    assert PaymentAlarm.objects.count() == before  # the same again is no other alarm


def test_an_amount_that_differs_by_a_fen_is_found(far: WechatPay, day: date) -> None:
    kept = Payment.objects.latest("pk")
    far.charges[kept.payment_no].amount += 1
    assert compared(day) == [
        {"what": "amount", "number": kept.payment_no, "ours": 1234, "theirs": 1235}
    ]


def test_money_that_the_shop_never_heard_of_is_found_and_recorded(
    far: WechatPay, buyer: User, day: date
) -> None:
    order = place(buyer, {make_sku(stock=1, price_fen=77): 1})
    payment = start_wechat(buyer, order)
    far.pay(payment.payment_no)

    assert compared(day) == [
        {
            "what": "unrecorded_payment",
            "number": payment.payment_no,
            "ours": "pending",
            "theirs": 77,
        }
    ]
    assert state_of(order) == "paid"
    assert compared(day) == []


@pytest.mark.parametrize("fault", ["!500", "garbage"])
def test_a_bill_that_can_not_be_trusted_is_none(far: WechatPay, day: date, fault: str) -> None:
    far.will("bill_file", fault)
    with pytest.raises(CommandError, match="does not give its bill"):
        call_command("reconcile", date=day)
    assert not Reconciliation.objects.exists()


def test_a_bill_that_lost_a_line_of_its_own_count_is_none(far: WechatPay, day: date) -> None:
    far.spoils_bill = lambda text: text.replace("`3,`", "`4,`")
    with pytest.raises(CommandError, match="garbage"):
        call_command("reconcile", date=day)


def test_days_without_a_bill_wait_or_are_empty(far: WechatPay, day: date) -> None:
    far.bill_state = "STATEMENT_CREATING"
    with pytest.raises(CommandError, match="not made its bill"):
        call_command("reconcile", date=day)
    far.bill_state = "NO_STATEMENT_EXIST"
    assert reconcile(provider="wechat", day=day) is None
    row = reconcile(provider="wechat", day=day - timedelta(days=30))
    assert row is not None
    assert (row.payments, row.differences) == (0, [])


def test_the_command_says_what_differs_and_ends_badly(far: WechatPay, day: date) -> None:
    said = StringIO()
    call_command("reconcile", date=day, stdout=said)
    assert f"wechat {day}: 2 payments of 2468 fen, 1 refunds of 1234 fen" in said.getvalue()
    far.spoils_bill = without_line(Refund.objects.get().refund_no)
    with pytest.raises(CommandError, match="1 differences"):
        call_command("reconcile", date=day, stdout=said)
    assert "refund_not_in_bill" in said.getvalue()


def test_beat_compares_each_day_once_from_ten_on(far: WechatPay, settings: Settings) -> None:
    ten = datetime(2026, 11, 25, 10, 0, tzinfo=CHINA)
    due = days_due(provider="wechat", now=ten)
    assert (due[-1], len(due)) == (date(2026, 11, 24), 7)
    before = days_due(provider="wechat", now=ten - timedelta(seconds=1))
    assert before[-1] == date(2026, 11, 23)
    assert reconcile_due() == 7
    assert reconcile_due() == 0
    settings.WECHAT_PAY_MCHID = ""
    assert reconcile_due() == 0


@pytest.mark.parametrize(("yuan", "fen"), [("0.01", 1), ("12.3", 1230), ("7", 700), ("0.00", 0)])
def test_yuan_are_read_by_their_digits(yuan: str, fen: int) -> None:
    assert fen_of(yuan) == fen


@pytest.mark.parametrize("yuan", ["", "-1.00", "1.001", "1e3", "1,000.00", "１"])
def test_what_is_no_amount_is_refused(yuan: str) -> None:
    with pytest.raises(ValueError, match="no amount"):
        fen_of(yuan)


# --- at the operators' desk


def test_an_operator_sees_an_alarm_and_says_that_it_is_seen_to(
    desk: Client, operator: User, far: WechatPay, day: date
) -> None:
    far.charges[Payment.objects.latest("pk").payment_no].amount += 1
    compared(day)
    alarm, account = PaymentAlarm.objects.get(), Reconciliation.objects.get()

    assert '"theirs": 1235' in shown(desk, alarm)["said"].replace("&quot;", '"')
    assert "1235" in desk.get(page_of(account)).content.decode()
    for _ in range(2):
        desk.post(page_of(alarm, "handle"), {"note": "a fee"})
    alarm.refresh_from_db()
    assert (alarm.handled_by, alarm.note) == (operator, "a fee")
    assert [what for _who, _flag, what in logged(alarm)] == ["seen to: a fee"]


def test_who_may_only_look_sees_to_nothing(
    desk_of: Callable[..., Client], far: WechatPay, day: date
) -> None:
    far.charges[Payment.objects.latest("pk").payment_no].amount += 1
    compared(day)
    alarm = PaymentAlarm.objects.get()
    clerk = desk_of("view_paymentalarm")
    assert clerk.post(page_of(alarm, "handle"), {"note": "x"}).status_code == 403
    alarm.refresh_from_db()
    assert alarm.handled_at is None
