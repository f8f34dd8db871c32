"""What the tests of the goods pages share."""

import pytest
from django.contrib.auth.models import Permission

from tests.factories import make_user


@pytest.fixture
def operator():
    return make_user("operator", is_staff=True, is_superuser=True)


@pytest.fixture
def desk(client, operator):
    """The browser of an operator who may do everything."""
    client.force_login(operator)
    return client


@pytest.fixture
def desk_of(client):
    """The browser of an operator with these permissions only."""

    def browser(*codenames):
        clerk = make_user(is_staff=True)
        clerk.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client.force_login(clerk)
        return client

    return browser
