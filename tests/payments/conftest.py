"""A WeChat Pay of the test's own, a shop that asks it and no other, and a shopper it knows."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from orders.models import Order
from orders.payments.models import Payment
from orders.payments.wechat import client
from shop.accounts.models import User
from tests.fakes.wechat_pay import WechatPay, books, keys
from tests.kit.wechat_pay import APPID, account_at, known_to_wechat


@pytest.fixture(scope="session")
def key_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder: Path = tmp_path_factory.mktemp("wechat-pay")
    return keys().write(folder)


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that WeChat Pay writes into its books in a test is of one day, also at midnight."""
    today_at_noon = books.now().replace(hour=12, minute=0, second=0)
    monkeypatch.setattr(books, "now", lambda: today_at_noon)


@pytest.fixture
def far(
    settings: Settings, key_files: dict[str, str], noon: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WechatPay]:
    # Who is left alone for a while is so to the end of the test.
    monkeypatch.setattr(client, "BREAKER_SECONDS", 3_600.0)
    with WechatPay([APPID]) as pay:
        account_at(settings, pay, key_files)
        client.forget()
        yield pay
        client.forget()


@pytest.fixture
def buyer(shopper: User) -> User:
    known_to_wechat(shopper)
    return shopper


@pytest.fixture
def heard(api: APIClient) -> Callable[..., Any]:
    """What the shop answers to a call of WeChat Pay."""

    def call(message: tuple[dict[str, str], bytes], what: str = "notify") -> Any:
        headers, body = message
        return api.post(
            f"/api/v1/payments/wechat/{what}",
            data=body,
            content_type="application/json",
            headers=headers,
        )

    return call


def state_of(order: Order) -> str:
    order.refresh_from_db()
    return order.status


def status_of(payment: Payment) -> str:
    payment.refresh_from_db()
    return payment.status
