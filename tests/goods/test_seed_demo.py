"""`seed_demo`: a small believable shop, and nothing more when it is run again."""

import io

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.management import CommandError, call_command
from django.db.models import Sum

from goods.models import Category, Goods, GoodsImage, Sku
from orders.models import ShippingMethod
from shop.accounts.models import Address, User
from shop.demo import OPERATOR, SHOPPER
from shop.pools.models import Pool, PoolMovement

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.SANDBOX_PAYMENTS = True


def seed(**options):
    out = io.StringIO()
    call_command("seed_demo", stdout=out, stderr=out, **options)
    return out.getvalue()


def everything():
    """All rows that the demo may write, as they are."""
    models = (User, Address, Category, Goods, GoodsImage, Sku, Pool, PoolMovement, ShippingMethod)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_it_makes_a_shop_with_logins_goods_stock_pictures_and_freight(api):
    printed = seed()

    assert printed.endswith("The demo is in place.\n")
    assert authenticate(username=SHOPPER[0], password=SHOPPER[1]).addresses.get().is_default
    assert authenticate(username=OPERATOR[0], password=OPERATOR[1]).is_staff
    assert (Category.objects.count(), Goods.objects.count(), Sku.objects.count()) == (4, 12, 18)
    assert ShippingMethod.objects.values_list("fee_fen", "free_above_fen").first() == (800, 9900)
    shown = api.get("/api/v1/goods?page_size=100").json()
    assert shown["count"] == 12
    assert all(goods["images"] and goods["skus"] for goods in shown["results"])
    assert all(sku["available"] > 0 for goods in shown["results"] for sku in goods["skus"])


def test_its_units_stand_in_the_ledger():
    seed()

    for pool in Pool.objects.annotate(loaded=Sum("movements__delta")):
        assert pool.available == pool.loaded


def test_its_passwords_are_ones_the_shop_would_accept():
    for username, password in (SHOPPER, OPERATOR):
        validate_password(password, User(username=username))


def test_running_it_again_changes_nothing():
    seed()
    before = everything()

    assert seed() == "The demo was there already.\n"

    assert everything() == before


def test_it_changes_nothing_that_an_operator_has_edited():
    seed()
    Category.objects.update(title="新")
    Goods.objects.update(title="新", on_shelf=False)
    ShippingMethod.objects.update(name="新")
    User.objects.get(username=SHOPPER[0]).addresses.all().delete()
    before = everything()

    seed()

    assert everything() == before


def test_it_seeds_no_shop_that_takes_real_money(settings):
    settings.SANDBOX_PAYMENTS = False

    with pytest.raises(CommandError, match="--force"):
        seed()

    assert not User.objects.exists()
    seed(force=True)
    assert User.objects.count() == 2


def test_it_adds_skus_for_load_tests_until_there_are_as_many():
    seed(skus=10)
    assert "+ 10 SKUs" not in seed(skus=10)

    seed(skus=13)

    extra = Sku.objects.filter(code__startswith="LOAD-").select_related("pool", "goods")
    assert sorted(int(sku.code.removeprefix("LOAD-")) for sku in extra) == list(range(13))
    assert {sku.stock for sku in extra} == {1000}
    assert Category.objects.filter(title_en="Load test").count() == 1
    for goods in Goods.objects.filter(category__title_en="Load test"):
        assert goods.min_price_fen == min(sku.price_fen for sku in goods.skus.all())
