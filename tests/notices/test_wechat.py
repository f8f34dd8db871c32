"""Subscribe messages: to whom allowed one, by the shop's templates, and nothing of it is left
anywhere."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from orders import lifecycle
from orders.payments.refunding import refunds_execute
from shop.accounts.models import User
from shop.accounts.wechat import client as wechat
from shop.accounts.wechat.answers import Endpoint, Outcome
from shop.accounts.wechat.models import Identity
from shop.notices.delivery import notices_deliver
from shop.notices.models import Notice
from shop.notices.wechat import shown
from shop.ops.logs import JsonLineFormatter
from tests.accounts.wechat.conftest import Counted
from tests.factories import make_shipping, make_sku, overdue, pay, place
from tests.fakes.wechat_api import SEND, TOKEN, WechatApi, faults, openid_of
from tests.notices.outbox import pass_time, standing, write

pytestmark = pytest.mark.django_db

TEMPLATE = "T-PAID"
PHONE_NUMBER = "+8613912345678"


@pytest.fixture
def first(far: WechatApi, settings: Settings) -> str:
    """A mini-program that has words for every order."""
    appid = next(iter(far.apps))
    data = {"character_string1": "order_no", "thing2": "title", "amount3": "total_fen"}
    terms = {"template": TEMPLATE, "page": "pages/order?no={subject}", "data": data}
    names = ("order_paid", "order_refused", "order_expired", "order_refunded", "order_shipped")
    far.templates = {TEMPLATE: frozenset(data)}
    settings.NOTICE_CHANNELS = ["wechat"]
    settings.WECHAT_TEMPLATES = {appid: dict.fromkeys(names, terms)}
    return appid


def person(user: User, appid: str, name: str = "li") -> str:
    """The user's openid there, as their log-in would leave it."""
    openid = openid_of(appid, name)
    Identity.objects.create(user=user, appid=appid, openid=openid)
    return openid


def test_a_message_says_what_the_templates_say(far: WechatApi, first: str, shopper: User) -> None:
    openid = person(shopper, first)
    far.allow(openid, TEMPLATE)
    notice = write(shopper, title="一" * 30, total_fen=105)
    notices_deliver()
    assert standing(notice) == ("delivered", 1, "")
    assert far.messages == [
        {
            "touser": openid,
            "template_id": TEMPLATE,
            "page": f"pages/order?no={notice.subject}",
            "data": {
                "character_string1": {"value": notice.subject},
                "thing2": {"value": "一" * 19 + "…"},
                "amount3": {"value": "1.05元"},
            },
            "miniprogram_state": "formal",
            "lang": "zh_CN",
        }
    ]


def test_who_has_not_allowed_it_is_never_asked_again_and_no_alarm_rings(
    far: WechatApi, first: str, shopper: User, counted: Counted, caplog: Any
) -> None:
    person(shopper, first)
    notice = write(shopper)
    notices_deliver()
    pass_time(24 * 3600)
    notices_deliver()
    assert standing(notice) == ("unwanted", 1, "unwanted 43101")
    assert (far.count(SEND), caplog.records) == (1, [])
    assert counted(Endpoint.NOTICE, Outcome.UNWANTED) == 1


@pytest.mark.parametrize("errcode", [40003, 40037, 41030, 45168, 47003])
def test_a_message_that_is_never_taken_is_given_up_at_once_and_somebody_told(
    far: WechatApi, first: str, shopper: User, errcode: int, caplog: Any
) -> None:
    person(shopper, first)
    far.will(SEND, faults.errcode(errcode))
    notice = write(shopper)
    notices_deliver()
    assert standing(notice) == ("dead", 1, f"bad_message {errcode}")
    assert caplog.messages == [
        f"wechat: notice refused with errcode {errcode}",
        f"notices: 1 given up: bad_message {errcode}",
    ]


@pytest.mark.parametrize("errcode", [-1, 43108, 45009, 45011, 99999])
def test_what_may_be_better_later_is_tried_later(
    far: WechatApi, first: str, shopper: User, errcode: int
) -> None:
    far.allow(person(shopper, first), TEMPLATE)
    far.will(SEND, faults.errcode(errcode))
    notice = write(shopper)
    notices_deliver()
    assert standing(notice)[:2] == ("waiting", 1)
    assert far.count(SEND) == 1  # the outbox waits, not the call
    pass_time(10)
    notices_deliver()
    assert standing(notice) == ("delivered", 2, "")


def test_a_stale_token_is_renewed_once_and_costs_no_attempt(
    far: WechatApi, first: str, shopper: User
) -> None:
    openid = person(shopper, first)
    far.allow(openid, TEMPLATE, times=2)
    write(shopper)
    notices_deliver()
    far.revoke(first)
    notice = write(shopper)
    notices_deliver()
    assert standing(notice) == ("delivered", 1, "")
    assert (far.count(TOKEN), far.count(SEND), len(far.messages)) == (2, 3, 2)


def test_a_token_that_is_never_taken_is_not_renewed_without_end(
    far: WechatApi, first: str, shopper: User
) -> None:
    person(shopper, first)
    far.will(SEND, *[faults.errcode(40001)] * 2)
    notice = write(shopper)
    notices_deliver()
    assert standing(notice) == ("waiting", 1, "stale_token 40001")
    assert far.count(SEND) == 2


def test_an_answer_that_is_lost_has_it_sent_again_and_is_one_message_where_one_was_allowed(
    far: WechatApi, first: str, shopper: User
) -> None:
    far.allow(person(shopper, first), TEMPLATE)
    far.will(SEND, faults.cut)
    notice = write(shopper)
    notices_deliver()
    assert standing(notice)[:2] == ("waiting", 1)
    pass_time(10)
    notices_deliver()
    assert (far.count(SEND), len(far.messages)) == (2, 1)
    assert standing(notice) == ("unwanted", 2, "unwanted 43101")


