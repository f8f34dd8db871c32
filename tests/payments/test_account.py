"""An account at WeChat Pay is whole, or the shop says what is missing; its keys are told nobody."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.test import Client
from pytest_django.fixtures import Settings

from orders import lifecycle
from orders.payments import refunding
from orders.payments import services as payments
from orders.payments.models import Payment, Refund
from orders.payments.oversight.models import PaymentAlarm
from orders.payments.wechat import account
from shop.accounts.models import User
from shop.accounts.wechat.models import Identity
from shop.errors import Unavailable
from tests.factories import make_sku, place
from tests.fakes.wechat_pay import WechatPay
from tests.kit.desk import page_of
from tests.kit.wechat_pay import due_now, start_wechat

pytestmark = pytest.mark.django_db

Heard = Callable[..., Any]


def complaints() -> list[str]:
    return [str(error.msg) for error in run_checks() if error.id == "payments.E001"]


def test_a_whole_account_and_none_at_all_are_fine(far: WechatPay, settings: Settings) -> None:
    assert complaints() == []
    for name in (*account.NEEDED, *account.TOGETHER):
        setattr(settings, name, "")
    assert complaints() == []


@pytest.mark.parametrize("missing", [*account.NEEDED, *account.TOGETHER])
def test_half_an_account_is_refused_by_the_name_of_what_is_missing(
    far: WechatPay, settings: Settings, missing: str
) -> None:
    setattr(settings, missing, "")
    [complaint] = complaints()
    assert missing in complaint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WECHAT_PAY_MCHID", "mine"),
        ("WECHAT_PAY_SERIAL", "not hexadecimal"),
        ("WECHAT_PAY_API_V3_KEY", "k" * 31),
        ("WECHAT_PAY_PUBLIC_KEY_ID", "0123456789"),
        ("WECHAT_PAY_PRIVATE_KEY_FILE", "/nowhere/key.pem"),
        ("WECHAT_PAY_PRIVATE_KEY_FILE", "manage.py"),
        ("WECHAT_PAY_PUBLIC_KEY_FILE", "manage.py"),
        ("WECHAT_PAY_CALLED_AT", "http://shop.example"),
        ("WECHAT_PAY_API_URL", "http://api.example"),
        ("WECHAT_PAY_APPIDS", ["wx-of-nobody"]),
        ("WECHAT_APPS", {}),
    ],
)
def test_what_can_not_be_right_is_refused_by_its_name(
    far: WechatPay, settings: Settings, name: str, value: Any
) -> None:
    setattr(settings, name, value)
    assert any(complaint.startswith(name) for complaint in complaints())
    assert settings.WECHAT_PAY_API_V3_KEY not in " ".join(complaints())


def play(far: WechatPay, buyer: User, operator: User, heard: Heard) -> list[str]:
    """Paid, refunded, forged, mistaken, failed; all answers of it."""
    tea, answers = make_sku(stock=9, price_fen=100), []
    for fault in ("", "!400 PARAM_ERROR", "unsigned", "garbage", "lost"):
        far.will("create", fault)
        try:
            start_wechat(buyer, place(buyer, {tea: 1}))
        except Unavailable as error:
            answers.append(str(error))
    payment = Payment.objects.earliest("pk")
    far.pay(payment.payment_no)
    far.will("query", "spoilt", "forged")
    for _ in range(2):
        due_now(payment)
        payments.payments_ask()
    headers, body = far.notification(payment.payment_no)
    for message in (
        (headers, body[:-1]),
        far.notification(payment.payment_no, mchid="1900000110"),
        far.notification(payment.payment_no, amount={"total": 1, "currency": "CNY"}),
        (headers, body),
    ):
        answers.append(heard(message).content.decode())
    order_no = payment.order.order_no
    lifecycle.order_refuse(order_no=order_no, operator=operator, reason="no")
    far.will("refund", "!403 USER_ACCOUNT_ABNORMAL")
    refunding.refunds_execute()
    refunding.refund_retry(refund_no=Refund.objects.get().refund_no, operator=operator)
    refunding.refunds_execute()
    answers.append(heard(far.refund_notification(Refund.objects.get().refund_no)).content.decode())
    return answers


def secrets_of(far: WechatPay) -> set[str]:
    """What must be in nothing that anybody reads."""
    private = far.keys.merchant.private_pem.decode().splitlines()
    return {
        far.keys.api_key,
        *(line for line in private if len(line) == 64),
        *far.keys.certificate.decode().splitlines()[1:-1],
        *Identity.objects.values_list("openid", flat=True),
    }


def test_a_played_day_leaves_no_key_and_nobodys_openid_in_any_line_answer_row_or_page(
    far: WechatPay, buyer: User, operator: User, heard: Heard, lines: list[str], desk: Client
) -> None:
    answers = play(far, buyer, operator, heard)
    refund = Refund.objects.get()
    pages = [
        desk.get(page_of(row)).content.decode()
        for row in (*Payment.objects.all(), refund, *PaymentAlarm.objects.all())
    ]
    rows = [
        json.dumps(list(model.objects.values()), default=str)
        for model in apps.get_models()
        if model is not Identity
    ]

    assert refund.status == "succeeded"
    assert {alarm.kind for alarm in PaymentAlarm.objects.all()} == {"merchant", "amount", "refund"}
    assert any("not to be trusted" in line for line in lines)
    assert len(pages) == 5 + 1 + 3
    for text in (*lines, *answers, *pages, *rows):
        assert {secret for secret in secrets_of(far) if secret in text} == set()


def test_an_account_shows_no_key(far: WechatPay) -> None:
    shown = repr(account.account())
    assert far.keys.api_key not in shown
    assert "merchant_key.pem" not in shown
