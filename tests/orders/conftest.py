"""What the tests of sale orders share."""

import pytest

from shop.accounts.models import User
from shop.pools.models import Placement
from tests.factories import make_user
from tests.kit.doors import Door


@pytest.fixture(params=["front", "view"])
def door(request: pytest.FixtureRequest) -> Door:
    return Door(front=request.param == "front")


@pytest.fixture(params=["direct", "queued"])
def placement(request: pytest.FixtureRequest) -> Placement:
    return Placement(request.param)


@pytest.fixture
def operator(db: None) -> User:
    return make_user("operator", is_staff=True)
