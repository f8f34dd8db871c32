"""Money on its way back through WeChat Pay: taken, slow, refused, stuck, and told of unasked."""

from collections.abc import Callable
from typing import Any

import pytest

from orders import lifecycle
from orders.models import Order
from orders.payments import refunding
from orders.payments import services as payments
from orders.payments.models import Payment, Refund
from orders.payments.oversight.models import PaymentAlarm
from shop.accounts.models import User
from shop.pools.audit import audit
from tests.factories import make_sku, place, start_payment
from tests.fakes.wechat_pay import WechatPay
from tests.kit.wechat_pay import due_now, start_wechat
from tests.payments.conftest import state_of, status_of

pytestmark = pytest.mark.django_db

Heard = Callable[..., Any]


@pytest.fixture
def order(far: WechatPay, buyer: User, heard: Heard) -> Order:
    """Paid."""
    order = place(buyer, {make_sku(stock=1, price_fen=1000): 1})
    payment = start_wechat(buyer, order)
    far.pay(payment.payment_no)
    assert heard(far.notification(payment.payment_no)).status_code == 204
    return order


@pytest.fixture
def refund(order: Order, operator: User) -> Refund:
    """Decided, and nobody was told yet."""
    lifecycle.order_refuse(order_no=order.order_no, operator=operator, reason="sold elsewhere")
    return Refund.objects.get()


def test_one_that_takes_its_time_is_asked_about_until_it_is_done(
    far: WechatPay, order: Order, refund: Refund
) -> None:
    far.refund_status = "PROCESSING"
    assert refunding.refunds_execute() == 0
    refund.refresh_from_db()
    assert (refund.status, refund.provider_state) == ("pending", "processing")
    assert (state_of(order), order.refunded_fen) == ("refunding", 0)
    due_now(refund)
    assert refunding.refunds_execute() == 0
    far.refund_becomes(refund.refund_no, "SUCCESS")
    due_now(refund)
    assert refunding.refunds_execute() == 1

    assert (state_of(order), order.refunded_fen) == ("refunded", 1000)
    # Told once, asked afterwards.
    assert (far.asked["refund"], far.asked["query_refund"]) == (1, 2)
    assert audit().broken == {}


def test_its_notification_ends_the_waiting_once(
    far: WechatPay, order: Order, refund: Refund, heard: Heard
) -> None:
    far.refund_status = "PROCESSING"
    refunding.refunds_execute()
    far.refund_becomes(refund.refund_no, "SUCCESS")
    message = far.refund_notification(refund.refund_no)

    for _ in range(3):
        assert heard(message, "refund-notify").status_code == 204
    assert (state_of(order), order.refunded_fen) == ("refunded", 1000)
    assert order.moves.filter(target="refunded").count() == 1
    assert audit().broken == {}


def test_a_notification_that_is_faster_than_the_answer_is_heard(
    far: WechatPay, order: Order, refund: Refund, heard: Heard
) -> None:
    far.will("refund", "lost")
    assert refunding.refunds_execute() == 0
    assert heard(far.refund_notification(refund.refund_no), "refund-notify").status_code == 204
    due_now(refund)
    assert refunding.refunds_execute() == 0

    assert (state_of(order), order.refunded_fen) == ("refunded", 1000)
    assert len(far.refunds) == 1


@pytest.mark.parametrize("fault", ["!500", "lost", "unsigned", "!403 NOT_ENOUGH", "!429 X"])
def test_one_that_was_not_taken_is_told_again(
    far: WechatPay, order: Order, refund: Refund, fault: str
) -> None:
    far.will("refund", fault)
    assert refunding.refunds_execute() == 0
    due_now(refund)
    assert refunding.refunds_execute() == 1
    assert len(far.refunds) == 1
    assert (state_of(order), order.refunded_fen) == ("refunded", 1000)


