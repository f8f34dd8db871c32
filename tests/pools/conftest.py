"""The shops that the audit's tests look at."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, connections

from tests.pools.gates import Kind, kind_of_tests
from tests.pools.planting import SaleShop, Shop, make_sale_shop, make_shop


@pytest.fixture
def shop(db: None) -> Shop:
    return make_shop()


@pytest.fixture
def sale_shop(transactional_db: None) -> SaleShop:
    return make_sale_shop()


@pytest.fixture
def kind(empty_gates: None) -> Iterator[Kind]:
    """Pools of tests may have gates."""
    with kind_of_tests() as kind:
        yield kind


@pytest.fixture
def on_disk(transactional_db: None, tmp_path: Path) -> Iterator[None]:
    """A database that several connections can use at once, as MariaDB is anyway."""
    if connection.vendor != "sqlite":
        yield
        return
    in_memory, settings = connections["default"], connections.settings["default"]
    in_memory.ensure_connection()
    name, settings["NAME"] = settings["NAME"], str(tmp_path / "shop.sqlite3")
    on_disk = connections.create_connection("default")
    on_disk.ensure_connection()
    in_memory.connection.backup(on_disk.connection)
    connections["default"] = on_disk
    try:
        yield
    finally:
        on_disk.close()
        connections["default"] = in_memory
        settings["NAME"] = name


@pytest.fixture
def shop_on_disk(on_disk: None) -> Shop:
    return make_shop()
