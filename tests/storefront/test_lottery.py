"""A period in a browser, from the first share to a draw that it computes again itself."""

import json

import pytest
from playwright.sync_api import expect

from lottery.drawing import periods_draw
from lottery.proof import period_proof
from tests.factories import enter, give_points, make_period, make_user
from tests.kit.marks import once
from tests.kit.periods import close, draw, let_round_come, settle

pytestmark = [once, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def drawn(transactional_db):
    """A period of somebody else's that is drawn."""
    user = make_user()
    give_points(user, 100)
    period = make_period(total_shares=3)
    enter(user, period, shares=3)
    settle(period)
    draw(period)
    return period


def verdicts(page):
    """What the page says of each step."""
    page.locator(".steps li").first.wait_for()
    rows = page.locator(".steps li").all()
    return {row.get_attribute("data-step"): row.get_attribute("class") for row in rows}


def test_a_shopper_buys_the_last_shares_and_verifies_the_draw(visit, buyer):
    give_points(buyer, 100)
    period = make_period(total_shares=4)
    page = visit(buyer).tab(f"/periods/{period.pk}")
    page.get_by_role("spinbutton", name="Shares").fill("9")
    page.get_by_label("Take what is left").check()

    page.get_by_role("button", name="Take part").click()
    expect(page.locator(".outcome")).to_contain_text("You are in the queue")
    settle(period)
    expect(page.get_by_role("status").filter(has_text="4 shares more")).to_be_visible()
    numbers = page.locator(".mine .numbers").inner_text().split()
    expect(page.get_by_role("main")).to_contain_text("4 of 4 shares sold")
    page.get_by_role("link", name="Cart").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cart")
    close(period)
    let_round_come(period)
    page.go_back()
    expect(page.get_by_role("main")).to_contain_text("Closed")
    periods_draw()
    won = page.locator(".result .number").inner_text()
    page.get_by_role("link", name="Verify it yourself").click()

    expect(page.locator(".verdict")).to_contain_text("Nothing is wrong")
    assert won in numbers
    found = verdicts(page)
    assert {step for step, verdict in found.items() if verdict != "ok"} == {"signature"}
    assert {"saved-commitment", "saved-root", "saved-round", "receipts"} <= found.keys()
    expect(page.get_by_role("main")).to_contain_text("its beacon is not independent")
    expect(page.get_by_role("main")).to_contain_text("Who bought.")


def test_what_becomes_of_an_entry_is_told_though_the_period_closes_meanwhile(visit, buyer):
    give_points(buyer, 100)
    period = make_period(total_shares=4)
    page = visit(buyer).tab(f"/periods/{period.pk}")
    page.get_by_role("button", name="Take part").click()
    expect(page.locator(".outcome")).to_contain_text("You are in the queue")

    def closed(route):
        route.fulfill(json=route.fetch().json() | {"status": "closed"})

    address = f"**/api/v1/lottery/periods/{period.pk}"
    for _ in range(2):  # when the second is asked for, the first has been read
        with page.expect_response(address):
            page.route(address, closed)
    expect(page.locator(".outcome")).to_contain_text("You are in the queue")
    page.unroute_all(behavior="wait")

    settle(period)
    expect(page.get_by_role("status").filter(has_text="1 shares more")).to_be_visible()


def test_whoever_comes_afterwards_is_told_what_was_not_checked(visit, drawn):
    page = visit().tab(f"/periods/{drawn.pk}/proof")

    unchecked = {step for step, verdict in verdicts(page).items() if verdict == "unchecked"}
    assert unchecked == {"signature", "saved-commitment", "saved-root", "saved-round", "receipts"}


def test_a_proof_that_was_tampered_with_is_shown_as_such(visit, drawn):
    proof = json.loads(period_proof(drawn.pk))
    proof["index"] = (proof["index"] + 1) % 3
    browser = visit()
    browser.context.route("**/proof", lambda route: route.fulfill(json=proof))

    page = browser.tab(f"/periods/{drawn.pk}/proof")

    expect(page.locator(".verdict.bad")).to_contain_text("This proof is WRONG")
    found = verdicts(page)
    assert {"index", "number"} <= {step for step, verdict in found.items() if verdict == "wrong"}
    assert found["commitment"] == "ok"


def test_a_commitment_other_than_the_one_seen_before_is_shown(visit, buyer):
    """The shop shows this browser another one before than it proves with afterwards."""
    give_points(buyer, 100)
    period = make_period(total_shares=1)
    browser = visit(buyer)

    def lie(route):
        said = route.fetch().json()
        route.fulfill(json={**said, "commitment": "0" * 64})

    address = f"**/api/v1/lottery/periods/{period.pk}"
    browser.context.route(address, lie)
    misled = browser.tab(f"/periods/{period.pk}")
    browser.forget_routes()
    misled.close()
    # The true one comes too late to take its place.
    browser.tab(f"/periods/{period.pk}").close()
    enter(buyer, period, shares=1)
    settle(period)
    draw(period)

    page = browser.tab(f"/periods/{period.pk}/proof")

    assert verdicts(page)["saved-commitment"] == "wrong"
