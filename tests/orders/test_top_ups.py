"""Filling a wallet: paid at a provider, credited once, closed when its time is up."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from orders.payments import services as payments
from orders.payments.models import Payment, SandboxCharge
from shop.accounts.models import User
from shop.pools.audit import audit
from shop.wallet import selectors
from tests.factories import make_user, overdue_top_up, start_top_up, top_up
from tests.kit.wallets import balance, posted

pytestmark = pytest.mark.django_db

V1 = "/api/v1"
TOP_UPS = f"{V1}/wallet/top-ups"
Login = Callable[[User], APIClient]


@pytest.fixture
def client(login: Login, shopper: User) -> APIClient:
    return login(shopper)


def post(client: APIClient, body: object, *, key: str = "k"):
    return client.post(TOP_UPS, body, headers={"Idempotency-Key": key})


def code_of(answer) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def test_a_top_up_is_paid_at_the_sandbox_and_is_in_the_wallet(client, shopper) -> None:
    answer = post(client, {"amount_fen": 5000, "provider": "sandbox"})

    payment = Payment.objects.get()
    assert answer.status_code == 200
    assert answer.json() == {
        "payment_no": payment.payment_no,
        "provider": "sandbox",
        "status": "pending",
        "params": {"pay_url": f"{V1}/payments/sandbox/{payment.payment_no}/succeed"},
    }
    assert (payment.order, payment.amount_fen) == (None, 5000)
    assert balance(shopper) == 0

    paid = client.post(answer.json()["params"]["pay_url"])

    assert (paid.status_code, paid.json()["status"]) == (200, "succeeded")
    assert posted(shopper) == [("cny", 5000, payment.payment_no)]
    assert balance(shopper) == 5000
    assert selectors.house_sums() == {("top_ups", "cny"): -5000}
    again = post(client, {"amount_fen": 5000, "provider": "sandbox"})
    assert (again.status_code, again["Idempotent-Replayed"]) == (200, "true")
    assert again.json() == paid.json()
    assert audit().broken == {}
    assert audit().figures(7)["top_ups_fen"] == 5000


def test_money_that_is_told_of_often_is_credited_once(shopper: User) -> None:
    payment = top_up(shopper, 5000)
    for _ in range(3):
        payments.sandbox_succeed(payment)
    payments.payments_close()

    assert balance(shopper) == 5000
    assert len(posted(shopper)) == 1


@pytest.mark.parametrize("amount", [0, -1, 1_000_001, 2**63, 1.5, "1", True, None])
def test_an_amount_out_of_bounds_is_invalid(client, amount) -> None:
    answer = post(client, {"amount_fen": amount, "provider": "sandbox"})

    assert code_of(answer) == (400, "invalid")
    assert [error["field"] for error in answer.json()["errors"]] == ["amount_fen"]
    assert not Payment.objects.exists()


def test_the_bounds_are_amounts_too(client, settings: Settings) -> None:
    settings.TOP_UP_MOST_FEN = 10
    for number, amount in enumerate((1, 10)):
        answer = post(client, {"amount_fen": amount, "provider": "sandbox"}, key=f"k{number}")
        assert answer.status_code == 200
    assert code_of(post(client, {"amount_fen": 11, "provider": "sandbox"}, key="more"))[0] == 400


@pytest.mark.parametrize("provider", ["wallet", "paypal", "", "SANDBOX", 7, None])
def test_a_wallet_is_filled_by_an_offered_provider_and_not_by_itself(client, provider) -> None:
    answer = post(client, {"amount_fen": 1, "provider": provider})

    assert code_of(answer) == (400, "invalid")
    assert [error["field"] for error in answer.json()["errors"]] == ["provider"]
    assert not Payment.objects.exists()


def test_the_sandbox_fills_only_where_it_is_switched_on(client, settings: Settings) -> None:
    settings.SANDBOX_PAYMENTS = False
    assert code_of(post(client, {"amount_fen": 1, "provider": "sandbox"})) == (400, "invalid")


def test_a_key_is_required_and_good_for_one_body(client) -> None:
    body = {"amount_fen": 1, "provider": "sandbox"}
    assert code_of(client.post(TOP_UPS, body)) == (400, "idempotency_key_required")
    post(client, body)
    assert code_of(post(client, body | {"amount_fen": 2})) == (422, "idempotency_key_reused")
    assert Payment.objects.count() == 1


def test_a_stranger_opens_and_pays_nothing(api: APIClient, login: Login, shopper: User) -> None:
    assert code_of(post(api, {"amount_fen": 1, "provider": "sandbox"})) == (
        401,
        "not_authenticated",
    )
    payment = start_top_up(shopper, 100)
    url = f"{V1}/payments/sandbox/{payment.payment_no}/succeed"
    assert code_of(api.post(url)) == (401, "not_authenticated")
    assert code_of(login(make_user()).post(url)) == (404, "not_found")
    assert balance(shopper) == 0


def test_a_body_can_not_say_more_than_it_may(client, shopper: User) -> None:
    lie = {"status": "succeeded", "user": make_user().pk, "paid_at": "2026-01-01", "balance": 9}
    answer = post(client, lie | {"amount_fen": 1, "provider": "sandbox"})

    payment = Payment.objects.get()
    assert answer.json()["status"] == "pending"
    assert (payment.user_id, payment.status) == (shopper.pk, "pending")
    assert balance(shopper) == 0


# --- time


def test_a_top_up_lives_as_long_as_the_setting_says(shopper: User, settings: Settings) -> None:
    settings.TOP_UP_SECONDS = 600
    # SQLite's clock leaves out what is below a millisecond.
    a_life, before = timedelta(seconds=600), timezone.now() - timedelta(milliseconds=1)
    payment = start_top_up(shopper, 100)

    assert payments.payments_close() == 0
    assert payment.expires_at is not None
    assert before + a_life <= payment.expires_at <= timezone.now() + a_life


def test_a_top_up_whose_time_is_up_is_closed(client, shopper: User) -> None:
    payment = overdue_top_up(start_top_up(shopper, 100))
    in_time = start_top_up(shopper, 100)

    assert payments.payments_close() == 1
    assert payments.payments_close() == 0

    payment.refresh_from_db()
    in_time.refresh_from_db()
    assert (payment.status, in_time.status) == ("closed", "pending")
    assert SandboxCharge.objects.get(payment_no=payment.payment_no).status == "closed"
    answer = client.post(f"{V1}/payments/sandbox/{payment.payment_no}/succeed")
    assert code_of(answer) == (409, "ended")
    assert balance(shopper) == 0
    assert audit().broken == {}


def test_money_that_is_there_when_it_is_to_be_closed_is_credited(shopper: User) -> None:
    payment = overdue_top_up(start_top_up(shopper, 100))
    payments.sandbox.succeed(payment_no=payment.payment_no)  # its notification is lost

    assert payments.payments_close() == 1

    payment.refresh_from_db()
    assert payment.status == "succeeded"
    assert balance(shopper) == 100
    assert audit().broken == {}


def test_money_that_comes_after_the_close_is_credited_all_the_same(shopper: User) -> None:
    payment = overdue_top_up(start_top_up(shopper, 100))
    payments.payments_close()

    for _ in range(2):
        payments.payment_succeeded(
            payment_no=payment.payment_no, provider="sandbox", amount_fen=100
        )

    payment.refresh_from_db()
    assert payment.status == "succeeded"
    assert payment.succeeded_at is not None
    assert balance(shopper) == 100
    assert audit().broken == {}


def test_money_of_another_amount_changes_nothing(shopper: User) -> None:
    payment = start_top_up(shopper, 100)

    with pytest.raises(Exception, match="invalid"):
        payments.payment_succeeded(payment_no=payment.payment_no, provider="sandbox", amount_fen=99)

    assert balance(shopper) == 0


def test_operators_find_a_top_up_beside_payments_of_orders(client: APIClient) -> None:
    user = make_user()
    payment = top_up(user, 100)
    desk = Client()
    desk.force_login(make_user("boss", is_staff=True, is_superuser=True))

    found = desk.get(reverse("admin:payments_payment_changelist"), {"q": payment.payment_no})
    page = desk.get(reverse("admin:payments_payment_change", args=[payment.pk]))

    assert (found.status_code, page.status_code) == (200, 200)
    assert payment.payment_no in found.content.decode()