def test_a_wechat_that_is_down_is_left_alone_and_no_notice_is_lost(
    far: WechatApi, first: str, shopper: User
) -> None:
    far.allow(person(shopper, first), TEMPLATE, times=10)
    far.will(SEND, *[faults.status(502)] * wechat.BREAKER_FAILURES)
    for _ in range(10):
        write(shopper)
    notices_deliver()
    assert far.count(SEND) == wechat.BREAKER_FAILURES
    assert sorted(Notice.objects.values_list("attempts", flat=True)) == [0] * 5 + [1] * 5
    wechat.forget()  # as if its time were up
    pass_time(10)
    assert notices_deliver() == 10
    assert len(far.messages) == 10


def test_the_mini_program_where_they_allowed_it_is_found(
    far: WechatApi, first: str, shopper: User, settings: Settings
) -> None:
    second = list(far.apps)[1]
    settings.WECHAT_TEMPLATES |= {second: settings.WECHAT_TEMPLATES[first]}
    allowed = person(shopper, first)
    person(shopper, second)
    far.allow(allowed, TEMPLATE)
    notice = write(shopper)
    notices_deliver()
    assert standing(notice) == ("delivered", 1, "")
    assert [message["touser"] for message in far.messages] == [allowed]


@pytest.mark.parametrize("who", ["never came by WeChat", "is disabled", "came by another"])
def test_who_can_not_be_reached_is_not(far: WechatApi, first: str, shopper: User, who: str) -> None:
    if who == "is disabled":
        person(shopper, first)
        User.objects.update(is_active=False)
    if who == "came by another":
        person(shopper, list(far.apps)[1])
    notice = write(shopper)
    notices_deliver()
    assert standing(notice) == ("unwanted", 1, "no identity")
    assert far.calls == []


def test_an_event_without_a_template_is_not_written(
    far: WechatApi, first: str, shopper: User, settings: Settings
) -> None:
    del settings.WECHAT_TEMPLATES[first]["order_paid"]
    make_shipping()
    pay(shopper, place(shopper, {make_sku(): 1}))
    assert Notice.objects.count() == 0


@pytest.mark.parametrize(
    ("keyword", "fact", "text"),
    [
        ("thing1", "title", "茶"),
        ("thing1", "nothing", "-"),
        ("phrase2", "tracking_no", "SF123"),
        ("character_string3", "tracking_no", "SF1234567"),
        ("amount4", "total_fen", "1234.05元"),
        ("number5", "count", "3"),
        ("thing6", "empty", "-"),
    ],
)
def test_facts_are_said_as_keywords_take_them(keyword: str, fact: str, text: str) -> None:
    facts = {"title": "茶", "tracking_no": "SF1234567", "total_fen": 123405, "count": 3}
    notice = Notice(facts={**facts, "empty": ""})
    assert shown(notice, keyword, fact) == text


def test_the_time_is_the_shops(far: WechatApi, first: str, shopper: User) -> None:
    notice = write(shopper)
    Notice.objects.update(created_at="2026-11-25T16:30:00Z")
    notice.refresh_from_db()
    assert shown(notice, "time1", "time") == "2026-11-26 00:30"


@pytest.fixture
def lines(caplog: Any) -> Iterator[list[str]]:
    """Every line of the log, of whatever level, as it would be written."""
    written: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(record.getMessage() + JsonLineFormatter().format(record))

    collector, root = Collector(), logging.getLogger()
    caplog.set_level(logging.DEBUG)
    root.addHandler(collector)
    yield written
    root.removeHandler(collector)


def test_a_whole_flow_leaves_no_openid_token_or_phone_in_lines_rows_or_pages(
    far: WechatApi,
    first: str,
    shopper: User,
    operator: User,
    desk: Client,
    settings: Settings,
    lines: list[str],
) -> None:
    settings.NOTICE_CHANNELS = ["wechat", "log"]
    User.objects.filter(pk=shopper.pk).update(phone=PHONE_NUMBER)
    openid = person(shopper, first)
    far.allow(openid, TEMPLATE, times=2)
    make_shipping()
    sku = make_sku()
    shipped, refused = (place(shopper, {sku: 1}) for _ in range(2))
    for order in (shipped, refused):
        pay(shopper, order)
    lifecycle.order_accept(order_no=shipped.order_no, operator=operator)
    lifecycle.order_ship(
        order_no=shipped.order_no, operator=operator, courier="SF", tracking_no="SF1"
    )
    lifecycle.order_refuse(order_no=refused.order_no, operator=operator, reason=PHONE_NUMBER)
    refunds_execute()
    overdue(place(shopper, {sku: 1}))
    lifecycle.orders_expire()
    far.will(SEND, faults.errcode(40001), faults.errcode(47003), faults.status(502), faults.half)
    for _ in range(3):
        notices_deliver()
        pass_time(3600)

    rows = json.dumps(list(Notice.objects.values()), default=str)
    address = reverse("admin:notices_notice_changelist")
    pages = desk.get(address).content.decode() + "".join(
        desk.get(reverse("admin:notices_notice_change", args=[pk])).content.decode()
        for pk in Notice.objects.values_list("pk", flat=True)
    )
    states = set(Notice.objects.values_list("channel", "state"))
    assert states == {
        *(("wechat", "delivered"), ("wechat", "unwanted"), ("wechat", "dead")),
        ("log", "delivered"),
    }
    assert len(far.given_out) > 0
    assert any("47003" in line for line in lines)
    for secret in (openid, PHONE_NUMBER, PHONE_NUMBER[3:], *far.given_out, *far.apps.values()):
        assert secret not in rows
        assert secret not in "".join(lines)
        assert secret not in pages
