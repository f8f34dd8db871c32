"""What the tests of coupons share."""

import pytest

from shop.accounts.models import User
from tests.factories import make_user


@pytest.fixture
def operator(db: None) -> User:
    return make_user("operator", is_staff=True, is_superuser=True)
