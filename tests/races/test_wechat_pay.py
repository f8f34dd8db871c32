"""WeChat Pay's calls, the shopper, time and death at one moment: one effect, and no money lost."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from orders import lifecycle
from orders.models import Order
from orders.payments import refunding
from orders.payments import services as payments
from orders.payments.models import Payment, Refund
from orders.payments.oversight.models import PaymentAlarm, Reconciliation
from orders.payments.oversight.reconciliation import reconcile
from orders.payments.wechat import client, notifications
from orders.states import State
from shop.accounts.models import User
from shop.errors import Refusal
from shop.pools.audit import audit
from tests.factories import make_address, make_sku, make_user, overdue, place, start_payment
from tests.fakes.wechat_pay import WechatPay, books, keys
from tests.kit.barrier import race
from tests.kit.marks import on_mariadb
from tests.kit.units import counters
from tests.kit.wechat_pay import APPID, account_at, due_now, known_to_wechat, start_wechat
from tests.races.test_payments import fates, meet_for_each

pytestmark = on_mariadb

ROOT = Path(__file__).resolve().parents[2]
ORDERS = 40


@pytest.fixture
def key_files(tmp_path: Path) -> dict[str, str]:
    return keys().write(tmp_path)


@pytest.fixture
def far(settings: Settings, key_files: dict[str, str]) -> Iterator[WechatPay]:
    with WechatPay([APPID]) as pay:
        account_at(settings, pay, key_files)
        client.forget()
        yield pay
        client.forget()


@pytest.fixture
def buyer(far: WechatPay) -> User:
    user = make_user()
    known_to_wechat(user)
    return user


def tell(message: tuple[dict[str, str], bytes]) -> None:
    """As the view does."""
    headers, body = message
    notifications.payment_heard({name.lower(): headers[name] for name in headers}, body)


def everything_due() -> None:
    for row in (*Payment.objects.all(), *Refund.objects.exclude(status="succeeded")):
        due_now(row)


def sweep_until_idle() -> None:
    for _ in range(5):
        everything_due()
        lifecycle.orders_expire()
        payments.payments_close()
        refunding.refunds_execute()


def test_20_copies_of_one_notification_at_once_have_one_effect(far: WechatPay, buyer: User) -> None:
    tea = make_sku(stock=1, price_fen=1000)
    payment = start_wechat(buyer, place(buyer, {tea: 1}))
    far.pay(payment.payment_no)
    copies = [partial(tell, far.notification(payment.payment_no)) for _ in range(20)]

    for outcome in race(copies):
        outcome.result()

    order = Order.objects.get()
    assert (order.status, order.moves.count()) == (State.PAID, 1)
    assert not Refund.objects.exists()
    assert not PaymentAlarm.objects.exists()
    assert audit().broken == {}


def test_20_copies_of_one_that_does_not_fit_are_one_alarm(far: WechatPay, buyer: User) -> None:
    payment = start_wechat(buyer, place(buyer, {make_sku(stock=1, price_fen=1000): 1}))
    far.pay(payment.payment_no)
    wrong = {"amount": {"total": 1, "currency": "CNY"}}

    def refused() -> None:
        with pytest.raises(Refusal):
            tell(far.notification(payment.payment_no, **wrong))

    for outcome in race([refused] * 20):
        outcome.result()

    assert PaymentAlarm.objects.get().times == 20
    assert Order.objects.get().status == State.UNPAID


def test_cancelling_paying_and_the_timeout_at_one_moment(
    far: WechatPay, buyer: User, dice: random.Random
) -> None:
    """One of the three wins each order, and whose money is not kept has it back."""
    tea, address = make_sku(stock=ORDERS, price_fen=1000), make_address(buyer)
    placed = [place(buyer, {tea: 1}, address=address) for _ in range(ORDERS)]
    opened = [start_wechat(buyer, order) for order in placed]

    def money_arrives(number: int) -> None:
        payment_no = opened[number].payment_no
        # Lost one time in three: then the close, or the next question, hears of it.
        if far.pay(payment_no) and number % 3:
            tell(far.notification(payment_no))

    def time_is_up(number: int) -> None:
        overdue(placed[number])
        lifecycle.orders_expire()
        payments.payments_close()

    def shopper_cancels(number: int) -> None:
        if number % 2:
            lifecycle.order_cancel(user=buyer, order_no=placed[number].order_no)

    meet_for_each(ORDERS, [money_arrives, time_is_up, shopper_cancels], dice=dice)
    sweep_until_idle()

    outcome = fates()
    print(outcome)
    paid = outcome[State.PAID, True, False]
    over = sum(
        outcome[state, money, money]
        for state in (State.CANCELLED, State.EXPIRED)
        for money in (True, False)
    )
    assert paid + over == ORDERS
    assert counters(tea.pool) == (over, paid)
    # WeChat Pay's books say the same.
    kept = [c for c in far.charges.values() if c.success and not c.refunds]
    assert len(kept) == paid
    assert all(len(charge.refunds) <= 1 for charge in far.charges.values())
    assert not PaymentAlarm.objects.exists()
    assert audit().broken == {}


def test_the_moneys_of_two_providers_at_one_moment(far: WechatPay, buyer: User) -> None:
    order = place(buyer, {make_sku(stock=1, price_fen=1000): 1})
    here, there = start_payment(buyer, order), start_wechat(buyer, order)
    far.pay(there.payment_no)
    message = far.notification(there.payment_no)

    for outcome in race([partial(payments.sandbox_succeed, here), partial(tell, message)]):
        outcome.result()
    sweep_until_idle()

    order.refresh_from_db()
    assert (order.status, order.refunded_fen) == (State.PAID, 1000)
    assert Refund.objects.get().cause == Refund.Cause.LATE
    assert audit().broken == {}


def test_8_sweepers_at_once_ask_about_each_payment_once(far: WechatPay, buyer: User) -> None:
    tea, address = make_sku(stock=20), make_address(buyer)
    for _ in range(20):
        payment = start_wechat(buyer, place(buyer, {tea: 1}, address=address))
        far.pay(payment.payment_no)
    everything_due()

    outcomes = race([payments.payments_ask] * 8)

    assert sum(outcome.result() for outcome in outcomes) == 20
    assert far.asked["query"] == 20
    assert Order.objects.filter(status=State.PAID).count() == 20


# Does one thing as a process of the shop would, and dies where FAILPOINT says.
DO_AND_DIE = """
import sys
import django
django.setup()
from orders.models import Order
from orders.payments import refunding
from orders.payments import services as payments
from orders.payments.starting import payment_start
from shop.api.idempotency import RequestKey
what, order_no = sys.argv[1:]
order = Order.objects.get(order_no=order_no)
key = RequestKey(order.user_id, "orders", "k", "0" * 64)
if what == "start":
    payment_start(user=order.user, order_no=order_no, key=key, provider="wechat")
