"""A coupon in a browser: claimed, chosen in the cart, seen to come off, and gone."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from playwright.sync_api import expect

from orders.coupons.models import Coupon, IssuedCoupon
from orders.models import Order
from tests.factories import make_goods, make_shipping, make_sku, make_user
from tests.kit.coupons import claim, make_coupon
from tests.kit.marks import once

pytestmark = [once, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def sku(transactional_db):
    make_shipping(fee_fen=800)
    return make_sku(goods=make_goods("龙井", title_en="Longjing"), stock=5, price_fen=4_000)


def in_the_cart(page, sku):
    """The cart, with one more of it."""
    page.evaluate("id => { location.hash = `#/goods/${id}` }", sku.goods_id)
    page.get_by_role("button", name="Add to cart").click()
    expect(page.get_by_role("status").filter(has_text="It is in your cart")).to_be_visible()
    page.get_by_role("navigation").get_by_role("link", name="Cart").click()
    expect(page.locator(".sums .all")).to_contain_text("¥48.00")


def test_a_coupon_is_claimed_and_comes_off_an_order(visit, buyer, sku):
    make_coupon(off_fen=1_000, minimum_fen=2_000, total=1, title_en="Welcome")
    page = visit(buyer).tab("/coupons")
    offered = page.get_by_role("listitem").filter(has_text="1 of 1 left")
    expect(offered).to_contain_text("Welcome ¥10.00 off, from ¥20.00")

    page.get_by_role("button", name="Claim it: Welcome").click()
    expect(page.locator(".mine li")).to_contain_text("To use")
    expect(page.get_by_role("main")).to_contain_text("All claimed")
    expect(page.get_by_role("button", name="Claim it")).to_have_count(0)

    in_the_cart(page, sku)
    page.get_by_label("Coupon").select_option(label="Welcome: ¥10.00 off, from ¥20.00")
    expect(page.locator(".sums")).to_contain_text("Discount¥-10.00")
    expect(page.locator(".sums .all")).to_contain_text("¥38.00")
    page.get_by_role("button", name="Place the order").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Order")

    order = Order.objects.get()
    assert (order.discount_fen, order.total_fen) == (1_000, 3_800)
    expect(page.locator(".sums")).to_contain_text("Discount¥-10.00")
    page.evaluate("location.hash = '#/coupons'")
    expect(page.locator(".mine li")).to_contain_text("Used")
    page.get_by_role("link", name="Its order").click()
    expect(page.get_by_role("main")).to_contain_text(order.order_no)


def test_a_coupon_that_does_not_fit_is_said_to_and_nothing_is_ordered(visit, buyer, sku):
    coupon = make_coupon(off_fen=1_000, minimum_fen=50_000, title_en="Great")
    claim(buyer, coupon)
    page = visit(buyer).tab("/")
    in_the_cart(page, sku)

    page.get_by_label("Coupon").select_option(index=1)
    expect(page.locator(".total")).to_have_text("This coupon can't be used for that.")
    page.get_by_role("button", name="Place the order").click()

    expect(page.get_by_role("status").filter(has_text="This coupon can't be used")).to_be_visible()
    assert not Order.objects.exists()
    assert IssuedCoupon.objects.get().status == "issued"


def test_what_is_gone_before_the_press_is_said_and_what_begins_offers_its_button(visit, buyer):
    coupon = make_coupon(total=1, title_en="Rare")
    coming = make_coupon(title_en="Coming", starts_at=timezone.now() + timedelta(minutes=30))
    browser = visit(buyer)
    browser.context.clock.install()
    page = browser.tab("/coupons")
    press = page.get_by_role("button", name="Claim it: Rare")
    expect(press).to_be_visible()
    claim(make_user("quicker"), coupon)

    press.click()

    expect(page.get_by_role("status").filter(has_text="Sold out.")).to_be_visible()
    Coupon.objects.filter(pk=coming.pk).update(starts_at=Now())
    page.clock.fast_forward("30:01")
    expect(page.get_by_role("button", name=f"Claim it: {coming.title_en}")).to_be_visible()
    assert not IssuedCoupon.objects.filter(user=buyer).exists()


def test_whoever_is_not_logged_in_sees_what_there_is_and_is_asked_who_they_are(visit, sku):
    make_coupon(kind="freight", title_en="Post")
    make_coupon(kind="percent", percent=15, most_fen=3_000, title_en="Part")
    page = visit().tab("/coupons")
    expect(page.get_by_role("main")).to_contain_text("Post free delivery")
    expect(page.get_by_role("main")).to_contain_text("Part 15 % off, at most ¥30.00")

    page.get_by_role("button", name="Claim it: Post").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
