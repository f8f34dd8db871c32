"""A WeChat of the test's own, with two mini-programs of one owner."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from pytest_django.fixtures import Settings

from shop.accounts.wechat import client
from shop.accounts.wechat.answers import Endpoint, Outcome
from tests.conftest import JSONClient
from tests.fakes.wechat_api import WechatApi

Counted = Callable[[Endpoint, Outcome], int]

LOGIN_PATH = "/api/v1/auth/wechat"


@pytest.fixture
def far(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[WechatApi]:
    """WeChat, and a shop that asks it and no other; tries again at once. Of new appids, because a
    cache outlives a test."""
    apps = {f"wx{uuid4().hex[:16]}": f"APP-SECRET-{uuid4().hex}" for _ in range(2)}
    monkeypatch.setattr(client, "PAUSE_SECONDS", 0.0)
    with WechatApi(apps) as api:
        settings.WECHAT_API_URL = api.url
        settings.WECHAT_APPS = apps
        # However slow this machine is, its answers are heard.
        settings.WECHAT_SECONDS = 60.0
        # Who is left alone for a while is so to the end of the test.
        monkeypatch.setattr(client, "BREAKER_SECONDS", 3_600.0)
        client.forget()
        yield api
        client.forget()


@pytest.fixture
def counted() -> Counted:
    """How many calls came to that since the test began."""

    def value(endpoint: Endpoint, outcome: Outcome) -> int:
        return int(client.CALLS.labels(endpoint.value, outcome.value)._value.get())

    before = {
        (endpoint, outcome): value(endpoint, outcome)
        for endpoint in Endpoint
        for outcome in Outcome
    }
    return lambda endpoint, outcome: value(endpoint, outcome) - before[endpoint, outcome]


def log_in(code: str, **more: Any) -> Any:
    """What the shop answers to whoever sends that code. `more`: the rest of the body."""
    return JSONClient().post(LOGIN_PATH, {"code": code, **more})
