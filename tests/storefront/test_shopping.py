"""From the shelf to a paid order, in a browser."""

import re
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from playwright.sync_api import expect
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken

from orders.models import Order
from tests.factories import make_goods, make_shipping, make_sku, top_up
from tests.kit.marks import once

pytestmark = [once, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def sku(transactional_db):
    make_shipping()
    return make_sku(goods=make_goods("龙井", title_en="Longjing"), stock=5, price_fen=12_800)


def in_the_cart(page):
    """From the goods' page to the cart that holds one of them."""
    page.get_by_role("button", name="Add to cart").click()
    expect(page.get_by_role("status").filter(has_text="It is in your cart")).to_be_visible()
    page.get_by_role("link", name="Cart").click()
    expect(page.locator(".sums .all")).to_contain_text("¥136.00")


def ordered(page):
    """From the goods' page to the page of an order of two."""
    in_the_cart(page)
    page.get_by_role("button", name="One more").click()
    expect(page.locator(".sums .all")).to_contain_text("¥264.00")
    page.get_by_role("button", name="Place the order").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Order")


@pytest.mark.parametrize("way", ["wallet", "sandbox"])
def test_goods_become_a_paid_order(visit, buyer, sku, way):
    top_up(buyer, 50_000)
    page = visit(buyer).tab(f"/goods/{sku.goods_id}")

    ordered(page)
    page.get_by_role("button", name=re.compile(f"Pay .* {way}")).click()

    expect(page.locator(".state .badge")).to_have_text("Paid")
    [order] = Order.objects.all()
    assert (order.status, order.total_fen) == ("paid", 26_400)


def test_an_order_is_cancelled(visit, buyer, sku):
    page = visit(buyer).tab(f"/goods/{sku.goods_id}")
    ordered(page)

    page.get_by_role("button", name="Cancel the order").click()

    expect(page.locator(".state .badge")).to_have_text("Cancelled")
    assert Order.objects.get().status == "cancelled"


def test_an_order_expires_before_the_eyes_of_its_shopper(visit, buyer, sku):
    page = visit(buyer).tab(f"/goods/{sku.goods_id}")
    ordered(page)

    Order.objects.update(expires_at=Now() + timedelta(seconds=1))
    page.reload()

    expect(page.locator(".state .badge")).to_have_text("Expired")
    expect(page.get_by_role("button", name="Cancel the order")).to_have_count(0)


def test_a_total_that_has_changed_is_not_ordered(visit, buyer, sku):
    page = visit(buyer).tab(f"/goods/{sku.goods_id}")
    in_the_cart(page)

    sku.price_fen = 12_900
    sku.save(update_fields=["price_fen"])
    page.get_by_role("button", name="Place the order").click()

    expect(page.get_by_role("status").filter(has_text="The total has changed")).to_be_visible()
    expect(page.locator(".sums .all")).to_contain_text("¥137.00")
    assert not Order.objects.exists()


def test_whoever_is_new_registers_on_the_way_and_later_logs_in(visit):
    page = visit().tab("/cart")

    def say_who(form):
        form.get_by_label("User name").fill("newcomer")
        form.get_by_label("Password").fill("something-long-7")
        form.get_by_role("button").click()
        expect(page.locator("header .who")).to_have_text("newcomer")

    say_who(page.locator("#register"))
    expect(page.get_by_role("main")).to_contain_text("Your cart is empty.")
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("navigation").get_by_role("link", name="Goods").click()
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Goods")
    page.get_by_role("link", name="Log in").click()
    expect(heading).to_have_text("Log in")
    say_who(page.locator("#log-in"))

    expect(heading).to_have_text("Goods")


def test_tabs_whose_token_is_too_old_renew_it_once_for_all(visit, buyer):
    browser = visit(buyer)
    browser.tab("/").evaluate(
        "() => { const session = JSON.parse(localStorage['scarce/session']);"
        " session.access = 'not.a.token';"
        " localStorage['scarce/session'] = JSON.stringify(session); }"
    )

    tabs = [browser.context.new_page() for _ in range(3)]
    for tab in tabs:
        tab.goto(f"{browser.url}/#/orders", wait_until="commit")

    for tab in tabs:
        expect(tab.get_by_role("main")).to_contain_text("You have not ordered anything yet.")
    assert BlacklistedToken.objects.filter(token__user=buyer).count() == 1
