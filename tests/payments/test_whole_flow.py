"""One order from a log-in by WeChat to the day's bill, and everything that anybody could read of it
afterwards: no secret is in any of it, and a phone number only where somebody sends a parcel."""

import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from goods.models import Sku
from orders.coupons.models import Coupon, IssuedCoupon
from orders.models import Order
from orders.payments.oversight.models import PaymentAlarm
from orders.payments.wechat import client as wechat_pay
from orders.refunds.models import RefundRequest
from orders.tasks import execute_refunds
from shop.accounts.models import User
from shop.accounts.wechat import client as wechat
from shop.notices.tasks import deliver_notices
from tests.conftest import JSONClient
from tests.factories import make_shipping, make_sku
from tests.fakes.wechat_api import WechatApi, openid_of, phone_of, unionid_of
from tests.fakes.wechat_pay import WechatPay
from tests.kit.coupons import make_coupon
from tests.kit.desk import page_of
from tests.kit.units import counters
from tests.kit.wechat_pay import account_at

# What is played is the same on any database, and long.
pytestmark = [pytest.mark.django_db, pytest.mark.once]

V1 = "/api/v1"
NAME, TEMPLATE = "li", "T-ORDER"
# Where the parcel goes; not the number that WeChat tells of.
PARCELS_PHONE = "13800001234"
# A fen less than it costs.
OTHER = {"total": 5299, "currency": "CNY"}
EVENTS = ("order_paid", "order_shipped", "order_refunded")
WORDS = {
    "template": TEMPLATE,
    "page": "pages/order?no={subject}",
    "data": {"character_string1": "order_no", "thing2": "title", "amount3": "total_fen"},
}


class Traces:
    """All that could be read: where it was, and its text. `lines`: the log, as it grows."""

    def __init__(self, lines: list[str]) -> None:
        self.read: list[tuple[str, str]] = []
        self._lines = lines

    def all(self) -> list[tuple[str, str]]:
        return [*self.read, *(("log", line) for line in self._lines)]

    def holding(self, text: str) -> set[str]:
        """Where that stands."""
        return {where for where, read in self.all() if text in read}


class Reads:
    """A client that leaves traces of every answer, its headers too."""

    traces: Traces

    def request(self, **asked: Any) -> Any:
        answer = super().request(**asked)  # type: ignore[misc]
        text = answer.content.decode() + str(dict(answer.items()))
        self.traces.read.append((asked["PATH_INFO"], text))
        return answer


class Telephone(Reads, JSONClient):
    """The mini-program: what it posts must be taken, and each time it is another intent."""

    def done(self, path: str, body: Any = None) -> Any:
        answer = self.post(f"{V1}{path}", body, headers={"Idempotency-Key": uuid4().hex})
        assert answer.status_code in (200, 201), answer.content
        return answer.json()


class Desk(Reads, Client):
    """An operator's browser."""


@pytest.fixture
def traces(lines: list[str]) -> Iterator[Traces]:
    """With every line of the log, of the library that asks WeChat too."""
    library = logging.getLogger("urllib3")
    level = library.level
    library.setLevel(logging.DEBUG)
    yield Traces(lines)
    library.setLevel(level)


@pytest.fixture
def appid() -> str:
    """Another one each time, because a cache outlives a test."""
    return f"wx{uuid4().hex[:16]}"


@pytest.fixture
def api(appid: str) -> Iterator[WechatApi]:
    with WechatApi({appid: f"APP-SECRET-{uuid4().hex}"}) as far:
        far.templates = {TEMPLATE: frozenset(WORDS["data"])}
        far.allow(openid_of(appid, NAME), TEMPLATE, len(EVENTS))
        yield far


