"""Red packets and the wallet in a browser."""

import pytest
from playwright.sync_api import expect

from lottery.packets.models import Packet
from tests.factories import make_user
from tests.kit.marks import once

pytestmark = [once, pytest.mark.django_db(transaction=True)]


def test_a_packet_is_paid_for_sent_and_opened_by_its_link(visit, buyer):
    friend = make_user("friend")
    sender = visit(buyer).tab("/wallet")

    sender.get_by_label("Yuan").fill("20")
    sender.get_by_role("button", name="Top up").click()
    expect(sender.get_by_role("main")).to_contain_text("¥20.00")
    sender.get_by_role("link", name="Red packets").click()
    sender.get_by_label("Yuan in all").fill("8.88")
    sender.get_by_label("Parts").fill("1")
    sender.get_by_label("Greeting").fill("<b>手慢无</b>")
    sender.get_by_role("button", name="Send it").click()
    expect(sender.get_by_role("heading", level=1)).to_have_text("<b>手慢无</b>")
    link = sender.get_by_label("Send this address").input_value()

    opener = visit(friend)
    page = opener.tab(link.partition("#")[2])
    page.get_by_role("button", name="Open it").click()

    expect(page.locator(".outcome")).to_contain_text("You got ¥8.88")
    expect(page.get_by_role("button", name="Open it")).to_have_count(0)
    expect(page.get_by_role("main")).to_contain_text("1 of 1 parts opened")
    assert Packet.objects.get().pool.available == 0
    wallet = opener.tab("/wallet")
    expect(wallet.locator(".postings")).to_contain_text("Red packet opened")
    expect(wallet.locator(".postings")).to_contain_text("¥8.88")


def test_what_is_no_amount_is_not_sent(visit, buyer):
    page = visit(buyer).tab("/packets")
    page.get_by_label("Yuan in all").fill("8.888")

    page.get_by_role("button", name="Send it").click()

    expect(page.get_by_role("status").filter(has_text="Write an amount like")).to_be_visible()
    assert not Packet.objects.exists()
