"""A flash sale in a browser: one press is one order, and what is over is said to be over."""

import re
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from playwright.sync_api import expect

from goods.sales import captcha
from goods.sales.models import FlashSale
from orders.models import Order
from shop.pools.drain import drain
from tests.factories import make_sale, make_user, place_in
from tests.kit.browser import deafen, stop_the_clock
from tests.kit.marks import once

pytestmark = [once, pytest.mark.django_db(transaction=True)]


def a_sale(total, **terms):
    """One that is sold at once, without a limit, unless `terms` say otherwise."""
    return make_sale(total=total, **{"placement": "direct", "per_user_limit": None} | terms)


def buy(page):
    return page.get_by_role("button", name="Buy now")


def ordered(page):
    """Whether the page has become that of an order."""
    expect(page.get_by_role("heading", level=1)).to_have_text("Order")


def settled_in_sight(page, sale):
    """An order waits, and is said to; it is settled, and the page becomes that of the order."""
    expect(page.locator(".outcome")).to_contain_text("You are in the queue")
    assert not drain(sale.queue_id)
    ordered(page)


def let_pass_until(page, there):
    """Lets the browser's time pass, as much as there may be between two tries."""
    for _ in range(100):
        if there():
            return
        page.clock.run_for(100)
    pytest.fail("nothing has come of ten seconds")


def test_a_double_press_is_one_order_and_two_tabs_are_two(visit, buyer):
    sale = a_sale(5)
    browser = visit(buyer)
    first, second = (browser.tab(f"/sales/{sale.pk}") for _ in range(2))

    # Both tabs are pressed before either is looked at; the first one twice in the same moment.
    buy(first).evaluate("button => { button.click(); button.click(); }")
    buy(second).evaluate("button => button.click()")
    ordered(first)
    ordered(second)

    orders = Order.objects.all()
    assert {order.status for order in orders} == {"unpaid"}
    assert len({order.idempotency_key for order in orders}) == len(orders) == 2
    assert first.url != second.url


def test_an_order_whose_answer_is_lost_is_one_order_after_the_next_press(visit, buyer):
    sale = a_sale(5)
    browser = visit(buyer)
    stop_the_clock(browser)
    page = browser.tab(f"/sales/{sale.pk}")
    tried, lost = [], []

    def was_tried(request):
        return request in tried

    def lose(route):
        tried.append(route.request)
        lost.append(route.fetch().status)
        route.abort()

    # Every try of the first press reaches the shop, and no answer of it comes back.
    page.route("**/api/v1/flash-sales/*/orders", lose)
    with page.expect_event("requestfailed", was_tried):
        buy(page).click()
    for tries in (2, 3, 4):
        with page.expect_event("requestfailed", was_tried):
            let_pass_until(page, lambda tries=tries: len(tried) == tries)
    expect(page.locator(".outcome")).to_contain_text("it will not be done twice")
    page.unroute("**/api/v1/flash-sales/*/orders")
    buy(page).click()

    ordered(page)
    assert lost == [201] * 4
    assert Order.objects.count() == 1


def test_what_becomes_of_an_order_is_told_though_the_sale_ends_meanwhile(visit, buyer):
    sale = a_sale(5, placement="queued")
    browser = visit(buyer)
    # Before the page begins: while it is put in, a clock stands at 1970 for a moment.
    browser.context.clock.install()
    page = browser.tab(f"/sales/{sale.pk}")
    buy(page).click()
    expect(page.locator(".outcome")).to_contain_text("You are in the queue")

    with page.expect_response(f"**/api/v1/flash-sales/{sale.pk}"):
        FlashSale.objects.update(ends_at=Now())
        page.clock.fast_forward(3_700_000)
    expect(page.locator(".badge.ended")).to_be_visible()
    page.clock.run_for(5_000)

    settled_in_sight(page, sale)


