"""What the tests of accounts share."""

import pytest

from shop.accounts.models import Address, User

PASSWORD = "correct horse"  # of every user that tests.factories makes
ADDRESS = {"name": "李雷", "phone": "138 0000-0000", "region": "上海", "detail": "长路 1 号"}


@pytest.fixture
def address(shopper: User) -> Address:
    return Address.objects.create(user=shopper, is_default=True, **ADDRESS)
