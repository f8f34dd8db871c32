"""Paying an order from the wallet: at once or not at all, and back into it when it is refused."""

from collections.abc import Callable

import pytest
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from goods.models import Sku
from orders import lifecycle
from orders.models import Order
from orders.payments import refunding
from orders.payments import services as payments
from orders.payments.models import Payment, Refund
from shop.accounts.models import User
from shop.pools.audit import audit
from shop.wallet import selectors
from shop.wallet.models import Transaction
from tests.factories import (
    make_sku,
    make_user,
    overdue,
    pay,
    pay_from_wallet,
    place,
    start_payment,
)
from tests.kit.wallets import balance, fund, posted

pytestmark = pytest.mark.django_db

V1 = "/api/v1"
TOTAL_FEN = 3000


@pytest.fixture
def client(login: Callable[[User], APIClient], shopper: User) -> APIClient:
    return login(shopper)


@pytest.fixture
def tea(db: None) -> Sku:
    return make_sku(stock=10, price_fen=1000)


@pytest.fixture
def order(shopper: User, tea: Sku) -> Order:
    return place(shopper, {tea: 3})


def post(client: APIClient, order: Order, *, provider: str = "wallet", key: str = "k"):
    return client.post(
        f"{V1}/orders/{order.order_no}/pay",
        {"provider": provider},
        headers={"Idempotency-Key": key},
    )


def status_of(order: Order) -> str:
    order.refresh_from_db()
    return order.status


def test_an_order_is_paid_from_the_wallet_at_once(client, shopper, order) -> None:
    fund(shopper, TOTAL_FEN + 1)

    answer = post(client, order)

    payment = Payment.objects.get()
    assert answer.status_code == 200
    assert answer.json() == {
        "payment_no": payment.payment_no,
        "provider": "wallet",
        "status": "succeeded",
        "params": None,
    }
    assert status_of(order) == "paid"
    assert order.paid_at == payment.succeeded_at
    assert list(order.moves.values_list("source", "target", "actor")) == [
        ("unpaid", "paid", "shopper")
    ]
    assert balance(shopper) == 1
    assert posted(shopper)[1:] == [("cny", -TOTAL_FEN, order.order_no)]
    assert selectors.house_sums()["sales", "cny"] == TOTAL_FEN
    assert audit().broken == {}


def test_a_repeat_pays_nothing_more(client, shopper, order) -> None:
    fund(shopper, 10 * TOTAL_FEN)
    first = post(client, order)

    again = post(client, order)

    assert (again.status_code, again["Idempotent-Replayed"]) == (200, "true")
    assert again.json() == first.json()
    assert balance(shopper) == 9 * TOTAL_FEN
    other_key = post(client, order, key="k2")
    assert (other_key.status_code, other_key.json()["code"]) == (409, "order_state")
    assert balance(shopper) == 9 * TOTAL_FEN


def test_too_little_stores_nothing_and_the_key_may_be_tried_again(client, shopper, order) -> None:
    fund(shopper, TOTAL_FEN - 1)

    answer = post(client, order)

    assert answer.status_code == 409
    assert (
        answer.json()
        | {
            "code": "insufficient_balance",
            "currency": "cny",
            "balance": TOTAL_FEN - 1,
            "amount": TOTAL_FEN,
        }
        == answer.json()
    )
    assert not Payment.objects.exists()
    assert status_of(order) == "unpaid"
    assert balance(shopper) == TOTAL_FEN - 1

    fund(shopper, 1)
    answer = post(client, order)
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert "Idempotent-Replayed" not in answer
    assert status_of(order) == "paid"
    assert audit().broken == {}


def test_points_are_no_money(client, shopper, order) -> None:
    fund(shopper, TOTAL_FEN, currency="points")
    assert post(client, order).json()["code"] == "insufficient_balance"


def test_an_order_of_somebody_else_is_not_there(login, order) -> None:
    other = make_user()
    fund(other, TOTAL_FEN)

    answer = post(login(other), order)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert balance(other) == TOTAL_FEN


def test_what_waits_for_no_money_takes_none(client, shopper, tea) -> None:
    fund(shopper, 10 * TOTAL_FEN)
    cancelled, expired, paid = (place(shopper, {tea: 1}) for _ in range(3))
    lifecycle.order_cancel(user=shopper, order_no=cancelled.order_no)
    overdue(expired)
    pay(shopper, paid)

    for number, (order, status) in enumerate(
        [(cancelled, "cancelled"), (expired, "expired"), (paid, "paid")]
    ):
        answer = post(client, order, key=f"k{number}")
        assert (answer.status_code, answer.json()["code"]) == (409, "order_state")
        assert answer.json()["order_status"] == status
    assert balance(shopper) == 10 * TOTAL_FEN
    assert not Transaction.objects.filter(kind="payment").exists()


def test_the_wallet_is_offered_where_no_provider_is(client, shopper, order, settings: Settings):
    settings.SANDBOX_PAYMENTS = False
    fund(shopper, TOTAL_FEN)

    assert post(client, order).status_code == 200
    assert "wallet" not in payments.providers()  # nothing remote is asked of it


def test_a_payment_that_is_open_elsewhere_is_closed_there(shopper, order) -> None:
    fund(shopper, TOTAL_FEN)
    elsewhere = start_payment(shopper, order)

    pay_from_wallet(shopper, order)

    elsewhere.refresh_from_db()
    assert elsewhere.status == Payment.Status.CLOSING
    assert payments.payments_close() == 1
    elsewhere.refresh_from_db()
    assert elsewhere.status == Payment.Status.CLOSED
    assert status_of(order) == "paid"
    assert audit().broken == {}


def test_money_that_comes_from_elsewhere_too_goes_back_there(shopper, order) -> None:
    fund(shopper, TOTAL_FEN)
    elsewhere = start_payment(shopper, order)
    payments.sandbox.succeed(payment_no=elsewhere.payment_no)
    pay_from_wallet(shopper, order)

    payments.payments_close()
    assert refunding.refunds_execute() == 1

    assert Refund.objects.get().payment == elsewhere
    assert balance(shopper) == 0
    assert status_of(order) == "paid"
    assert audit().broken == {}


def test_a_refused_order_is_given_back_to_the_wallet_once(shopper, order, tea) -> None:
    fund(shopper, TOTAL_FEN)
    pay_from_wallet(shopper, order)
    lifecycle.order_refuse(order_no=order.order_no, operator=make_user(), reason="none left")
    assert (status_of(order), balance(shopper)) == ("refunding", 0)

    assert refunding.refunds_execute() == 1
    assert refunding.refunds_execute() == 0

    assert status_of(order) == "refunded"
    assert order.refunded_fen == TOTAL_FEN
    assert balance(shopper) == TOTAL_FEN
    assert [row[1:] for row in posted(shopper)[1:]] == [
        (-TOTAL_FEN, order.order_no),
        (TOTAL_FEN, order.order_no),
    ]
    assert selectors.house_sums()["sales", "cny"] == 0
    tea.pool.refresh_from_db()
    assert (tea.stock, tea.sold) == (10, 0)
    assert audit().broken == {}


def test_a_refund_that_is_recorded_by_two_sweepers_is_one(shopper, order) -> None:
    """Both have claimed it, for the first took longer than the second waits."""
    fund(shopper, TOTAL_FEN)
    pay_from_wallet(shopper, order)
    lifecycle.order_refuse(order_no=order.order_no, operator=make_user(), reason="none left")
    refund = Refund.objects.select_related("payment").get()

    for _ in range(2):
        refunding._record_refunded(refund)

    assert balance(shopper) == TOTAL_FEN
    assert audit().broken == {}
