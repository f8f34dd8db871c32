"""Every page, in both languages and modes, on a telephone and on a desk: nothing that keeps people
out, nothing that reaches over the edge, all of it without a mouse; and nothing that should not."""

import pytest
from playwright.sync_api import Error, expect

from lottery.packets.services import PacketPlan, packet_send
from shop.api.idempotency import RequestKey
from tests.factories import (
    enter,
    give_points,
    make_goods,
    make_period,
    make_sale,
    make_shipping,
    make_sku,
    place_in,
    top_up,
)
from tests.kit.browser import pictured, serious_faults
from tests.kit.coupons import claim, make_coupon
from tests.kit.marks import once
from tests.kit.periods import draw, settle
from tests.kit.refunds import ask, paid_order

pytestmark = [once, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def pages(buyer):
    """A shop with something of everything, and the addresses of all its pages."""
    make_shipping()
    goods = make_goods("龙井", title_en="Longjing")
    make_sku(goods=goods, stock=5)
    sale = make_sale(total=3, placement="direct")
    order = place_in(sale, buyer)
    give_points(buyer, 100)
    period, over = make_period(total_shares=4), make_period(total_shares=2)
    for one, shares in ((period, 1), (over, 2)):
        enter(buyer, one, shares=shares)
        settle(one)
    draw(over)
    paid = paid_order(buyer, {make_sku(goods=goods, stock=5): 2})
    ask(buyer, paid, key="broken")
    claim(buyer, make_coupon())
    top_up(buyer, 1_000)
    key = RequestKey.of(user_id=buyer.pk, route="red-packets", key="1", path="", body={})
    packet = packet_send(key=key, plan=PacketPlan(100, 2)).row
    return [
        *("/", "/login", "/goods", f"/goods/{goods.pk}", f"/sales/{sale.pk}", "/cart"),
        *("/orders", f"/orders/{order.order_no}", "/addresses", "/wallet", "/nowhere"),
        *(f"/periods/{period.pk}", f"/periods/{over.pk}", f"/periods/{over.pk}/proof"),
        *("/packets", f"/packets/{packet.public_id}", "/coupons"),
        *(f"/orders/{paid.order_no}", f"/orders/{paid.order_no}/refund"),
    ]


def shown(path):
    """A file's name for a page: without what is another one each time."""
    names = [name for name in path.split("/") if name.isalpha()]
    return "-".join([*names, "one"] if path.count("/") > len(names) > 0 else names) or "home"


@pytest.mark.parametrize(
    ("locale", "mode", "width"), [("en-GB", "light", 390), ("zh-CN", "dark", 1280)]
)
def test_no_page_keeps_anybody_out(visit, buyer, pages, locale, mode, width):
    browser = visit(buyer, locale=locale, color_scheme=mode, reduced_motion="reduce")
    page = browser.tab("/")
    page.set_viewport_size({"width": width, "height": 844})
    expect(page.locator("html")).to_have_attribute("lang", "en" if locale == "en-GB" else "zh-Hans")

    for path in pages:
        page.evaluate("path => { location.hash = path }", path)
        expect(page.locator("body")).to_have_attribute("data-shown", path)

        assert (path, serious_faults(page)) == (path, [])
        assert max(pictured(page, shown(path)).values()) <= 0, path


def test_the_language_is_switched_and_stays(visit):
    page = visit(locale="zh-CN").tab("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("正在进行")

    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Now on")
    page.reload()

    expect(page.get_by_role("heading", level=1)).to_have_text("Now on")
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_a_sale_is_bought_in_with_the_keyboard_alone(visit, buyer):
    sale = make_sale(total=1, placement="direct")
    page = visit(buyer).tab(f"/sales/{sale.pk}")

    for _ in range(20):
        page.keyboard.press("Tab")
        focus = page.evaluate(
            "() => [document.activeElement.textContent,"
            " getComputedStyle(document.activeElement).outlineStyle]"
        )
        assert focus[1] != "none", focus
        if focus[0] == "Buy now":
            break
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("Order")
    assert page.evaluate("document.activeElement.tagName") == "H1"


def test_the_browser_itself_lets_no_text_become_markup_and_no_other_script_run(visit):
    browser = visit()
    page = browser.tab("/")

    with pytest.raises(Error, match="TrustedHTML"):
        page.evaluate("document.body.innerHTML = '<b>text</b>'")
    with pytest.raises(Error, match="TrustedScriptURL"):
        page.evaluate("document.createElement('script').src = 'https://elsewhere.example/'")
    assert ["TrustedHTML" in fault for fault in browser.faults] == [True, False]
    browser.faults.clear()
