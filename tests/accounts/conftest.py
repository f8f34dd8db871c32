"""What the tests of accounts share."""

import pytest
from django.db import connection

from shop.accounts.models import Address, User

PASSWORD = "correct horse"  # of every user that tests.factories makes
ADDRESS = {"name": "李雷", "phone": "138 0000-0000", "region": "上海", "detail": "长路 1 号"}


@pytest.fixture
def address(shopper: User) -> Address:
    return Address.objects.create(user=shopper, is_default=True, **ADDRESS)


@pytest.fixture
def threads(transactional_db: None) -> None:
    """For tests with threads of their own, each with its connection to the same database.

    A SQLite database in memory is shared between connections without waiting for each other.
    """
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("SQLite in memory does not wait for another connection")
