"""`seed_demo`: a small believable shop, and nothing more when it is run again."""

import io

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.management import CommandError, call_command
from django.db.models import Sum

from goods.models import Category, Goods, GoodsImage, Sku
from lottery.closing import period_cancel
from lottery.models import Period
from lottery.packets.models import Packet
from orders.models import Order, ShippingMethod
from shop.accounts.models import Address, User
from shop.demo import OPERATOR, SHOPPER
from shop.demo.period import NEARLY_OVER, WHOLE
from shop.pools.audit import audit
from shop.pools.models import Pool, PoolMovement
from shop.wallet.models import Account, Currency, Posting, Transaction
from shop.wallet.selectors import balances_of
from tests.kit.periods import draw, settle

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
    models = (
        *(User, Address, Category, Goods, GoodsImage, Sku, Pool, PoolMovement, ShippingMethod),
        *(Period, Posting),
    )
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
    assert User.objects.filter(username__in=[SHOPPER[0], OPERATOR[0]]).count() == 2


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


# --- the lottery


def the_whole_one():
    """The period that a newcomer can buy all of."""
    return Period.objects.get(reference=WHOLE.reference)


def shopper_of_the_demo():
    return User.objects.get(username=SHOPPER[0])


def buy(login, period):
    return login(shopper_of_the_demo()).post(
        f"/api/v1/lottery/periods/{period.pk}/entries",
        {"shares": 10, "allow_partial": True},
        headers={"idempotency-key": f"buy-{period.pk}"},
    )


def test_a_newcomer_sells_a_period_out_and_sees_it_drawn(login, api):
    assert "  + lottery period" in seed()
    period = the_whole_one()
    shown = api.get(f"/api/v1/lottery/periods/{period.pk}").json()
    assert (shown["status"], shown["total_shares"], shown["share_price"]) == ("open", 10, 10)
    assert shown["prize"]["image"]

    bought = buy(login, period)
    settle(period)
    drawn = draw(period)

    assert bought.status_code == 202
    assert drawn.winner.user == shopper_of_the_demo()
    assert Order.objects.get().kind == "prize"
    assert balances_of(shopper_of_the_demo())[Currency.POINTS] == 9_900
    proof = api.get(f"/api/v1/lottery/periods/{period.pk}/proof").json()
    assert proof["number"] == drawn.number
    following = Period.objects.get(previous=drawn)
    assert (following.serial, following.status) == (2, "open")
    assert audit().broken == {}


def test_the_last_shares_of_the_other_period_are_left_and_players_have_the_rest(login, api):
    assert "7 of 30 shares left" in seed()
    period = Period.objects.get(reference=NEARLY_OVER.reference)
    shown = api.get(f"/api/v1/lottery/periods/{period.pk}").json()
    assert (shown["sold_shares"], shown["total_shares"]) == (23, 30)
    assert shown["prize"]["image"]
    assert period.pk > the_whole_one().pk

    buy(login, period)
    settle(period)
    drawn = draw(period)

    names = [entry.user.username for entry in period.entries.all()]
    assert sorted(names) == ["demo", "player-1", "player-2", "player-3", "player-4"]
    assert drawn.winner.user.username in names
    players = User.objects.filter(username__startswith="player-")
    assert {balances_of(player)[Currency.POINTS] for player in players} == {0}
    assert audit().broken == {}


def test_what_was_played_with_is_not_seeded_again(login):
    seed()
    period = the_whole_one()
    buy(login, period)
    settle(period)
    draw(period)
    before = everything()

    assert seed() == "The demo was there already.\n"

    assert everything() == before


def test_a_period_that_an_operator_has_cancelled_stays_so():
    seed()
    period_cancel(the_whole_one(), operator=User.objects.get(username=OPERATOR[0]))

    seed()

    assert the_whole_one().status == "cancelled"


def test_a_shopper_who_was_there_before_there_were_points_gets_them():
    seed()
    for model in (Posting, Transaction, Account):
        model.objects.all().delete()

    seed()

    assert balances_of(shopper_of_the_demo())[Currency.POINTS] == 10_000


# --- the red packet


def test_a_newcomer_takes_the_last_part_of_a_packet_and_all_parts_are_its_total(login):
    assert "  + red packet" in seed()
    packet = Packet.objects.get()
    shopper = login(shopper_of_the_demo())

    grabbed = shopper.post(f"/api/v1/red-packets/{packet.public_id}/grab").json()
    seen = shopper.get(f"/api/v1/red-packets/{packet.public_id}").json()

    assert (seen["status"], seen["grabbed_count"]) == ("finished", 10)
    assert sum(grab["amount_fen"] for grab in seen["grabs"]) == packet.total_fen
    assert seen["mine"]["amount_fen"] == grabbed["amount_fen"] >= 1
    assert audit().broken == {}


def test_a_packet_that_is_taken_is_followed_by_another(login):
    seed()
    first = Packet.objects.get()
    login(shopper_of_the_demo()).post(f"/api/v1/red-packets/{first.public_id}/grab")

    assert "  + red packet" in seed()

    assert Packet.objects.count() == 2
    assert "red packet" not in seed()
