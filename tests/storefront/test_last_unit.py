"""The last units of a sale before the eyes of several shoppers: one order each, sold out in words,
and what is not paid in time goes to the next one."""

import re
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from playwright.sync_api import expect

from orders.lifecycle import orders_expire
from orders.models import Order
from orders.payments.models import Payment
from shop.pools.audit import audit
from tests.factories import make_sale, make_user, overdue, pay, place_in
from tests.kit.browser import deafen
from tests.kit.marks import once

pytestmark = [once, pytest.mark.django_db(transaction=True)]


def buy(page):
    return page.get_by_role("button", name="Buy now")


def state(page):
    return page.locator(".state .badge")


def test_two_tabs_get_one_order_and_its_unit_goes_to_the_next_when_it_expires(visit, buyer):
    sale = make_sale(total=2, placement="direct", per_user_limit=1)
    browser = visit(buyer)
    tabs = [browser.tab(f"/sales/{sale.pk}") for _ in range(2)]

    # Both are pressed before either is looked at.
    for tab in tabs:
        buy(tab).evaluate("button => button.click()")
    for tab in tabs:
        refused_or_not = tab.get_by_role("main").get_by_text("more than one shopper may buy")
        expect(refused_or_not.or_(state(tab))).to_be_visible()

    [order] = Order.objects.all()
    assert (order.status, order.user) == ("unpaid", buyer)
    [holder] = [tab for tab in tabs if tab.url.endswith(order.order_no)]
    place_in(sale, make_user("quicker"))

    late = visit(make_user("late")).tab(f"/sales/{sale.pk}")
    expect(late.locator(".badge").first).to_have_text("Sold out")
    expect(late.get_by_role("main")).to_contain_text("Unpaid orders may still expire")
    expect(buy(late)).to_have_count(0)

    Order.objects.filter(pk=order.pk).update(expires_at=Now())
    expect(holder.get_by_role("status").filter(has_text="not paid in time")).to_be_visible()
    expect(state(holder)).to_have_text("Expired")
    expect(holder.get_by_role("button", name="Pay from")).to_have_count(0)
    assert orders_expire() == 1

    buy(late).click()
    expect(state(late)).to_have_text("Not paid yet")
    assert Order.objects.filter(status="unpaid").count() == 2
    assert audit().broken == {}


def test_the_time_to_pay_is_the_shop_s_and_what_another_tab_did_is_seen(visit, buyer):
    order = place_in(make_sale(total=1, placement="direct"), buyer)
    Order.objects.update(expires_at=Now() + timedelta(minutes=40))
    browser = visit(buyer)
    browser.context.clock.install(time="2001-01-01T00:00:00Z")
    page, listed = browser.tab(f"/orders/{order.order_no}"), browser.tab("/orders")
    for tab in (page, listed):
        expect(tab.locator(".countdown")).to_have_text(re.compile("^(3[0-9]:[0-5][0-9]|40:00)$"))

    pay(buyer, order)

    expect(state(page)).to_have_text("Paid")
    expect(page.locator(".countdown")).to_have_count(0)


def test_an_order_that_expires_in_the_list_is_called_so_there(visit, buyer):
    order = place_in(make_sale(total=1, placement="direct"), buyer)
    browser = visit(buyer)
    browser.context.clock.install()
    page = browser.tab("/orders")
    expect(page.locator(".card .badge")).to_have_text("Not paid yet")

    overdue(order)
    page.clock.fast_forward(301_000)

    expect(page.locator(".card .badge")).to_have_text("Expired")
    expect(page.locator(".countdown")).to_have_count(0)


def test_a_payment_that_comes_too_late_is_refused_in_words(visit, buyer):
    order = place_in(make_sale(total=1, placement="direct"), buyer)
    page = visit(buyer).tab(f"/orders/{order.order_no}")
    # The page does not hear of it in time.
    deafen(page, f"**/api/v1/orders/{order.order_no}")
    Order.objects.filter(pk=order.pk).update(expires_at=order.created_at)

    page.get_by_role("button", name="Pay from the sandbox").click()

    expect(page.get_by_role("status").filter(has_text="order has moved on")).to_be_visible()
    assert not Payment.objects.exists()
