"""The ways to pay that a shop offers, in a browser: those it can go, and words about others."""

import pytest
from playwright.sync_api import expect

from tests.factories import make_sale, place_in
from tests.kit.marks import once

pytestmark = [once, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def order(buyer):
    return place_in(make_sale(total=1, placement="direct"), buyer)


def ways(page):
    return page.get_by_role("button", name="Pay from")


def test_a_shop_that_takes_real_money_offers_no_sandbox(visit, buyer, order, settings):
    settings.SANDBOX_PAYMENTS = False
    page = visit(buyer).tab(f"/orders/{order.order_no}")
    expect(ways(page)).to_have_text(["Pay from the wallet"])

    page.evaluate("location.hash = '#/wallet'")

    expect(page.get_by_role("main")).to_contain_text("This shop offers no top-ups.")
    expect(page.get_by_role("button", name="Top up")).to_have_count(0)


def test_what_only_a_mini_program_can_do_is_said_in_words(visit, buyer, order, settings):
    settings.WECHAT_PAY_MCHID = "1230000109"
    page = visit(buyer).tab(f"/orders/{order.order_no}")
    names = ["Pay from the wallet", "Pay from the sandbox (rehearsal)"]
    expect(ways(page)).to_have_text(names)
    expect(page.locator(".actions")).to_contain_text("WeChat Pay works inside the mini-program")

    page.evaluate("location.hash = '#/wallet'")

    expect(page.get_by_label("Paid with").locator("option")).to_have_text(names[1][9:])
    expect(page.get_by_role("main")).to_contain_text("WeChat Pay works inside the mini-program")
