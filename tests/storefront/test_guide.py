"""The first minute of a newcomer: what the demo's first page says to try can be tried, in order."""

import re
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from playwright.sync_api import expect

from deploy.local.processes import VAR
from goods.sales.models import FlashSale
from lottery.models import Period
from shop import demo
from tests.factories import make_sale
from tests.kit.marks import once
from tests.kit.periods import draw, settle

pytestmark = [once, pytest.mark.django_db(transaction=True)]

# To look at; written anew each time.
SCREENSHOTS = VAR / "screenshots"


@pytest.fixture
def seeded(transactional_db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    demo.seed()


@pytest.fixture
def half_an_hour_early(seeded):
    """The sale that a newcomer sees open opens when the test says so, not in a minute."""
    coming = FlashSale.objects.filter(starts_at__gt=Now())
    assert coming.update(starts_at=Now() + timedelta(minutes=30)) == 1


def lines(page):
    return page.locator(".guide li")


def test_a_newcomer_logs_in_sees_a_sale_open_wins_verifies_and_opens_a_packet(
    visit, half_an_hour_early
):
    page = visit().tab("/")
    guide = page.locator(".guide")
    expect(guide.get_by_role("heading")).to_have_text("New here? Try this, in this order")
    expect(guide.locator(".countdown")).to_have_text(re.compile("2[0-9]:[0-5][0-9]|30:00"))

    guide.get_by_role("button", name="Log in as demo").click()
    expect(page.locator("header .who")).to_have_text("小满")
    expect(guide.get_by_role("button")).to_have_count(0)
    names = [
        "Buy.",
        "Take a coupon",
        "Be there",
        "Win.",
        "Verify",
        "Open a red",
        "Look behind",
        "Read the API",
    ]
    expect(lines(page)).to_contain_text(names)

    guide.get_by_role("link", name="Be there when").click()
    expect(page.get_by_role("main")).to_contain_text("It has not started yet.")
    FlashSale.objects.update(starts_at=Now())
    expect(page.get_by_role("button", name="Buy now")).to_be_visible()

    page.get_by_role("navigation").get_by_role("link", name="Now").click()
    guide.get_by_role("link", name="Win.").click()
    page.get_by_role("spinbutton", name="Shares").fill("10")
    page.get_by_role("button", name="Take part").click()
    expect(page.locator(".outcome")).to_contain_text("You are in the queue")
    period = Period.objects.earliest("pk")
    settle(period)
    expect(page.get_by_role("main")).to_contain_text("10 of 10 shares sold")
    draw(period)
    page.get_by_role("navigation").get_by_role("link", name="Now").click()
    guide.get_by_role("link", name="Verify the draw.").click()
    expect(page.locator(".verdict")).to_contain_text("Nothing is wrong")

    page.get_by_role("navigation").get_by_role("link", name="Now").click()
    guide.get_by_role("link", name="Open a red packet.").click()
    page.get_by_role("button", name="Open it").click()
    expect(page.get_by_role("main")).to_contain_text("10 of 10 parts opened")


def test_each_line_leads_to_what_is_there(visit, seeded, client):
    page = visit(locale="zh-CN").tab("/")
    expect(lines(page)).to_have_count(9)
    expect(lines(page).nth(7)).to_contain_text(" / ".join(demo.OPERATOR))
    targets = [link.get_attribute("href") for link in page.locator(".guide a").all()]
    page.screenshot(path=SCREENSHOTS / "guide.png", full_page=True)

    for target in targets[:-2]:
        page.evaluate("target => { location.hash = target }", target)
        expect(page.locator("body")).to_have_attribute("data-shown", target[1:])
        heading = page.get_by_role("heading", level=1)
        expect(heading).not_to_have_text(re.compile("这里什么也没有|没有成功"))
    assert targets[-2:] == ["/admin/", "/api/docs/"]
    for target in targets[-2:]:
        assert client.get(target, follow=True).status_code == 200


def test_a_shop_that_is_no_demo_shows_its_wares_alone(visit, settings, transactional_db):
    settings.DEMO_GUIDE = False
    make_sale(total=1)
    page = visit().tab("/")

    expect(page.get_by_role("heading", name="Flash sales")).to_be_visible()
    expect(page.locator(".guide")).to_have_count(0)


def test_a_guide_that_does_not_come_keeps_nobody_from_the_page(visit, transactional_db):
    browser = visit()
    browser.context.route("**/demo/guide", lambda route: route.abort())
    make_sale(total=1)
    page = browser.tab("/")

    expect(page.get_by_role("heading", name="Flash sales")).to_be_visible()
    expect(page.locator(".guide")).to_have_count(0)
