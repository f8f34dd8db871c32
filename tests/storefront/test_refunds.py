"""Asking for money back in a browser, and following what becomes of it."""

import pytest
from playwright.sync_api import expect

from orders.refunds.models import RefundRequest
from tests.factories import make_goods, make_sku, make_user, place_in
from tests.factories import make_sale as a_sale
from tests.kit.marks import once
from tests.kit.refunds import accept, decline, paid_order, send_money

pytestmark = [once, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def operator(transactional_db):
    return make_user("operator", is_staff=True)


@pytest.fixture
def order(buyer):
    """Of two goods: three of one, one of the other, 36.00 and the freight."""
    tea = make_sku(goods=make_goods("茶", title_en="Tea"), stock=9, price_fen=1_000)
    pot = make_sku(goods=make_goods("壶", title_en="Pot"), stock=9, price_fen=600)
    return paid_order(buyer, {tea: 3, pot: 1}, freight_fen=500)


def test_a_whole_order_is_asked_for_and_its_answer_comes_in_sight(visit, buyer, order, operator):
    page = visit(buyer).tab(f"/orders/{order.order_no}")
    page.get_by_role("link", name="Ask for a refund").click()

    whole = page.locator("#whole")
    whole.get_by_label("Why").fill("too late")
    whole.get_by_role("button", name="Ask for all of it").click()
    refunds = page.locator(".refunds li")
    expect(refunds).to_contain_text("Asked for")
    expect(refunds).to_contain_text("¥41.00")
    expect(refunds).to_contain_text("You wrote: too late")
    expect(page.get_by_role("link", name="Ask for a refund")).to_have_count(0)

    accept(RefundRequest.objects.get(), operator)
    send_money()

    expect(page.locator(".refunds li")).to_contain_text("Paid back")
    expect(page.locator(".state .badge")).to_have_text("Refunded")
    expect(page.get_by_role("link", name="Ask for a refund")).to_have_count(0)


def test_some_units_are_asked_for_and_a_no_is_shown_with_its_reason(visit, buyer, order, operator):
    page = visit(buyer).tab(f"/orders/{order.order_no}/refund")
    some = page.locator("#some")
    some.get_by_label("Why").fill("<b>broken</b>")
    some.get_by_role("button", name="Ask for these").click()
    expect(page.get_by_role("status").filter(has_text="how many units")).to_be_visible()
    assert not RefundRequest.objects.exists()

    some.get_by_label("茶 500 g").fill("2")
    some.get_by_role("button", name="Ask for these").click()
    expect(page.locator(".refunds li")).to_contain_text("茶 500 g × 2")
    expect(page.locator(".refunds li")).to_contain_text("¥20.00")
    expect(page.locator(".refunds li")).to_contain_text("You wrote: <b>broken</b>")
    decline(RefundRequest.objects.get(), operator)

    expect(page.locator(".refunds li")).to_contain_text("Declined")
    expect(page.locator(".refunds li")).to_contain_text("The shop wrote: worn already")
    expect(page.locator(".state .badge")).to_have_text("Paid")
    expect(page.get_by_role("link", name="Ask for a refund")).to_be_visible()


def test_an_order_that_is_not_paid_has_nothing_to_refund(visit, buyer):
    order = place_in(a_sale(total=1, placement="direct"), buyer)
    page = visit(buyer).tab(f"/orders/{order.order_no}")
    expect(page.get_by_role("link", name="Ask for a refund")).to_have_count(0)

    page.evaluate("location.hash += '/refund'")

    expect(page.get_by_role("main")).to_contain_text("Nothing of this order can be refunded now.")
    expect(page.get_by_role("button", name="Ask for all of it")).to_have_count(0)