@pytest.fixture
def pay(
    appid: str, api: WechatApi, settings: Settings, key_files: dict[str, str], noon: None
) -> Iterator[WechatPay]:
    """WeChat Pay, beside WeChat, and a shop that knows both."""
    with WechatPay([appid]) as far:
        # As it is in truth: done later, and told of.
        far.refund_status = "PROCESSING"
        account_at(settings, far, key_files)
        settings.WECHAT_API_URL, settings.WECHAT_APPS = api.url, api.apps
        settings.NOTICE_CHANNELS = ["wechat"]
        settings.WECHAT_TEMPLATES = {appid: dict.fromkeys(EVENTS, WORDS)}
        wechat.forget(), wechat_pay.forget()
        yield far
        wechat.forget(), wechat_pay.forget()


@pytest.fixture
def telephone(traces: Traces) -> Telephone:
    one = Telephone()
    one.traces = traces
    return one


@pytest.fixture
def desk(traces: Traces, operator: User) -> Desk:
    one = Desk()
    one.traces = traces
    one.force_login(operator)
    return one


def logged_in(telephone: Telephone, api: WechatApi) -> None:
    session = telephone.done("/auth/wechat", {"code": api.code(NAME)})
    telephone.credentials(HTTP_AUTHORIZATION=f"Bearer {session['access']}")
    known = telephone.done("/me/phone", {"code": api.code(NAME)})
    phone = phone_of(NAME)
    assert known == {"phone": f"+86{phone[:3]}****{phone[-4:]}"}


def ordered(telephone: Telephone, coupon: Coupon, items: dict[Sku, int]) -> str:
    """The number of an order with the coupon, which costs what was quoted."""
    piece = telephone.done(f"/coupons/{coupon.pk}/claim")
    where = {"name": "李", "phone": PARCELS_PHONE, "region": "上海市", "detail": "1"}
    basket = {
        "items": [{"sku": sku.pk, "count": count} for sku, count in items.items()],
        "address": telephone.done("/addresses", where)["id"],
        "shipping_method": make_shipping(fee_fen=800).pk,
        "coupon": piece["id"],
    }
    quoted = telephone.done("/orders/quote", basket)
    order = telephone.done("/orders", basket | {"expected_total_fen": quoted["total_fen"]})
    return str(order["order_no"])


def paid(telephone: Telephone, pay: WechatPay, order_no: str) -> None:
    """By a notification, after one that is forged and one that tells of another amount."""
    payment = telephone.done(f"/orders/{order_no}/pay", {"provider": "wechat"})["payment_no"]
    assert pay.pay(payment)
    headers, body = pay.notification(payment)
    assert notified(telephone, headers, body + b" ") == 401
    assert notified(telephone, *pay.notification(payment, amount=OTHER)) == 400
    assert notified(telephone, headers, body) == 204


def notified(telephone: Telephone, headers: dict[str, str], body: bytes, what: str = "") -> int:
    client = Telephone()
    client.traces = telephone.traces
    answer = client.post(
        f"{V1}/payments/wechat/{what}notify",
        data=body,
        content_type="application/json",
        headers=headers,
    )
    return int(answer.status_code)


def shipped(desk: Desk, order: Order) -> None:
    desk.post(page_of(order, "accept"), follow=True)
    desk.post(page_of(order, "ship"), {"courier": "SF", "tracking_no": "SF1"}, follow=True)
    order.refresh_from_db()
    assert order.status == "shipped"


def given_back(
    telephone: Telephone, desk: Desk, pay: WechatPay, order: Order, sku: Sku, count: int
) -> None:
    """One line, the way it goes when WeChat Pay wants to be told twice and takes its time."""
    asked = {"items": [{"sku": sku.pk, "count": count}], "reason": "broken"}
    refund = telephone.done(f"/orders/{order.order_no}/refunds", asked)
    request = RefundRequest.objects.get(refund_no=refund["refund_no"])
    desk.post(page_of(request, "accept"), {"restock": "on"}, follow=True)
    execute_refunds()
    [number] = pay.refunds
    pay.refund_becomes(number, "SUCCESS")
    headers, body = pay.refund_notification(number)
    assert notified(telephone, headers, body, "refund-") == 204


