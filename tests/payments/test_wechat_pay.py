"""Paying with WeChat Pay: opened there, told of here, closed and given back there."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from django.db.models.functions import Now
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from goods.models import Sku
from orders import lifecycle
from orders.models import Order
from orders.payments import refunding
from orders.payments import services as payments
from orders.payments.models import Payment, Refund
from orders.payments.oversight.models import PaymentAlarm
from orders.payments.wechat import client
from shop.accounts.models import User
from shop.accounts.wechat.models import Identity
from shop.errors import Unavailable
from shop.pools.audit import audit
from tests.factories import make_sku, make_user, overdue, place, start_payment
from tests.fakes.wechat_pay import WechatPay
from tests.kit.units import counters
from tests.kit.wallets import balance
from tests.kit.wechat_pay import APPID, due_now, known_to_wechat, start_wechat
from tests.payments.conftest import state_of, status_of

pytestmark = pytest.mark.django_db

V1 = "/api/v1"
Heard = Callable[..., Any]
Login = Callable[[User], APIClient]


@pytest.fixture
def tea() -> Sku:
    return make_sku(stock=10, price_fen=1000)


@pytest.fixture
def order(far: WechatPay, buyer: User, tea: Sku) -> Order:
    return place(buyer, {tea: 3})


def pay_over_http(client: APIClient, order: Order, key: str = "k", provider: str = "wechat") -> Any:
    return client.post(
        f"{V1}/orders/{order.order_no}/pay",
        {"provider": provider},
        headers={"Idempotency-Key": key},
    )


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def test_a_payment_is_opened_there_and_the_client_can_ask_for_it(
    far: WechatPay, login: Login, buyer: User, order: Order
) -> None:
    answer = pay_over_http(login(buyer), order)

    payment = Payment.objects.get()
    params = answer.json()["params"]
    assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    assert set(params) == {"timeStamp", "nonceStr", "package", "signType", "paySign"}
    assert (payment.app_id, payment.amount_fen) == (APPID, 3000)
    there = far.charges[payment.payment_no]
    assert there.openid == Identity.objects.get().openid
    assert (there.appid, there.amount, there.title) == (APPID, 3000, order.order_no)
    assert there.notify_url == "https://shop.example/api/v1/payments/wechat/notify"
    # Signed as the mini-program's own front end looks at it.
    text = f"{APPID}\n{params['timeStamp']}\n{params['nonceStr']}\n{params['package']}\n"
    far.keys.merchant.key.public_key().verify(
        base64.b64decode(params["paySign"]), text.encode(), PKCS1v15(), SHA256()
    )
    again = pay_over_http(login(buyer), order)
    assert (again["Idempotent-Replayed"], again.json()) == ("true", answer.json())
    assert far.asked["create"] == 1


def test_whom_wechat_does_not_know_can_not_pay_with_it(
    far: WechatPay, login: Login, tea: Sku
) -> None:
    stranger = make_user()
    order = place(stranger, {tea: 1})
    answer = pay_over_http(login(stranger), order)

    assert code_of(answer) == (400, "invalid")
    assert [error["field"] for error in answer.json()["errors"]] == ["provider"]
    known_to_wechat(stranger, appid="wx-of-somebody-else")
    assert code_of(pay_over_http(login(stranger), order)) == (400, "invalid")
    assert not Payment.objects.exists()
    assert far.charges == {}


def test_without_an_account_it_is_not_offered(
    far: WechatPay, settings: Settings, login: Login, buyer: User, order: Order, heard: Heard
) -> None:
    settings.WECHAT_PAY_MCHID = ""
    assert code_of(pay_over_http(login(buyer), order)) == (400, "invalid")
    assert heard(({}, b"{}")).status_code == 404


def test_its_notification_pays_the_order_once(
    far: WechatPay, buyer: User, order: Order, tea: Sku, heard: Heard
) -> None:
    payment = start_wechat(buyer, order)
    far.pay(payment.payment_no)
    message = far.notification(payment.payment_no)

    answers = [heard(message), heard(message), heard(far.notification(payment.payment_no))]

    assert [answer.status_code for answer in answers] == [204] * 3
    assert answers[0].content == b""
    assert (state_of(order), status_of(payment)) == ("paid", "succeeded")
    assert payment.provider_no == far.charges[payment.payment_no].transaction_id
    assert payment.provider_at == far.charges[payment.payment_no].success
    assert order.moves.count() == 1
    assert counters(tea.pool) == (7, 3)
    assert not PaymentAlarm.objects.exists()
    assert audit().broken == {}


def test_a_top_up_is_filled_by_it_too(
    far: WechatPay, buyer: User, login: Login, heard: Heard
) -> None:
    answer = login(buyer).post(
        f"{V1}/wallet/top-ups",
        {"amount_fen": 500, "provider": "wechat"},
        headers={"Idempotency-Key": "k"},
    )
    number = answer.json()["payment_no"]
    far.pay(number)
    heard(far.notification(number))
    heard(far.notification(number))

    assert balance(buyer) == 500
    assert audit().broken == {}


# --- what fails on the way


@pytest.mark.parametrize(
    "fault", ["!503", "!429 FREQUENCY_LIMITED", "!400 PARAM_ERROR", "lost", "unsigned", "forged"]
)
def test_an_answer_that_is_none_is_told_as_unavailable_and_repeated_by_its_key(
    far: WechatPay, login: Login, buyer: User, order: Order, fault: str
) -> None:
    far.will("create", fault)
    client = login(buyer)

    assert code_of(pay_over_http(client, order)) == (503, "unavailable")
    assert Payment.objects.get().params is None
    again = pay_over_http(client, order)

    assert (again.status_code, again["Idempotent-Replayed"]) == (200, "true")
    assert again.json()["params"]["package"].startswith("prepay_id=wx")
    assert Payment.objects.count() == len(far.charges) == 1


@pytest.mark.parametrize(
    "fault", ["unsigned", "old", "forged", "spoilt", "garbage", "lost", "!500"]
)
def test_no_answer_that_can_not_be_trusted_pays_an_order(
    far: WechatPay, buyer: User, order: Order, fault: str
) -> None:
    payment = start_wechat(buyer, order)
    far.pay(payment.payment_no)
    far.will("query", fault)

    due_now(payment)
    assert payments.payments_ask() == 0
    assert (state_of(order), status_of(payment)) == ("unpaid", "pending")
    due_now(payment)
    assert payments.payments_ask() == 1
    assert state_of(order) == "paid"


def test_a_slow_answer_ends_in_its_time(
    far: WechatPay, settings: Settings, buyer: User, order: Order
) -> None:
    settings.WECHAT_PAY_SECONDS = 0.3
    far.will("create", "hang")
    with pytest.raises(Unavailable):
        start_wechat(buyer, order, key="k")
    settings.WECHAT_PAY_SECONDS = 60.0
    # Where even the question was too late, it hangs nobody else.
    far.forgive("create")
    assert start_wechat(buyer, order, key="k").params is not None


def test_one_that_fails_again_and_again_is_left_alone(
    far: WechatPay, buyer: User, order: Order
) -> None:
    far.will("create", *["!503"] * 5)
    for _ in range(7):
        with pytest.raises(Unavailable):
            start_wechat(buyer, order, key="k")
    assert far.asked["create"] == 0
    assert len(far._faults["create"]) == 0
    client.forget()
    assert start_wechat(buyer, order, key="k").params is not None


def test_a_notification_that_is_lost_for_ever_is_asked_for(
    far: WechatPay, buyer: User, order: Order
) -> None:
    payment = start_wechat(buyer, order)
    assert payments.payments_ask() == 0  # not yet
    assert far.asked["query"] == 0
    due_now(payment)
    assert payments.payments_ask() == 1
    assert (state_of(order), status_of(payment)) == ("unpaid", "pending")
    assert payments.payments_ask() == 0  # not again so soon
    far.pay(payment.payment_no)
    due_now(payment)
    assert payments.payments_ask() == 1

    assert (state_of(order), status_of(payment)) == ("paid", "succeeded")
    assert far.asked["query"] == 2
    assert audit().broken == {}


def test_the_distances_between_questions_grow(far: WechatPay, buyer: User, order: Order) -> None:
    payment = start_wechat(buyer, order)
    distances = []
    for _ in range(7):
        due_now(payment)
        asked_at = Order.objects.values_list(Now(), flat=True).get()
        payments.payments_ask()
        payment.refresh_from_db()
        distances.append(round((payment.ask_at - asked_at).total_seconds(), -1))
    assert distances == [20, 40, 80, 160, 300, 300, 300]


# --- time and second thoughts


def test_time_over_closes_it_there_and_gives_the_units_back(
    far: WechatPay, buyer: User, order: Order, tea: Sku, heard: Heard
) -> None:
    payment = start_wechat(buyer, order)
    overdue(order)
    lifecycle.orders_expire()
    assert state_of(order) == "closing"
    far.will("close", "!500")
    assert payments.payments_close() == 0
    assert state_of(order) == "closing"
    due_now(payment)
    assert payments.payments_close() == 1

    assert (state_of(order), status_of(payment)) == ("expired", "closed")
    assert not far.pay(payment.payment_no)
    assert counters(tea.pool) == (10, 0)
    assert audit().broken == {}


@pytest.mark.parametrize("answer", ["", "lost", "!202 USERPAYING"])
def test_a_close_that_comes_too_late_pays_the_order(
    far: WechatPay, buyer: User, order: Order, tea: Sku, answer: str
) -> None:
    payment = start_wechat(buyer, order)
    far.pay(payment.payment_no)
    overdue(order)
    lifecycle.orders_expire()
    far.will("close", answer)
    payments.payments_close()
    due_now(payment)
    payments.payments_close()

    assert (state_of(order), status_of(payment)) == ("paid", "succeeded")
    assert counters(tea.pool) == (7, 3)
    assert not Refund.objects.exists()


def test_a_close_whose_answer_is_lost_is_a_close(far: WechatPay, buyer: User, order: Order) -> None:
    payment = start_wechat(buyer, order)
    overdue(order)
    lifecycle.orders_expire()
    far.will("close", "lost")
    payments.payments_close()
    assert state_of(order) == "closing"
    due_now(payment)
    payments.payments_close()

    assert (state_of(order), status_of(payment)) == ("expired", "closed")


def test_one_that_it_never_heard_of_is_closed(far: WechatPay, buyer: User, order: Order) -> None:
    far.will("create", "!503")
    with pytest.raises(Unavailable):
        start_wechat(buyer, order)
    overdue(order)
    lifecycle.orders_expire()
    payments.payments_close()
    assert (state_of(order), Payment.objects.get().status) == ("expired", "closed")


def test_money_that_comes_although_it_was_closed_goes_back(
    far: WechatPay, buyer: User, order: Order, tea: Sku, heard: Heard
) -> None:
    payment = start_wechat(buyer, order)
    overdue(order)
    lifecycle.orders_expire()
    payments.payments_close()
    far.pay(payment.payment_no, closed_too=True)

    for _ in range(2):
        assert heard(far.notification(payment.payment_no)).status_code == 204
    assert refunding.refunds_execute() == 1

    refund = Refund.objects.get()
    assert (refund.status, refund.cause, refund.amount_fen) == ("succeeded", "late", 3000)
    assert far.refunds[refund.refund_no].amount == 3000
    assert refund.provider_no == far.refunds[refund.refund_no].refund_id
    assert (state_of(order), order.refunded_fen) == ("expired", 3000)
    assert counters(tea.pool) == (10, 0)
    assert audit().broken == {}


def test_an_order_that_is_expired_to_everybody_is_not_paid_after_all(
    far: WechatPay, buyer: User, order: Order, heard: Heard
) -> None:
    """WeChat Pay closed it when its time was up, and found money later; no sweeper was there."""
    payment = start_wechat(buyer, order)
    far.charges[payment.payment_no].state = "CLOSED"
    due_now(payment)
    payments.payments_ask()
    assert status_of(payment) == "closed"
    overdue(order)
    far.pay(payment.payment_no, closed_too=True)
    heard(far.notification(payment.payment_no))
    lifecycle.orders_expire()
    refunding.refunds_execute()

    assert (state_of(order), order.refunded_fen) == ("expired", 3000)
    assert audit().broken == {}


def test_the_second_of_two_providers_money_goes_back(
    far: WechatPay, buyer: User, order: Order, heard: Heard
) -> None:
    here, there = start_payment(buyer, order), start_wechat(buyer, order)
    payments.sandbox_succeed(here)
    far.pay(there.payment_no)
    heard(far.notification(there.payment_no))
    refunding.refunds_execute()

    assert state_of(order) == "paid"
    assert Refund.objects.get().payment == there
    assert far.charges[there.payment_no].refunds[0].amount == 3000
    assert audit().broken == {}


def test_one_that_is_opened_while_it_is_closed_is_closed_once_more(
    far: WechatPay, buyer: User, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was unknown there when it was closed, and is opened a moment later."""
    create = payments.providers()["wechat"].create

    def slow(self: Any, charge: Any) -> Any:
        overdue(order)
        lifecycle.orders_expire()
        payments.payments_close()
        return create(charge)

    monkeypatch.setattr(type(payments.providers()["wechat"]), "create", slow)
    payment = start_wechat(buyer, order)
    assert state_of(order) == "expired"
    assert far.charges[payment.payment_no].state == "NOTPAY"

    payments.payments_close()
    assert far.charges[payment.payment_no].state == "CLOSED"
    assert status_of(payment) == "closed"
    assert audit().broken == {}