def test_a_press_while_the_page_is_drawn_anew_stays_in_sight(visit, buyer):
    sale = a_sale(5, placement="queued")
    page = visit(buyer).tab(f"/sales/{sale.pk}")
    looks, held = [], []

    def paused(route):
        looks.append(route.fetch().json() | {"status": "paused"})
        # The first says that the page is outdated; what the new one is made of is on its way.
        if len(looks) == 1 or held is None:
            route.fulfill(json=looks[-1])
        else:
            held.append(route)

    page.route(f"**/api/v1/flash-sales/{sale.pk}", paused)
    expect(page.locator("main")).to_have_attribute("aria-busy", "true")
    buy(page).click()
    expect(page.locator(".outcome")).to_contain_text("You are in the queue")
    on_its_way, held = held, None
    for route in on_its_way:
        route.fulfill(json=looks[-1])

    expect(page.locator("main")).not_to_have_attribute("aria-busy", "true")
    settled_in_sight(page, sale)


def test_a_queued_order_waits_in_sight_and_goes_on_when_it_is_settled(visit, buyer):
    sale = a_sale(5, placement="queued")
    page = visit(buyer).tab(f"/sales/{sale.pk}")
    page.get_by_label("How many").select_option("2")

    buy(page).click()
    expect(page.locator(".outcome")).to_contain_text("You are in the queue")
    assert Order.objects.get().status == "pending"

    settled_in_sight(page, sale)
    assert Order.objects.get().status == "unpaid"


def test_what_is_sold_out_is_said_in_words_and_offers_no_button(visit, buyer):
    sale = a_sale(1)
    page = visit(buyer).tab(f"/sales/{sale.pk}")
    # The page does not hear of it in time.
    deafen(page, f"**/api/v1/flash-sales/{sale.pk}")
    place_in(sale, make_user("quicker"))

    buy(page).click()
    expect(page.locator(".outcome")).to_have_text("Sold out.")
    page.unroute(f"**/api/v1/flash-sales/{sale.pk}")
    page.reload()

    expect(page.get_by_role("main")).to_contain_text("Sold out. Unpaid orders may still expire")
    expect(buy(page)).to_have_count(0)
    assert Order.objects.count() == 1


def test_a_sale_that_begins_offers_its_button_by_itself(visit, buyer):
    sale = a_sale(1, starts_in=timedelta(minutes=30))
    page = visit(buyer).tab(f"/sales/{sale.pk}")
    expect(page.locator(".countdown")).to_have_text(re.compile("2[0-9]:[0-9]{2}|30:00"))
    expect(buy(page)).to_have_count(0)

    FlashSale.objects.update(starts_at=Now())

    expect(buy(page)).to_be_visible()


def test_the_time_is_the_shop_s_whatever_the_telephone_says(visit, buyer):
    sale = a_sale(1, ends_in=timedelta(minutes=40))
    browser = visit(buyer)
    browser.context.clock.install(time="2001-01-01T00:00:00Z")

    page = browser.tab(f"/sales/{sale.pk}")

    expect(page.locator(".countdown")).to_have_text(re.compile("3[0-9]:[0-9]{2}|40:00"))


def test_a_sale_with_a_captcha_sells_to_whoever_reads_it(visit, buyer, monkeypatch):
    sale = a_sale(2, protection="captcha")
    answer = captcha.ALPHABET[: captcha.LENGTH]
    monkeypatch.setattr("goods.sales.views.captcha_issue", lambda: captcha.captcha_of(answer))
    page = visit(buyer).tab(f"/sales/{sale.pk}")

    page.get_by_label("The letters in the picture").fill("nope")
    buy(page).click()
    expect(page.locator(".outcome")).to_contain_text("Those were not the letters")
    page.get_by_label("The letters in the picture").fill(answer.lower())
    buy(page).click()

    ordered(page)


def test_a_sale_with_tokens_gets_one_for_each_order(visit, buyer):
    sale = a_sale(2, protection="token")
    page = visit(buyer).tab(f"/sales/{sale.pk}")

    buy(page).click()
    ordered(page)

    assert Order.objects.count() == 1
