"""Coupons over HTTP, by the contract: what is shown, to whom, and what is refused how."""

from datetime import timedelta

import pytest
from django.utils import timezone

from orders.coupons.models import IssuedCoupon
from orders.coupons.services import coupon_stop
from orders.models import Order
from shop.forms import new_reference
from shop.pools.audit import audit
from tests.factories import make_address, make_shipping, make_sku, make_user
from tests.kit.coupons import claim, make_coupon, place_with

pytestmark = [pytest.mark.django_db]

V1 = "/api/v1"
CLAIM = V1 + "/coupons/{}/claim"


@pytest.fixture
def client(login, shopper):
    return login(shopper)


@pytest.fixture
def tea():
    return make_sku(price_fen=1000)


@pytest.fixture
def address(shopper):
    return make_address(shopper)


def post(client, path, body=None, *, key="k"):
    return client.post(path, body or {}, headers={"Idempotency-Key": key})


def test_coupons_on_offer_are_public_and_in_the_readers_language(api, operator):
    now = timezone.now()
    open_ = make_coupon(total=2, title="满减", title_en="Off", minimum_fen=500)
    claim(make_user(), open_)
    later = make_coupon(starts_at=now + timedelta(minutes=1))
    gone = make_coupon(total=1)
    claim(make_user(), gone)
    make_coupon(starts_at=now - timedelta(days=2), ends_at=now - timedelta(days=1))
    coupon_stop(make_coupon(), operator=operator)

    shown = api.get(f"{V1}/coupons", headers={"Accept-Language": "en"}).json()

    assert [(row["id"], row["status"]) for row in shown["results"]] == [
        (gone.pk, "sold_out"),
        (later.pk, "scheduled"),
        (open_.pk, "open"),
    ]
    assert "server_time" in shown
    row = shown["results"][-1]
    assert row.pop("server_time") and row.pop("starts_at") and row.pop("ends_at")
    assert row == {
        "id": open_.pk,
        "title": "Off",
        "kind": "amount",
        "off_fen": 100,
        "percent": 0,
        "most_fen": None,
        "minimum_fen": 500,
        "scope": "all",
        "category": None,
        "skus": None,
        "use_from": None,
        "use_until": None,
        "use_days": 30,
        "per_user_limit": 1,
        "total": 2,
        "remaining": 1,
        "status": "open",
    }
    assert api.get(f"{V1}/coupons").json()["results"][-1]["title"] == "满减"


def test_a_claim_is_answered_and_repeated_by_its_key(client, shopper):
    coupon = make_coupon()
    first = post(client, CLAIM.format(coupon.pk))
    again = post(client, CLAIM.format(coupon.pk))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.json()["id"] == again.json()["id"] == IssuedCoupon.objects.get().pk
    assert first.json()["status"] == "issued"
    assert first.json()["coupon"]["id"] == coupon.pk
    reused = post(client, CLAIM.format(make_coupon().pk))
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")


def test_a_claim_is_refused_by_the_contract(client, api, operator):
    coupon, stopped, few = make_coupon(), make_coupon(), make_coupon(total=1)
    coupon_stop(stopped, operator=operator)
    claim(make_user(), few)
    early = make_coupon(starts_at=timezone.now() + timedelta(minutes=1))
    post(client, CLAIM.format(coupon.pk), key="first")
    refusals = {
        (coupon.pk, "second"): (409, "purchase_limit"),
        (stopped.pk, "k"): (409, "ended"),
        (few.pk, "k"): (409, "sold_out"),
        (early.pk, "k"): (409, "not_started"),
        (10**9, "k"): (404, "not_found"),
    }
    for (coupon_id, key), expected in refusals.items():
        answer = post(client, CLAIM.format(coupon_id), key=key)
        assert (answer.status_code, answer.json()["code"]) == expected
    keyless = client.post(CLAIM.format(coupon.pk), {})
    assert keyless.json()["code"] == "idempotency_key_required"
    assert post(api, CLAIM.format(coupon.pk)).status_code == 401
    assert api.get(f"{V1}/me/coupons").status_code == 401


