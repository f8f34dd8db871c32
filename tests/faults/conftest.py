"""One shop of real processes for all tests of this folder, seen from the test's own process."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from deploy.local import servers
from shop.accounts.models import User
from tests.faults.clients import Client
from tests.faults.shop import Shop
from tests.kit.clientlog import ClientLog
from tests.kit.hows import SEED


@pytest.fixture(scope="package")
def _shop(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[Shop]:
    servers.ensure_installed()
    with (
        Shop(tmp_path_factory.mktemp("shop")) as shop,
        django_db_blocker.unblock(),
        shop.seen_from_here(),
    ):
        yield shop


@pytest.fixture
def shop(_shop: Shop) -> Iterator[Shop]:
    """The shop, with all of its processes up, before each test and after it."""
    print(f"RACE_SEED={SEED}")
    print(f"logs: {_shop.folder}")
    _shop.mend()
    yield _shop
    connection.close()
    _shop.mend()


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> Random:
    return Random(f"{SEED} {request.node.name}")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ClientLog]:
    with ClientLog(tmp_path / "clients.log") as log:
        yield log


@pytest.fixture
def client_of(shop: Shop, log: ClientLog) -> Iterator[Callable[..., Client]]:
    """A device for each user it is given; `port`: at another web server than the usual one."""
    clients: list[Client] = []

    def make(user: User, *, port: int | None = None) -> Client:
        clients.append(Client(user, port=port or shop.port, log=log))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
