"""What the tests of red packets share."""

import pytest
from pytest_django.fixtures import Settings

from lottery.packets import over
from shop.pools.models import Placement


@pytest.fixture(autouse=True)
def _remembers_nothing() -> None:
    over.forget()


@pytest.fixture(params=["direct", "queued"])
def placement(request: pytest.FixtureRequest, settings: Settings) -> Placement:
    """Packets are sent like this."""
    settings.RED_PACKET_PLACEMENT = request.param
    return Placement(request.param)
