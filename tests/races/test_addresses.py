"""A shopper's addresses, where the database's answer is lost: done once, and said to be done."""

import pytest
from django.db import connection

from shop.accounts.models import Address
from shop.accounts.services import address_create, address_delete
from tests.accounts.conftest import ADDRESS
from tests.factories import make_address, make_user
from tests.kit.marks import on_mariadb
from tests.kit.proxy import Proxy, database_through

pytestmark = on_mariadb


@pytest.fixture
def unanswered():
    """The next COMMIT of this thread arrives, and its answer does not."""
    settings = connection.settings_dict
    with (
        Proxy(host=settings["HOST"], port=int(settings["PORT"])) as proxy,
        database_through(proxy),
    ):
        proxy.swallow_commit_answers()
        yield
        assert proxy.commits_to_swallow == 0


def test_an_address_whose_commit_is_not_answered_is_there_once(unanswered):
    shopper = make_user()

    made = address_create(user=shopper, text=ADDRESS, is_default=False)

    assert Address.objects.get() == made
    assert Address.objects.get().is_default


def test_an_address_whose_deletion_is_not_answered_is_gone(unanswered):
    address = make_address(make_user())

    address_delete(user=address.user, address_id=address.pk)

    assert not Address.objects.exists()