def test_one_that_is_refused_is_an_operators(
    far: WechatPay, order: Order, refund: Refund, operator: User
) -> None:
    far.will("refund", "!403 USER_ACCOUNT_ABNORMAL")
    assert refunding.refunds_execute() == 0
    refund.refresh_from_db()
    assert (refund.status, refund.provider_state) == ("failed", "refused")
    alarm = PaymentAlarm.objects.get()
    assert (alarm.kind, alarm.number) == ("refund", refund.refund_no)
    assert alarm.facts == {"state": "refused", "why": "USER_ACCOUNT_ABNORMAL"}
    due_now(refund)
    assert refunding.refunds_execute() == 0  # by nobody but an operator
    assert state_of(order) == "refunding"

    assert refunding.refund_retry(refund_no=refund.refund_no, operator=operator)
    assert refunding.refunds_execute() == 1
    assert (state_of(order), order.refunded_fen) == ("refunded", 1000)
    assert audit().broken == {}


def test_an_order_is_not_refunded_while_one_of_its_refunds_has_failed(
    far: WechatPay, buyer: User, operator: User, heard: Heard
) -> None:
    order = place(buyer, {make_sku(stock=1, price_fen=1000): 1})
    here, there = start_payment(buyer, order), start_wechat(buyer, order)
    payments.sandbox_succeed(here)
    far.pay(there.payment_no)
    heard(far.notification(there.payment_no))
    far.will("refund", "!403 USER_ACCOUNT_ABNORMAL")
    refunding.refunds_execute()
    lifecycle.order_refuse(order_no=order.order_no, operator=operator, reason="")
    refunding.refunds_execute()
    assert (state_of(order), order.refunded_fen) == ("refunding", 1000)

    failed = Refund.objects.get(status="failed")
    refunding.refund_retry(refund_no=failed.refund_no, operator=operator)
    refunding.refunds_execute()
    assert (state_of(order), order.refunded_fen) == ("refunded", 2000)
    assert audit().broken == {}


@pytest.mark.parametrize("state", ["ABNORMAL", "CLOSED"])
def test_one_that_gets_stuck_fails_with_an_alarm_and_may_succeed_yet(
    far: WechatPay, order: Order, refund: Refund, heard: Heard, state: str
) -> None:
    far.refund_status = "PROCESSING"
    refunding.refunds_execute()
    far.refund_becomes(refund.refund_no, state)
    for _ in range(2):
        message = far.refund_notification(refund.refund_no)
        assert heard(message, "refund-notify").status_code == 204
    refund.refresh_from_db()
    assert (refund.status, refund.provider_state) == ("failed", state.lower())
    assert PaymentAlarm.objects.get().times == 1
    assert (state_of(order), order.refunded_fen) == ("refunding", 0)

    far.refund_becomes(refund.refund_no, "SUCCESS")
    heard(far.refund_notification(refund.refund_no), "refund-notify")
    assert (state_of(order), order.refunded_fen) == ("refunded", 1000)
    assert audit().broken == {}


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("amount", {"amount": {"total": 1000, "refund": 999}}),
        ("amount", {"out_trade_no": "202611250000000000000000"}),
        ("merchant", {"mchid": "1900000110"}),
        ("unknown", {"out_refund_no": "202611250000000000000000"}),
    ],
)
def test_what_does_not_fit_the_refund_is_an_alarm_and_changes_nothing(
    far: WechatPay, order: Order, refund: Refund, heard: Heard, what: str, said: dict[str, Any]
) -> None:
    far.refund_status = "PROCESSING"
    refunding.refunds_execute()
    far.refund_becomes(refund.refund_no, "SUCCESS")
    answer = heard(far.refund_notification(refund.refund_no, **said), "refund-notify")

    assert answer.status_code in (400, 404)
    assert PaymentAlarm.objects.get().kind == what
    refund.refresh_from_db()
    assert (refund.status, state_of(order)) == ("pending", "refunding")


def test_a_refund_somebody_made_there_by_hand_is_an_alarm(
    far: WechatPay, order: Order, heard: Heard
) -> None:
    payment = Payment.objects.get()
    far._refund(
        {
            "out_trade_no": payment.payment_no,
            "out_refund_no": "by-hand-1",
            "notify_url": "",
            "amount": {"refund": 1, "total": 1000},
        }
    )
    assert heard(far.refund_notification("by-hand-1"), "refund-notify").status_code == 404
    assert PaymentAlarm.objects.get().kind == "unknown"
    assert (state_of(order), status_of(payment)) == ("paid", "succeeded")
