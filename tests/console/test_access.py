"""The console's pages, in both languages and modes, on a telephone and on a desk: nothing that
keeps people out, and nothing that reaches over the edge."""

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.urls import reverse
from playwright.sync_api import expect

from goods.models import Sku
from shop.accounts.models import User
from tests.factories import pay_from_wallet, place, top_up
from tests.kit.browser import DESK, PHONE, SCREENSHOTS, beyond_its_edge, serious_faults
from tests.kit.marks import once

pytestmark = [once, pytest.mark.django_db(transaction=True)]

# What is looked at beside the list of every model: the pages of its newest row, and "add".
ROWS = {
    "goods_goods": ("change",),
    "goods_sku": ("adjust", "movements"),
    "sales_flashsale": ("change", "units"),
    "orders_order": ("change", "ship", "refund"),
    "lottery_period": ("change",),
    "coupons_coupon": ("change",),
    "packets_packet": ("change",),
    "wallet_account": ("change", "postings"),
    "accounts_user": ("change",),
}
ADDS = ("sales_flashsale", "lottery_period", "coupons_coupon", "wallet_correction")


@pytest.fixture
def pages(transactional_db):
    """A shop with something of everything; name -> address of each of its pages."""
    call_command("seed_demo")
    demo = User.objects.get(username="demo")
    top_up(demo, 500_000)
    sku = Sku.objects.filter(pool__available__gt=0).latest("pk")
    for _ in range(3):
        order = place(demo, {sku: 1})
    pay_from_wallet(demo, order)
    models = {f"{model._meta.app_label}_{model._meta.model_name}": model for model in _models()}
    rows = {name: models[name]._default_manager.latest("pk").pk for name in ROWS}
    return {
        "home": reverse("admin:index"),
        **{name: reverse(f"admin:{name}_changelist") for name in models},
        **{f"{name}-add": reverse(f"admin:{name}_add") for name in ADDS},
        **{
            f"{name}-{page}": reverse(f"admin:{name}_{page}", args=[rows[name]])
            for name, names in ROWS.items()
            for page in names
        },
    }


def _models():
    return admin.site._registry


@pytest.mark.parametrize(
    ("locale", "mode", "size"), [("en-GB", "light", PHONE), ("zh-CN", "dark", DESK)]
)
def test_no_page_keeps_anybody_out(console, operator, pages, locale, mode, size):
    page = console(
        operator, locale=locale, viewport=size, color_scheme=mode, reduced_motion="reduce"
    ).page("/admin/")
    base = page.url.removesuffix("/admin/")
    expect(page.locator("html")).to_have_attribute("lang", "en" if locale == "en-GB" else "zh-hans")

    found = {}
    for name, address in pages.items():
        page.goto(f"{base}{address}")
        page.screenshot(
            path=SCREENSHOTS / f"{locale[:2]}-{size['width']}" / "console" / f"{name}.png"
        )
        if faults := serious_faults(page):
            found[name] = faults
        if beyond := beyond_its_edge(page):
            found[f"{name}: edge"] = beyond

    assert found == {}
