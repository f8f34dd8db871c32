"""What coupons promise: silent about coupons in order, exact about the row that breaks it."""

from dataclasses import dataclass

import pytest

from orders import lifecycle
from orders.coupons.models import Coupon, IssuedCoupon
from orders.models import Order
from shop.accounts.models import User
from shop.pools.audit import audit
from tests.factories import make_sku, make_user, place
from tests.kit.coupons import claim, make_coupon, place_with
from tests.pools.planting import MOVEMENT, plant

pytestmark = [pytest.mark.django_db]


@dataclass(frozen=True, slots=True)
class CouponShop:
    """300 fen off from 1,000 fen on, ten of them: one free, one used by an order of two SKUs, one
    that came back from an order that was cancelled; and an order without."""

    user: User
    coupon: Coupon
    free: IssuedCoupon
    used: IssuedCoupon
    back: IssuedCoupon
    order: Order
    cancelled: Order
    plain: Order

    def columns(self) -> dict[str, object]:
        """What the planted SQL may name."""
        return {
            "coupon": self.coupon.pk,
            "pool": self.coupon.pool_id,
            "other": make_user().pk,
            "free": self.free.pk,
            "used": self.used.pk,
            "back": self.back.pk,
            "order": self.order.pk,
            "cancelled": self.cancelled.pk,
            "plain": self.plain.pk,
        }


@pytest.fixture
def shop(shopper: User) -> CouponShop:
    tea, pot = make_sku(price_fen=1000), make_sku(price_fen=500)
    coupon = make_coupon(off_fen=300, minimum_fen=1000, per_user_limit=3)
    free, used, back = (claim(shopper, coupon) for _ in range(3))
    order = place_with(shopper, {tea: 2, pot: 2}, used)
    cancelled = place_with(shopper, {tea: 1}, back)
    lifecycle.order_cancel(user=shopper, order_no=cancelled.order_no)
    return CouponShop(shopper, coupon, free, used, back, order, cancelled, place(shopper, {tea: 1}))


def test_coupons_in_order_keep_every_promise(shop: CouponShop) -> None:
    report = audit()
    assert report.broken == {}
    assert report.figures(7)["discounted_orders"] == 2
    assert report.figures(7)["discounts_fen"] == 600


ISSUED = "UPDATE coupons_issuedcoupon SET"
ORDER = "UPDATE orders_order SET"
FREED = "status = 'issued', order_id = NULL, used_at = NULL"


@pytest.mark.parametrize(
    ("spoil", "number", "words"),
    [
        # An issue that the pool does not have, and one that the ledger does not tell of.
        (["UPDATE coupons_coupon SET total = 11 WHERE id = {coupon}"], 1, "11 were issued"),
        (
            ["UPDATE pools_pool SET available = 8 WHERE id = {pool}"],
            1,
            "by its ledger 7 and 3",
        ),
        # A piece out of nothing, and one gone.
        (
            [
                "INSERT INTO coupons_issuedcoupon (user_id, idempotency_route, idempotency_key,"
                " request_hash, first_status, coupon_no, coupon_id, pool_id, status, claimed_at,"
                " valid_from, expires_at) SELECT {other}, 'x', 'x', '', 201, '1', coupon_id,"
                " pool_id, 'issued', claimed_at, valid_from, expires_at"
                " FROM coupons_issuedcoupon WHERE id = {free}"
            ],
            1,
            "which no movement tells of",
        ),
        (["DELETE FROM coupons_issuedcoupon WHERE id = {free}"], 1, "take of 1, held as 0"),
        ([MOVEMENT % ("{pool}", "take", -1, "nobody")], 1, "held as 0"),
        ([f"{ISSUED} user_id = {{other}} WHERE id = {{free}}"], 3, "is counted with"),
        # Used without an order, by one that is dead, by one that names another; free though an
        # order lives.
        ([f"{ISSUED} status = 'used' WHERE id = {{free}}"], 8, "is used by order none"),
        (
            [f"{ISSUED} status = 'used', order_id = {{cancelled}} WHERE id = {{back}}"],
            8,
            "which is cancelled",
        ),
        (
            [f"{ISSUED} status = 'used', order_id = {{plain}} WHERE id = {{free}}"],
            8,
            "and names None",
        ),
        ([f"{ISSUED} {FREED} WHERE id = {{used}}"], 8, "which order None has"),
        ([f"{ISSUED} user_id = {{other}} WHERE id = {{used}}"], 8, "is used by order"),
        # A discount that no coupon gives, another than it gives, or spread another way.
        (
            [f"{ORDER} discount_fen = 300, total_fen = 700 WHERE id = {{plain}}"],
            7,
            "300 fen are off without a coupon",
        ),
        (
            [f"{ORDER} discount_fen = 301, total_fen = total_fen - 1 WHERE id = {{order}}"],
            7,
            "its coupon gives",
        ),
        (
            [f"{ORDER} breakdown = REPLACE(breakdown, '200', '201') WHERE id = {{order}}"],
            7,
            "its coupon gives",
        ),
        (
            [f"{ORDER} breakdown = REPLACE(breakdown, 'true', 'false') WHERE id = {{order}}"],
            7,
            "its coupon gives nothing",
        ),
        (
            [f"{ORDER} breakdown = REPLACE(breakdown, '300', '299') WHERE id = {{order}}"],
            7,
            "are not its coupon's",
        ),
        (["UPDATE coupons_coupon SET off_fen = 299 WHERE id = {coupon}"], 7, "not its coupon's"),
        ([f"{ORDER} breakdown = '{{{{}}}}' WHERE id = {{order}}"], 7, "can't be read"),
    ],
)
def test_the_row_that_breaks_a_promise_is_named(
    shop: CouponShop, spoil: list[str], number: int, words: str
) -> None:
    plant(*spoil, shop=shop)
    broken = audit().broken
    assert number in broken
    assert words in " ".join(broken[number])
