"""Tables are empty again after a test that commits, and what stands in them always stands."""

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType

from shop.accounts.models import User
from shop.pools.models import Pool, PoolUser
from tests.factories import make_sku, make_user
from tests.kit import tables

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often Django's own way was gone; and what stands now has always stood."""
    monkeypatch.setitem(tables._standing, "default", tables._filled("default"))
    return []


def empty(flushed: list[str]) -> None:
    tables._empty("default", flush=lambda: flushed.append("flushed"))


def test_what_a_test_has_written_is_gone_and_what_stood_there_stays(flushed: list[str]) -> None:
    standing = (ContentType.objects.count(), Permission.objects.count())
    PoolUser.objects.create(pool=make_sku(stock=3).pool, user=make_user(), taken=1)

    empty(flushed)

    for model in (User, Pool, PoolUser):
        assert not model.objects.exists()
    assert (ContentType.objects.count(), Permission.objects.count()) == standing
    assert min(standing) > 0
    assert flushed == []


def test_whoever_changes_what_stood_there_has_all_of_it_made_anew(flushed: list[str]) -> None:
    kind = ContentType.objects.create(app_label="tests", model="one more")
    empty(flushed)
    assert flushed == ["flushed"]

    kind.delete()
    Permission.objects.latest("pk").delete()
    empty(flushed)

    # As it was found is how it stands from then on.
    empty(flushed)
    assert flushed == ["flushed"] * 2
