"""A shopper's browser; Node, where there is no page, is started by its tests."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from shop.accounts.models import User
from shop.accounts.services import session_of
from tests.factories import make_address, make_user
from tests.kit.browser import Visit, browse, chromium

__all__ = ["browse", "chromium"]


@pytest.fixture
def visit(browse: Callable[..., Visit], live_server: LiveServer) -> Callable[..., Visit]:
    """Opens browsers: `visit()`, `visit(user)` for one that is logged in, `locale="zh-CN"`."""

    def open_one(user: User | None = None, **options: Any) -> Visit:
        kept = {"origin": live_server.url, "localStorage": kept_of(user) if user else []}
        return browse(storage_state={"origins": [kept]}, **options)

    return open_one


def kept_of(user: User) -> list[dict[str, str]]:
    """What a browser keeps of somebody who has logged in there."""
    session = session_of(user)
    named = {"id": user.pk, "username": user.username, "nickname": user.nickname}
    kept = {"access": session.access, "refresh": session.refresh, "user": named}
    return [{"name": "scarce/session", "value": json.dumps(kept)}]


@pytest.fixture
def buyer(transactional_db: None) -> User:
    """A shopper with an address."""
    user = make_user("buyer")
    make_address(user)
    return user