else:
    getattr(refunding if what == "refunds_execute" else payments, what)()
"""


@pytest.fixture
def dies(far: WechatPay, key_files: dict[str, str]) -> Callable[..., None]:
    """Another process does one thing to that order, and is killed at the fail point."""

    def run(what: str, order: Order, failpoint: str) -> None:
        died = subprocess.run(
            [sys.executable, "-c", DO_AND_DIE, what, order.order_no],
            cwd=ROOT,
            env={
                **os.environ,
                **key_files,
                "FAILPOINT": f"{failpoint}:kill",
                "MYSQL_DATABASE": connection.settings_dict["NAME"],
                "WECHAT_APPS": f"{APPID}=not-a-secret",
                "WECHAT_PAY_MCHID": far.mchid,
                "WECHAT_PAY_API_URL": far.url,
                "WECHAT_PAY_SECONDS": "60",
                "WECHAT_PAY_CALLED_AT": "https://shop.example",
            },
            timeout=240,
            check=False,
        )
        assert died.returncode == -signal.SIGKILL

    return run


@pytest.mark.parametrize("failpoint", ["commit.after", "payment.provider.after"])
def test_killed_while_it_opens_a_payment(
    far: WechatPay, buyer: User, dies: Callable[..., None], failpoint: str
) -> None:
    order = place(buyer, {make_sku(stock=1, price_fen=1000): 1})
    dies("start", order, failpoint)
    assert Payment.objects.get().params is None
    assert len(far.charges) == (failpoint == "payment.provider.after")

    again = start_wechat(buyer, order, key="k")
    assert again.params is not None
    assert (Payment.objects.count(), len(far.charges)) == (1, 1)
    far.pay(again.payment_no)
    tell(far.notification(again.payment_no))
    order.refresh_from_db()
    assert order.status == State.PAID
    assert audit().broken == {}


def test_killed_when_a_close_was_too_late_and_that_is_not_written_down(
    far: WechatPay, buyer: User, dies: Callable[..., None]
) -> None:
    tea = make_sku(stock=1, price_fen=1000)
    order = place(buyer, {tea: 1})
    payment = start_wechat(buyer, order)
    overdue(order)
    lifecycle.orders_expire()
    far.pay(payment.payment_no)

    dies("payments_close", order, "payment.provider.after")
    order.refresh_from_db()
    assert order.status == State.CLOSING
    sweep_until_idle()

    order.refresh_from_db()
    assert (order.status, order.moves.filter(target="paid").count()) == (State.PAID, 1)
    assert counters(tea.pool) == (0, 1)
    assert audit().broken == {}


def test_killed_when_a_refund_is_done_there_and_not_written_down(
    far: WechatPay, buyer: User, dies: Callable[..., None]
) -> None:
    order = place(buyer, {make_sku(stock=1, price_fen=1000): 1})
    payment = start_wechat(buyer, order)
    far.pay(payment.payment_no)
    tell(far.notification(payment.payment_no))
    operator = make_user(is_staff=True)
    lifecycle.order_refuse(order_no=order.order_no, operator=operator, reason="")

    dies("refunds_execute", order, "refund.provider.after")
    assert len(far.refunds) == 1
    assert Refund.objects.get().status == "pending"
    sweep_until_idle()

    order.refresh_from_db()
    assert (order.status, order.refunded_fen) == (State.REFUNDED, 1000)
    assert len(far.refunds) == 1
    assert audit().broken == {}


def test_a_day_compared_by_several_at_once_is_one_account(far: WechatPay) -> None:
    for back in range(30, 35):
        day = books.now().date() - timedelta(days=back)

        outcomes = race([partial(reconcile, provider="wechat", day=day)] * 4)

        assert len({outcome.result() for outcome in outcomes}) == 1
        assert Reconciliation.objects.get(day=day).runs == 4


def test_one_that_is_opened_before_its_close_is_recorded_is_closed_once_more(
    far: WechatPay, buyer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was unknown there when it was closed; before that is written down, it is opened."""
    order = place(buyer, {make_sku(stock=10): 1})
    opening, answered, opened = Event(), Event(), Event()
    wechat = type(payments.providers()["wechat"])
    create = wechat.create

    def slow(self: Any, charge: Any) -> Any:
        opening.set()
        assert answered.wait(120)
        return create(self, charge)

    def pause(_name: str) -> None:
        answered.set()
        assert opened.wait(120)

    monkeypatch.setattr(wechat, "create", slow)
    monkeypatch.setattr(payments, "failpoint", pause)

    def start() -> Payment:
        try:
            return start_wechat(buyer, order)
        finally:
            opened.set()

    def close() -> None:
        assert opening.wait(120)
        overdue(order)
        lifecycle.orders_expire()
        payments.payments_close()

    payment, _ = (outcome.result() for outcome in race([start, close]))
    assert far.charges[payment.payment_no].state == "NOTPAY"

    payments.payments_close()

    assert far.charges[payment.payment_no].state == "CLOSED"
    payment.refresh_from_db()
    order.refresh_from_db()
    assert (payment.status, order.status) == ("closed", "expired")
    assert audit().broken == {}
