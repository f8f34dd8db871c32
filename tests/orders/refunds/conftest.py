"""What the tests of refunds share."""

import pytest

from goods.models import Sku
from tests.factories import make_sku


@pytest.fixture
def tea(db: None) -> Sku:
    return make_sku(stock=10, price_fen=1000)


@pytest.fixture
def pot(db: None) -> Sku:
    return make_sku(stock=5, price_fen=3000)
