"""A browser that watches a sale: what is sold falls before one's eyes."""

import re
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from goods.sales.services import sale_end
from shop.pools import shots
from tests.factories import make_sale, make_user, place_in
from tests.kit.browser import PHONE, beyond_its_edge, serious_faults, stop_the_clock
from tests.kit.desk import page_of
from tests.kit.marks import once

pytestmark = [once, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def nothing_kept():
    shots.forget()


@pytest.fixture
def sale(transactional_db):
    return make_sale(total=50, per_user_limit=None, placement="direct")


def cell(page, name):
    return page.locator(f'[data-cell="{name}"]')


def test_the_stock_falls_while_shoppers_buy_and_stops_at_the_end(console, operator, sale):
    page = console(operator).page(page_of(sale))
    page.get_by_role("link", name="Live", exact=True).click()
    expect(cell(page, "available")).to_have_text("50")
    expect(page.get_by_role("status")).to_have_text("Live: renewed each second.")
    page.evaluate("window.isTheSamePage = true")

    for left in (43, 36):
        place_in(sale, make_user(), 7)
        expect(cell(page, "available")).to_have_text(str(left))
    expect(cell(page, "taken")).to_have_text("14")
    # Of the stock, a line that falls: its last point is lower than its first.
    line = page.locator("svg path.live-line-1").first.get_attribute("d")
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", line)]
    assert heights[-1] > heights[0]
    sale_end(sale)
    expect(page.get_by_role("status")).to_have_text("It is over: these are the last figures.")

    assert page.evaluate("window.isTheSamePage")
    expect(cell(page, "state")).to_have_text("ended")


def test_a_shop_that_does_not_answer_is_said_and_asked_ever_less(console, operator, sale):
    visit = console(operator)
    stop_the_clock(visit)
    page = visit.page(page_of(sale, "live"))
    status = page.get_by_role("status")
    live = page.locator('#live[data-state="live"]')
    live.wait_for()
    page.route(
        "**/live.json*", lambda route: route.fulfill(status=503, headers={"Retry-After": "1"})
    )

    for times, seconds in enumerate((1, 2, 4, 8), start=1):
        page.clock.run_for(seconds * 1_000)
        page.locator(f'#live[data-failures="{times}"]').wait_for()
    expect(status).to_have_text(
        "The shop does not answer: asked again in 16 s. The figures are old."
    )
    expect(cell(page, "available")).to_have_text("50")
    page.unroute("**/live.json*")
    place_in(sale, make_user(), 5)

    page.clock.run_for(16_000)
    page.clock.resume()
    expect(status).to_have_text("Live: renewed each second.")
    expect(cell(page, "available")).to_have_text("45")


def test_a_page_that_nobody_sees_asks_nothing(console, operator, sale):
    visit = console(operator)
    visit.context.clock.install()
    page = visit.page(page_of(sale, "live"))
    expect(page.get_by_role("status")).to_have_text("Live: renewed each second.")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    hide = """hidden => {
        Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
        document.dispatchEvent(new Event("visibilitychange"));
    }"""

    page.evaluate(hide, True)
    asked.clear()
    place_in(sale, make_user(), 5)
    page.clock.run_for(10_000)
    assert asked == []
    page.evaluate(hide, False)

    expect(cell(page, "available")).to_have_text("45")
    # What it has missed is asked for as well.
    assert asked[0].endswith("/live.json?curve")


def test_whoever_is_logged_out_meanwhile_is_told(console, operator, sale):
    page = console(operator).page(page_of(sale, "live"))
    expect(page.get_by_role("status")).to_have_text("Live: renewed each second.")

    Session.objects.all().delete()

    expect(page.get_by_role("status")).to_contain_text("You are logged out")


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_it_can_be_read_by_everybody_and_on_a_phone(console, operator, locale):
    sale = make_sale(total=5, ends_in=timedelta(days=3))
    page = console(operator, viewport=PHONE, locale=locale).page(page_of(sale, "live"))
    page.locator('#live[data-state="live"]').wait_for()

    assert serious_faults(page) == []
    assert beyond_its_edge(page) <= 0
