"""An operator runs a flash sale in a browser while a shopper buys in another."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone
from playwright.sync_api import expect

from goods.sales.models import FlashSale
from orders.models import Order
from orders.payments.refunding import refunds_execute
from shop.forms import MINUTES
from shop.pools.audit import audit
from tests.factories import (
    make_goods,
    make_sale,
    make_shipping,
    make_sku,
    make_user,
    pay_from_wallet,
    place,
    top_up,
)
from tests.kit.browser import deafen
from tests.kit.desk import page_of
from tests.kit.marks import once
from tests.kit.wallets import balance

pytestmark = [once, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def sku(transactional_db):
    make_shipping()
    return make_sku(goods=make_goods("龙井", title_en="Longjing"), stock=10, price_fen=12_800)


def schedule(page, sku):
    """From the SKU's row to the page of a sale of one unit that has begun."""
    page.get_by_role("link", name="flash sale", exact=True).click()
    assert page.get_by_label("SKU code").input_value() == sku.code
    page.get_by_label("Sale price (fen)").fill("9900")
    page.get_by_label("Allotment").fill("1")
    begun = timezone.localtime() - timedelta(minutes=2)
    page.get_by_label("Starts at").fill(begun.strftime(MINUTES))
    page.get_by_label("Ends at").fill((begun + timedelta(hours=1)).strftime(MINUTES))
    page.get_by_label("Placement").select_option("direct")
    page.get_by_role("button", name="Schedule a flash sale").click()
    expect(page.get_by_text("running", exact=True)).to_be_visible()
    return FlashSale.objects.get()


def step(page, name, **fields):
    """Takes a step of the fact whose page is shown, and comes back to it."""
    page.get_by_role("link", name=name, exact=True).click()
    for label, value in fields.items():
        page.get_by_label(label).fill(value)
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1).filter(has_text=name)).to_have_count(0)


def buy(page):
    page.get_by_role("button", name="Buy now").click()


def test_a_sale_is_run_while_shoppers_buy(console, visit, operator, buyer, sku):
    desk = console(operator).page("/admin/goods/sku/")
    sale = schedule(desk, sku)
    shop = visit(buyer).tab(f"/sales/{sale.pk}")

    # The shopper's page does not hear of it in time, and still has its button.
    deafen(shop, f"**/api/v1/flash-sales/{sale.pk}")
    step(desk, "Pause")
    buy(shop)
    expect(shop.locator(".outcome")).to_contain_text("paused")
    shop.unroute(f"**/api/v1/flash-sales/{sale.pk}")
    step(desk, "Resume")
    buy(shop)
    expect(shop.get_by_role("heading", level=1)).to_have_text("Order")

    late = make_user("late")
    other = visit(late).tab(f"/sales/{sale.pk}")
    expect(other.get_by_text("Sold out").first).to_be_visible()
    step(desk, "Add units", Units="2")
    other.reload()
    expect(other.get_by_role("button", name="Buy now")).to_be_enabled()
    step(desk, "End")
    other.reload()
    expect(other.get_by_text("Over").first).to_be_visible()

    order = Order.objects.get()
    assert (order.user_id, order.total_fen) == (buyer.pk, 9_900)
    sku.pool.refresh_from_db()
    assert sku.pool.available == 9
    assert audit().ok


def test_a_paid_order_is_refunded_and_its_unit_is_for_sale_again(console, operator, buyer, sku):
    top_up(buyer, 50_000)
    order = place(buyer, {sku: 1})
    pay_from_wallet(buyer, order)
    desk = console(operator).page(page_of(order))

    step(desk, "Refund", Reason="the tin was dented")
    refunds_execute()

    desk.reload()
    expect(desk.get_by_text("refunded", exact=True).first).to_be_visible()
    sku.pool.refresh_from_db()
    assert sku.pool.available == 10
    assert balance(buyer) == 50_000
    assert audit().ok


def test_who_may_only_look_sees_no_way_to_do_anything(console, buyer, sku):
    order = place(buyer, {sku: 1})
    sale = make_sale(sku=sku, total=1)
    looker = make_user("looker", is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    desk = console(looker).page(page_of(order))

    for row in (order, sale):
        desk.goto(desk.url.partition("/admin/")[0] + page_of(row))
        expect(desk.get_by_text(str(row)).first).to_be_visible()
        expect(desk.locator("#content form button[type=submit]")).to_have_count(0)
        for step_name in ("Pause", "End", "Add units", "Refund", "Accept", "Ship"):
            expect(desk.get_by_role("link", name=step_name, exact=True)).to_have_count(0)
