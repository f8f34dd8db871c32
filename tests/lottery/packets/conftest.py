"""What the tests of red packets share."""

import pytest
from pytest_django.fixtures import Settings

from shop.pools.models import Placement


@pytest.fixture(params=["direct", "queued"])
def placement(request: pytest.FixtureRequest, settings: Settings) -> Placement:
    """Packets are sent like this."""
    settings.RED_PACKET_PLACEMENT = request.param
    return Placement(request.param)