def test_my_coupons_are_mine_and_stand_as_they_do_now(client, shopper, tea):
    free, used, expired = (claim(shopper, make_coupon()) for _ in range(3))
    claim(make_user(), make_coupon())
    order = place_with(shopper, {tea: 1}, used)
    IssuedCoupon.objects.filter(pk=expired.pk).update(expires_at=expired.claimed_at)

    def mine(query=""):
        rows = client.get(f"{V1}/me/coupons{query}").json()["results"]
        return [(row["id"], row["status"], row["order_no"]) for row in rows]

    assert mine() == [
        (expired.pk, "expired", None),
        (used.pk, "used", order.order_no),
        (free.pk, "issued", None),
    ]
    for row in mine():
        assert mine(f"?status={row[1]}") == [row]
    assert client.get(f"{V1}/me/coupons?status=lost").status_code == 400


def test_a_quote_and_an_order_take_a_coupon(client, shopper, tea, address):
    make_shipping(fee_fen=800)
    issued = claim(shopper, make_coupon(kind="percent", percent=25, most_fen=10**6))
    body = {"items": [{"sku": tea.pk, "count": 3}], "address": address.pk, "coupon": issued.pk}
    quoted = client.post(f"{V1}/orders/quote", body).json()
    money = {"goods_fen": 3000, "freight_fen": 800, "discount_fen": 750, "total_fen": 3050}
    assert money.items() <= quoted.items()
    assert quoted["lines"][0]["discount_fen"] == 750
    placed = post(client, f"{V1}/orders", body | {"expected_total_fen": 3050})
    assert placed.status_code == 201
    assert (money | {"coupon": issued.pk}).items() <= placed.json().items()
    refused = post(client, f"{V1}/orders", body, key="other")
    assert (refused.status_code, refused.json()["code"]) == (409, "coupon_unusable")
    assert refused.json()["reason"] == "used"
    assert client.post(f"{V1}/orders/quote", body).status_code == 409
    assert audit().broken == {}


def test_another_shoppers_coupon_is_not_found(client, tea, address):
    issued = claim(make_user(), make_coupon())
    body = {"items": [{"sku": tea.pk, "count": 1}], "address": address.pk, "coupon": issued.pk}
    assert client.post(f"{V1}/orders/quote", body).status_code == 404
    assert post(client, f"{V1}/orders", body).status_code == 404
    assert not Order.objects.exists()


@pytest.mark.parametrize("coupons", [[1, 2], "1", 1.5, True, 0, None, {"id": 1}])
def test_one_coupon_is_one_id(client, tea, address, coupons):
    body = {"items": [{"sku": tea.pk, "count": 1}], "address": address.pk, "coupon": coupons}
    for path in ("orders/quote", "orders"):
        answer = post(client, f"{V1}/{path}", body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_what_a_body_says_of_discounts_is_not_looked_at(client, tea, address):
    body = {
        "items": [{"sku": tea.pk, "count": 1, "price_fen": 1, "discount_fen": 999}],
        "address": address.pk,
        "discount_fen": 999,
        "freight_fen": -5,
        "breakdown": {},
    }
    answer = post(client, f"{V1}/orders", body)
    if answer.status_code == 201:
        assert answer.json()["total_fen"] == 1000
    else:
        assert answer.status_code == 400


def test_freight_by_weight_and_region_is_in_the_quote_and_the_order(client, tea, address):
    type(tea).objects.filter(pk=tea.pk).update(grams=700)
    method = make_shipping(fee_fen=800)
    body = {"items": [{"sku": tea.pk, "count": 2}], "address": address.pk}

    def freight(**columns):
        type(method).objects.filter(pk=method.pk).update(**columns)
        quoted = client.post(f"{V1}/orders/quote", body).json()["freight_fen"]
        placed = post(client, f"{V1}/orders", body, key=new_reference()).json()["freight_fen"]
        assert quoted == placed
        return quoted

    by_weight = {"kind": "weight", "first_grams": 1000, "step_grams": 300, "step_fee_fen": 50}
    assert freight(**by_weight) == 800 + 2 * 50
    assert freight(kind="region", regions=[{"prefix": "shang hai", "fee_fen": 300}]) == 300
    assert freight(regions=[{"prefix": "浙江", "fee_fen": 300}]) == 800
