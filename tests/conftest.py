"""Fixtures that every folder of tests may use. What only one of them needs lives there."""

import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
from django.contrib.auth.models import Permission
from django.core.signals import request_started
from django.db import close_old_connections, reset_queries
from django.test import Client
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from goods.sales import selectors as sales
from lottery import selectors as periods
from lottery.packets import over
from lottery.packets.services import packets_sweep
from orders import pending, shield, tasks
from orders.payments import refunding
from orders.payments import services as payments
from shop import lately
from shop.accounts.models import User
from shop.api import front
from shop.notices import delivery
from shop.ops import health
from shop.ops.logs import JsonLineFormatter
from shop.pools import drain, gate, gatekeeping, shots, waiting
from tests.factories import make_user
from tests.faults.deaths import mortal
from tests.kit.fronts import Long
from tests.kit.machines import BATCH
from tests.kit.marks import asks_servers
from tests.kit.redis import forget_connections
from tests.kit.tables import emptied_quickly

# Seconds: longer than any test.
LONG = 3_600.0

# How long an example takes, or to think of one, is this machine's affair.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")


class JSONClient(APIClient):
    """A client that sends JSON unless told otherwise."""

    default_format = "json"


def pytest_configure() -> None:
    emptied_quickly()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What asks no database is tested once, beside SQLite."""
    if os.environ.get("TEST_DATABASE") != "mariadb":
        return
    asks = {one: asks_servers(one) for one in items}
    config.hook.pytest_deselected(items=[one for one in items if not asks[one]])
    items[:] = [one for one in items if asks[one]]


@pytest.fixture(autouse=True)
def _remembers_nothing() -> None:
    """What a process remembers of sales and queues is of an earlier test, whose rows are gone."""
    shield.forget()
    over.forget()
    sales.sale_terms_lately.forget()
    periods.period_terms_lately.forget()
    pending._queues.clear()
    waiting.forget()
    shots.forget()
    gate._down.until = 0.0
    # Django's list of statements ends at 9,000: whoever counts the last ones would miss some.
    reset_queries()


@pytest.fixture(autouse=True)
def _a_moment_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process keeps in mind for a moment it keeps for all of a test, and what it does for a
    moment it does to the end: however slow this machine is. Tests of just that say otherwise."""
    monkeypatch.setattr(lately, "SECONDS", LONG)
    monkeypatch.setattr(shield, "LIFE_SECONDS", LONG)
    monkeypatch.setattr(drain, "BUDGET_SECONDS", LONG)
    # It waits for nobody who might come: that is for crowds.
    monkeypatch.setattr(drain, "PACE_SECONDS", 0.0)
    monkeypatch.setattr(delivery, "SENDING_SECONDS", LONG)
    monkeypatch.setattr(tasks, "BUDGET_SECONDS", LONG)
    monkeypatch.setattr(payments, "SWEEP_SECONDS", LONG)
    monkeypatch.setattr(refunding, "SWEEP_SECONDS", LONG)
    monkeypatch.setitem(packets_sweep.__kwdefaults__, "seconds", LONG)
    # Here one that hangs is waited for: checks that answer are heard.
    monkeypatch.setattr(health, "DEADLINE_SECONDS", 60.0)


@pytest.fixture
def api() -> APIClient:
    """A client nobody is logged in with."""
    return JSONClient()


@pytest.fixture
def login() -> Callable[[User], APIClient]:
    """A client for each user it is given, with that user's access token."""

    def client_of(user: User) -> APIClient:
        client = JSONClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {AccessToken.for_user(user)}")
        return client

    return client_of


@pytest.fixture
def shopper(db: None) -> User:
    return make_user("shopper")


@pytest.fixture
def operator(db: None) -> User:
    return make_user("operator", is_staff=True, is_superuser=True)


@pytest.fixture
def desk(client: Client, operator: User) -> Client:
    """The browser of an operator who may do everything."""
    client.force_login(operator)
    return client


@pytest.fixture
def desk_of(client: Client) -> Callable[..., Client]:
    """The browser of an operator with these permissions only."""

    def browser(*codenames: str) -> Client:
        clerk = make_user(is_staff=True)
        clerk.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client.force_login(clerk)
        return client

    return browser


@pytest.fixture
def lines(caplog: Any) -> Iterator[list[str]]:
    """Every line of the log, of whatever level, as it would be written."""
    written: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(JsonLineFormatter().format(record))

    collector, root = Collector(), logging.getLogger()
    caplog.set_level(logging.DEBUG)
    root.addHandler(collector)
    yield written
    root.removeHandler(collector)


@pytest.fixture
def in_a_request(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As Django's own test client does: the test's connection stays open."""
    request_started.disconnect(close_old_connections)
    monkeypatch.setattr(front, "refresh_connection", lambda: None)
    yield
    request_started.connect(close_old_connections)


@pytest.fixture
def long() -> Long:
    return Long()


@pytest.fixture
def empty_gates() -> Iterator[None]:
    """Redis knows no gate, and this process that it answers."""
    forget_connections()
    gate.client().flushdb()
    yield
    forget_connections()
    gate.client().flushdb()


@pytest.fixture
def deadly(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Fail points that can be died at, small batches, and looks at gates without a pause."""
    mortal(monkeypatch)
    monkeypatch.setattr(gatekeeping, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(drain, "PACE_SECONDS", 0.0)
    settings.DRAIN_BATCH = BATCH
    # What earlier examples have left unpaid is not overdue before the last one ends.
    settings.ORDER_PAY_SECONDS = 86_400