def commanded(traces: Traces, *command: str) -> str:
    """What a command prints; one that finds something wrong raises."""
    out = StringIO()
    call_command(*command, stdout=out, stderr=out)
    traces.read.append((command[0], out.getvalue()))
    return out.getvalue()


def look_at_everything(telephone: Telephone, desk: Desk, order: Order) -> None:
    """All that the shopper is shown, and every page of every row of the admin."""
    number = order.order_no
    mine = (
        "me",
        "me/coupons",
        "addresses",
        "orders",
        f"orders/{number}",
        f"orders/{number}/refunds",
    )
    for path in mine:
        assert telephone.get(f"{V1}/{path}").status_code == 200
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert desk.get(reverse(f"{name}_changelist")).status_code == 200
        for row in model._default_manager.all():
            for page in ("change", "history"):
                assert desk.get(reverse(f"{name}_{page}", args=[row.pk])).status_code == 200
    assert desk.get("/metrics").status_code == 200


def secrets(api: WechatApi, pay: WechatPay, appid: str) -> set[str]:
    """What only WeChat, and the shop's own memory, may hold; the key by each of its lines."""
    key = pay.keys.merchant.private_pem.decode().splitlines()[1:-1]
    person = {openid_of(appid, NAME), unionid_of(NAME), phone_of(NAME)}
    # Session key, access token and phone.
    assert len(api.given_out) >= 3
    return api.given_out | set(api.apps.values()) | person | {pay.keys.api_key, *key}


def test_an_order_goes_from_log_in_to_the_days_bill_and_leaves_no_secret_anywhere(
    traces: Traces,
    api: WechatApi,
    pay: WechatPay,
    appid: str,
    telephone: Telephone,
    desk: Desk,
) -> None:
    tea, cup = make_sku(stock=10, price_fen=1000), make_sku(stock=10, price_fen=3000)
    logged_in(telephone, api)
    order_no = ordered(telephone, make_coupon(off_fen=500), {tea: 2, cup: 1})
    paid(telephone, pay, order_no)
    order = Order.objects.get()
    shipped(desk, order)
    given_back(telephone, desk, pay, order, tea, 2)
    deliver_notices()

    order.refresh_from_db()
    # 2 x 1000 + 3000 + 800 - 500; of the 500 off two fifths were the tea's.
    assert (order.status, order.total_fen, order.refunded_fen) == ("shipped", 5300, 1800)
    [charge], [refund] = pay.charges.values(), pay.refunds.values()
    assert (charge.amount, charge.openid, refund.amount) == (5300, openid_of(appid, NAME), 1800)
    assert (counters(tea.pool), counters(cup.pool)) == ((10, 0), (9, 1))
    assert IssuedCoupon.objects.get().order == order
    told = [message["data"]["amount3"]["value"] for message in api.messages]
    assert (told, api.messages[0]["touser"]) == (["53.00元"] * 3, openid_of(appid, NAME))
    assert PaymentAlarm.objects.get().kind == "amount"

    day = charge.success.date().isoformat()
    assert commanded(traces, "reconcile", "--date", day) == (
        f"wechat {day}: 1 payments of 5300 fen, 1 refunds of 1800 fen\n"
    )
    assert "broken" not in commanded(traces, "audit")
    commanded(traces, "check")
    look_at_everything(telephone, desk, order)

    for secret in secrets(api, pay, appid):
        assert traces.holding(secret) == set()
    # The search finds what is there: the parcel's phone, which its shopper and its sender see.
    own = {f"{V1}/addresses", f"{V1}/orders", f"{V1}/orders/{order_no}"}
    assert traces.holding(PARCELS_PHONE) == own | {page_of(order)}
    assert traces.holding("payment alarm") >= {"log"}
    assert {page_of(PaymentAlarm.objects.get()), "/metrics"} <= {at for at, _ in traces.all()}
