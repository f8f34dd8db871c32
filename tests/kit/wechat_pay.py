"""A shop's account at the WeChat Pay of the tests, and shoppers whom it knows."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone
from pytest_django.fixtures import Settings

from orders.models import Order
from orders.payments.models import Payment, Refund
from orders.payments.starting import payment_start
from shop.accounts.models import User
from shop.accounts.wechat.models import Identity
from tests.factories import request_key_of
from tests.fakes.wechat_pay import WechatPay

APPID = "wx0000000000000001"
LONG_AGO = timedelta(hours=1)


def account_at(settings: Settings, pay: WechatPay, key_files: dict[str, str]) -> None:
    """The shop's account is at `pay`."""
    for name, value in key_files.items():
        setattr(settings, name, value)
    settings.WECHAT_APPS = {APPID: "not-a-secret"}
    settings.WECHAT_PAY_MCHID = pay.mchid
    settings.WECHAT_PAY_API_URL = pay.url
    settings.WECHAT_PAY_CALLED_AT = "https://shop.example"
    # However slow this machine is, its answers are heard.
    settings.WECHAT_PAY_SECONDS = 60.0


def known_to_wechat(user: User, *, appid: str = APPID) -> Identity:
    return Identity.objects.create(user=user, appid=appid, openid=f"o{uuid4().hex[:27]}")


def start_wechat(user: User, order: Order, *, key: str = "") -> Payment:
    """An open payment of `order` at WeChat Pay."""
    return payment_start(
        user=user, order_no=order.order_no, key=request_key_of(user, key), provider="wechat"
    ).row


def due_now(row: Payment | Refund) -> Any:
    """Has a sweeper look at it as if it had waited long enough."""
    column = "due_at" if isinstance(row, Refund) else "ask_at"
    type(row).objects.filter(pk=row.pk).update(**{column: timezone.now() - LONG_AGO})
    return row
