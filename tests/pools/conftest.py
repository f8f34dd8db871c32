"""The shop that the audit's tests look at."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, connections

from tests.pools.planting import Shop, make_shop


@pytest.fixture
def shop(db: None) -> Shop:
    return make_shop()


@pytest.fixture
def shop_on_disk(transactional_db: None, tmp_path: Path) -> Iterator[Shop]:
    """The shop in a database that several connections can use at once."""
    shop = make_shop()
    if connection.vendor != "sqlite":
        yield shop
        return
    in_memory = connections["default"]
    on_disk = in_memory.copy()
    on_disk.settings_dict["NAME"] = str(tmp_path / "shop.sqlite3")
    in_memory.connection.backup(on_disk.get_new_connection(on_disk.get_connection_params()))
    connections["default"] = on_disk
    try:
        yield shop
    finally:
        on_disk.close()
        connections["default"] = in_memory
